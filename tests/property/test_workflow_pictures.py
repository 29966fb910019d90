"""Pictures of random workflows and runs keep the rules that those of chosen ones keep."""

from __future__ import annotations

import pytest

from stepsched.asl.draw.layout import lay_out
from stepsched.workflows.pictures.drawn import drawn_steps, graph
from tests.unit.asl.draw import test_layout as layouts
from tests.unit.workflows.graphs import NOW, random_run, random_workflow
from tests.unit.workflows.test_pictures import check_all


@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", range(100, 160))
def test_pictures_are_complete_and_harmless(seed: int) -> None:
    flow = random_workflow(seed)
    check_all(flow, random_run(flow, seed))


@pytest.mark.parametrize("seed", range(100, 130))
def test_nothing_overlaps(seed: int) -> None:
    layouts._check(lay_out(graph(drawn_steps(random_workflow(seed), None), NOW)))
