"""Drawings of random definitions keep the rules that those of chosen ones keep."""

from __future__ import annotations

import pytest

from stepsched.asl.draw import graph
from stepsched.asl.draw.layout import lay_out
from tests.unit.asl.draw import test_layout as layouts
from tests.unit.asl.draw import test_svg as pictures
from tests.unit.asl.draw.definitions import random_definition


@pytest.mark.parametrize("seed", range(20))
def test_nothing_overlaps(seed: int) -> None:
    layouts._check(lay_out(graph(random_definition(seed))))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", range(60))
def test_a_picture_is_well_formed_and_texts_stay_inside(seed: int) -> None:
    pictures._check(random_definition(seed))
