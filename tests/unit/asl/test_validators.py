"""Two validators that are not ours accept the machines that are rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from stepsched.machines.single import render_asl
from tests.golden.test_rendered import JOBS as GOLDEN
from tests.parts.asl_validators import asl_validator, cfn_lint
from tests.unit.asl.render.jobs import matrix

JOBS = dict(matrix()) | GOLDEN
FEW = [name for name in JOBS if " / " not in name or name.startswith("rate / ") or name.endswith(" / cron")]
"""Every target, policy and golden file: the second validator takes a tenth of a second for each machine."""


def _rendered(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    return (render_asl(JOBS[name]).to_dict() for name in names)


def _told(findings: list[list[str]], names: Iterable[str]) -> dict[str, list[str]]:
    return {name: found for name, found in zip(names, findings, strict=True) if found}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("portion", range(3))
def test_asl_validator_accepts_every_machine(portion: int) -> None:
    names = list(JOBS)[portion::3]
    assert _told(asl_validator(_rendered(names)), names) == {}


def test_cfn_lint_accepts_a_machine_of_every_kind() -> None:
    assert len(FEW) > 30
    assert _told(cfn_lint(_rendered(FEW)), FEW) == {}
