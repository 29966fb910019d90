"""What all tests may use. The plugin is loaded here and not by its entry point, so that coverage sees it."""

from __future__ import annotations

import gc
import os
import re
import signal
import zoneinfo
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The tests themselves are never garbage: neither while they are collected, which takes a third less time
    without a search of hundreds of thousands of objects again and again, nor while they run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Marks every test of a file that imports a part: an emulator, an engine, a linter or a server. Marks as
    proofs the tests in classes that the set ``IN_THE_GATE`` of their file, if it has one, leaves out, and
    where many are alike all but every n-th of them, by the mark ``one_in`` or the ``ONE_IN`` of a file."""
    seen = Counter[tuple[Path, str]]()
    for item in items:
        if _imports_a_part(item.path):
            item.add_marker("part")
        module = item.getparent(pytest.Module)
        chosen = None if module is None else getattr(module.obj, "IN_THE_GATE", None)
        name = re.sub(r"\[.*", "", "::".join(item.nodeid.split("::")[1:]))
        if isinstance(chosen, frozenset) and item.getparent(pytest.Class) is not None and name not in chosen:
            item.add_marker("proof")
        alike, apart = _alike(item, name)
        if item.get_closest_marker("proof") is None:
            if seen[item.path, alike] % apart:
                item.add_marker("proof")
                item.add_marker("rest")
            seen[item.path, alike] += 1


def _alike(item: pytest.Item, name: str) -> tuple[str, int]:
    """Returns what this test and those like it in its file have in common, and n: the gate runs every n-th.

    A file that takes over a suite says it in ``ONE_IN``, by the modules of the suite.
    """
    mark = item.get_closest_marker("one_in")
    if mark is not None:
        return name, mark.args[0]
    if not isinstance(item, pytest.Function):
        return name, 1
    home = item.function.__module__
    return home, getattr(item.module, "ONE_IN", {}).get(home, 1)


@cache
def _imports_a_part(path: Path) -> bool:
    return re.search(r"^(from|import) tests\.parts\b", path.read_text("utf-8"), re.MULTILINE) is not None
