"""The check never raises, whatever it is given."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from stepsched.asl.checks import check
from stepsched.asl.checks.fields import STATES
from stepsched.asl.diagnostics import Diagnostic
from tests.unit.asl.checks.definitions import VALID

KEYS = sorted({field for shapes in STATES.values() for shape in shapes.values() for field in shape.fields})
JUNK: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e308,
    "",
    "x",
    "$",
    "$x",
    "{% ( %}",
    "{% $states.result %}",
    "States.ALL",
    [],
    {},
    [[]],
    [None],
    ["x"],
    [1],
    {"x": 1},
    {"x.$": 1},
    {"": []},
    [{}],
    {"Next": 1},
    {"ErrorEquals": [None], "Next": []},
    {"StartAt": [], "States": {"": None}},
    {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}},
]


def changed(definition: dict[str, Any], chance: random.Random) -> Any:
    """One place of a definition replaced, removed, repeated or moved."""
    copy = json.loads(json.dumps(definition))
    places: list[tuple[Any, Any]] = []
    todo: list[Any] = [copy]
    while todo:
        value = todo.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            places.append((value, key))
            if isinstance(value[key], (dict, list)):
                todo.append(value[key])
    holder, key = chance.choice(places)
    other, name = chance.choice(places)
    match chance.randrange(4):
        case 0:
            holder[key] = json.loads(json.dumps(chance.choice(JUNK)))
        case 1:
            del holder[key]
        case 2 if isinstance(holder, dict):
            holder[chance.choice(KEYS)] = chance.choice(JUNK)
        case _:
            holder[key] = json.loads(json.dumps(other[name]))
    return copy


@pytest.mark.parametrize("seed", range(8))
def test_no_change_of_a_valid_definition_makes_the_check_fall_over(seed: int) -> None:
    chance = random.Random(seed)
    definitions = list(VALID.values())
    for _ in range(400):
        definition: Any = chance.choice(definitions)
        for _ in range(chance.randrange(1, 4)):
            definition = changed(definition, chance)
            if not isinstance(definition, dict) or not definition:
                break
        findings = check(definition)
        assert all(isinstance(found, Diagnostic) for found in findings)
        assert [str(found) for found in check(json.dumps(definition))] == [str(found) for found in findings]
