"""What all tests may use. The plugin is loaded here and not by its entry point, so that coverage sees it."""

from __future__ import annotations

import os
import re
import signal
import zoneinfo
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.parts.jsonata_engine import JsonataEngine

if TYPE_CHECKING:
    from tests.parts.batch_cloud import BatchCloud

pytest_plugins = ["stepsched.pytest_plugin", "pytester"]

# The answers that are stored were made with the zones of tzdata 2025.2, which the environment of the tests
# has: with those of the machine, which may be older or newer, some would be others.
os.environ["PYTHONTZPATH"] = ""
zoneinfo.reset_tzpath(to=())

# A shell that starts something in the background has it ignore Ctrl-C, and its children inherit that: tests
# that send one to a program of theirs would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def jsonata_engine() -> Iterator[JsonataEngine]:
    """The reference engine; an error, with the command that installs it, where it is missing."""
    with JsonataEngine() as engine:
        yield engine


@pytest.fixture(scope="session")
def batch_cloud() -> Iterator[BatchCloud]:
    """The emulator with AWS Batch whose jobs are processes; servers of this worker's own."""
    from tests.parts import batch_cloud as part  # it loads the SDK, which most tests do without

    with part.running() as cloud:
        yield cloud


@pytest.fixture
def batch_account(batch_cloud: BatchCloud) -> Iterator[str]:
    """The number of an empty account of `batch_cloud`; its schedules are gone afterwards."""
    with batch_cloud.account() as number:
        yield number


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Marks every test of a file that imports a part: an emulator, an engine, a linter or a server. Marks as
    proofs the tests in classes that the set ``IN_THE_GATE`` of their file, if it has one, leaves out."""
    for item in items:
        if _imports_a_part(item.path):
            item.add_marker("part")
        module = item.getparent(pytest.Module)
        chosen = None if module is None else getattr(module.obj, "IN_THE_GATE", None)
        name = re.sub(r"\[.*", "", "::".join(item.nodeid.split("::")[1:]))
        if isinstance(chosen, frozenset) and item.getparent(pytest.Class) is not None and name not in chosen:
            item.add_marker("proof")


@cache
def _imports_a_part(path: Path) -> bool:
    return re.search(r"^(from|import) tests\.parts\b", path.read_text("utf-8"), re.MULTILINE) is not None
