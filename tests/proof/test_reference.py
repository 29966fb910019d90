"""The reference holds every public name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import stepsched as ss
from tests import gate
from tests.api.reference import pages

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the rendered pages."""
    folder = tmp_path_factory.mktemp("reference")
    python = gate.environment("docs", gate.DOCS)
    command = [str(python), "-W", "error", "-m", "tests.api.reference", str(folder)]
    subprocess.run(command, cwd=gate.ROOT, check=True, timeout=100)
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(pages()))
def test_every_public_name_is_on_its_page(rendered: Path, name: str) -> None:
    text = (rendered / f"{name.replace('.', '/')}.html").read_text("utf-8")
    module = pages()[name]
    wanted = set(getattr(module, "__all__", ())) - {other.rpartition(".")[2] for other in pages()}
    assert wanted - set(re.findall(r'id="([\w.]+)"', text)) == set()
    assert module.__doc__


def test_fields_show_their_types_and_no_more(rendered: Path) -> None:
    text = (rendered / "stepsched.html").read_text("utf-8")
    assert 'id="Job.catch_up_within"' in text
    assert 'id="SchedulerClient.create"' in text
    for noise in ("Annotated", "PydanticUndefined", "Validator", " at 0x"):
        assert noise not in text
    assert len(text) > 100 * len(ss.__all__)
