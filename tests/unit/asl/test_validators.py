"""Two validators that are not ours accept the machines that are rendered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stepsched.machines.single import render_asl
from tests.golden.test_rendered import JOBS as GOLDEN
from tests.parts.asl_validators import asl_validator, cfn_lint
from tests.unit.asl.render.jobs import matrix

JOBS = dict(matrix()) | GOLDEN
RENDERED: dict[str, Any] = {name: render_asl(job).to_dict() for name, job in JOBS.items()}
FEW = [
    name for name in RENDERED if " / " not in name or name.startswith("rate / ") or name.endswith(" / cron")
]
"""Every target, policy and golden file: the second validator takes a tenth of a second for each machine."""


def _told(findings: list[list[str]], names: Iterable[str]) -> dict[str, list[str]]:
    return {name: found for name, found in zip(names, findings, strict=True) if found}


def test_asl_validator_accepts_every_machine() -> None:
    assert _told(asl_validator(RENDERED.values()), RENDERED) == {}


def test_cfn_lint_accepts_a_machine_of_every_kind() -> None:
    assert len(FEW) > 30
    assert _told(cfn_lint([RENDERED[name] for name in FEW]), FEW) == {}
