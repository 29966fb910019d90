"""Every kind of target is delivered to by every backend that accepts it, as the table of the docs says.

``python -m tests.contract.deliveries`` writes the table.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from stepsched.backends.capabilities import BUILT_IN
from stepsched.targets import Target, WorkflowTarget
from tests.contract.deliveries import BACKENDS, SAMPLES, Cell, Place, Sample, outcome, read, table, written
from tests.parts.ministack import Ministack


def test_every_member_of_the_union_stands_in_the_table() -> None:
    named = {sample.label.partition("`,")[0].strip("`") for sample in SAMPLES}
    # A workflow is run rather than delivered: the contract of workflows proves it on each backend.
    assert named == {kind.__name__ for kind in get_args(Target) if kind is not WorkflowTarget}


def test_every_kind_that_may_be_fifo_stands_there_as_such() -> None:
    kinds = {kind.__name__ for kind in get_args(Target) if hasattr(kind, "is_fifo")}
    assert {f"`{kind}`, FIFO" for kind in kinds} <= {sample.label for sample in SAMPLES}


def test_every_backend_stands_in_the_table() -> None:
    assert set(BUILT_IN) <= {name.strip("`").partition("(")[0] for name in BACKENDS}


def test_the_table_has_a_cell_for_each_target_on_each_backend_and_no_other() -> None:
    cells = read(written())
    assert list(cells) == [(sample.label, backend) for sample in SAMPLES for backend in BACKENDS]
    assert {cell.word for cell in cells.values()} == {"arrived", "created", "refused"}
    assert all(bool(cell.reason) is (cell.word != "arrived") for cell in cells.values())
    assert table(cells) == written()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_a_target_fares_on_a_backend_as_the_table_says(
    ministack: Ministack,
    account: str,
    aws: Callable[[str], Any],
    tmp_path: Path,
    sample: Sample,
    backend: str,
) -> None:
    found: Cell = outcome(sample, backend, Place(ministack, account, aws, tmp_path))
    assert found == read(written())[sample.label, backend]
