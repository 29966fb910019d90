"""No false alarm: valid definitions, as objects and as text."""

from __future__ import annotations

import json

import pytest

from stepsched.asl.checks import check
from tests.unit.asl.checks.definitions import VALID


@pytest.mark.parametrize("name", VALID)
def test_a_valid_definition_has_no_findings(name: str) -> None:
    assert check(VALID[name]) == []
    assert check(json.dumps(VALID[name], indent=2)) == []
