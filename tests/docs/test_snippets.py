"""Every snippet of the README and the docs runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.snippets import pieces

ROOT = Path(__file__).resolve().parents[2]
FILES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if path.is_file()]
ON_CDK = [ROOT / "docs" / name for name in ("cdk.md", "coming-from/aws-scheduler-cdk.md")]
"""The pages whose snippets need the library of the CDK: tests/cdk runs them."""
WITH_PANDAS = [ROOT / "docs" / "notebooks.md"]
"""The pages whose snippets need pandas and polars: tests/notebooks runs them."""
ON_AWS = [ROOT / "docs" / name for name in ("stepfunctions.md", "deploy.md")]
"""The pages whose snippets call AWS as they stand. Others bring an emulator of their own, or call nothing."""


def run(
    path: Path, folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a file's snippets in an empty folder, with every warning an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).with_name("snippets.py")), str(path)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env=environment,
    )


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path not in (*ON_AWS, *ON_CDK, *WITH_PANDAS)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_snippet_of_the_file_runs(path: Path, tmp_path: Path) -> None:
    done = run(path, tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("path", ON_AWS, ids=lambda path: path.name)
def test_every_snippet_of_a_page_that_calls_aws_runs(
    path: Path, tmp_path: Path, on_aws: Mapping[str, str]
) -> None:
    done = run(path, tmp_path, on_aws)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


# -- the runner itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("# Title\n\nProse, and `code`.\n", id="no snippet"),
        pytest.param("```\nno python\n```\n\n```sh\nexit 1\n```\n\n```text\n>>> 1 + 1\n3\n```\n", id="other"),
        pytest.param("```python\nassert 1 + 1 == 2\n```\n", id="block"),
        pytest.param("```python\na = 1\n```\nand\n```python\nassert a == 1\n```\n", id="one namespace"),
        pytest.param("~~~python\na = '```'\n~~~\n", id="tildes"),
        pytest.param("````python\na = '''\n```\n'''\n````\n", id="four ticks"),
        pytest.param("1. First\n\n   ```python\n   if True:\n       a = 1\n   ```\n", id="in a list"),
        pytest.param("```python\n>>> 1 + 1\n2\n```\n", id="doctest in a block"),
        pytest.param("```pycon\n>>> [1,\n...  2]\n[1, 2]\n\n>>> 3\n3\n```\n", id="doctest of many lines"),
        pytest.param("Type:\n\n    >>> 1 + 1\n    2\n\nand see.\n", id="doctest in the prose"),
        pytest.param(
            "```python\na = 2\n```\n\n```python\n>>> a\n2\n>>> b = 3\n```\n\n```python\nassert b == 3\n```\n",
            id="doctest in the same namespace",
        ),
        pytest.param(
            "```python\nfrom pathlib import Path\nassert not list(Path().iterdir())\n```\n", id="empty folder"
        ),
        pytest.param(
            '```python title="Before: Celery"\nimport nothing_here\n```\n', id="code of another system"
        ),
        pytest.param(
            "```python\ndef f(): ...\nimport sys\nassert sys.modules[f.__module__].f is f\n```\n",
            id="functions have a module",
        ),
    ],
)
def test_a_file_whose_snippets_run_passes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "good.md"
    path.write_text(text)
    (tmp_path / "empty").mkdir()
    done = run(path, tmp_path / "empty")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        pytest.param("# T\n\n```python\nassert 1 + 1 == 3\n```\n", 'bad.md", line 4', id="assertion"),
        pytest.param("```python\na = 1\n```\n\n```python\n\nb\n```\n", 'bad.md", line 7', id="unknown name"),
        pytest.param("```python\nimport nothing_here\n```\n", "ModuleNotFoundError", id="import"),
        pytest.param("```python\ndef\n```\n", "SyntaxError", id="syntax"),
        pytest.param("```python\nimport sys\nsys.exit(0)\n```\n", "SystemExit", id="exit"),
        pytest.param("```python\nimport warnings\nwarnings.warn('x')\n```\n", "UserWarning", id="warning"),
        pytest.param("```python\n>>> 1 + 1\n3\n```\n", 'bad.md", line 2', id="doctest in a block"),
        pytest.param("    >>> 1 + 1\n    3\n", 'bad.md", line 1', id="doctest in the prose"),
        pytest.param("```python\na = 1\n", "line 1: the fence is never closed", id="open fence"),
        pytest.param("1. First\n\n   ```python\n   1 / 0\n   ```\n", "ZeroDivisionError", id="in a list"),
        pytest.param('```python title="Before: Celery"\ndef\n```\n', "SyntaxError", id="another system"),
        pytest.param('```python title="After"\n1 / 0\n```\n', "ZeroDivisionError", id="title"),
    ],
)
def test_a_broken_snippet_fails_and_shows_its_line(text: str, trace: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.md"
    path.write_text(text)
    done = run(path, tmp_path)
    assert done.returncode == 1
    assert trace in done.stdout + done.stderr


def test_the_readme_and_the_docs_hold_snippets() -> None:
    """Else the test above would prove nothing."""
    found = {path: len(pieces(path.read_text(encoding="utf-8"))) for path in FILES}
    assert sum(found.values()) > 0
    assert found[ROOT / "README.md"] > 0
    assert all(found[path] > 0 for path in ON_AWS)


def test_only_pages_for_people_of_other_systems_show_code_that_does_not_run() -> None:
    theirs = {
        path.parent.name for path in FILES if any(each.is_foreign for each in pieces(path.read_text("utf-8")))
    }
    assert theirs == {"coming-from"}
