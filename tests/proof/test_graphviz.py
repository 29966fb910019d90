"""Graphviz reads the graphs of workflows."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from stepsched.workflows.pictures import to_dot
from tests.unit.workflows.graphs import NOW, random_run, random_workflow

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not here"),
]


@pytest.mark.parametrize("seed", range(30))
def test_graphviz_draws_each_step_and_each_need_once(seed: int) -> None:
    flow = random_workflow(seed)
    done = subprocess.run(
        ["dot", "-Tplain"],
        input=to_dot(flow, random_run(flow, seed), NOW),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    kinds = [line.partition(" ")[0] for line in done.stdout.splitlines()]
    assert kinds.count("node") == len(flow.steps)
    assert kinds.count("edge") == sum(len(step.needs) for step in flow.steps)
