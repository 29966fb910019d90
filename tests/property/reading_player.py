"""Plays the states that read a schedule, many schedules side by side, by the reference engine."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeAlias

from stepsched.machines.shared.schedule_reading import READ_SCHEDULE, reading_states
from tests.parts.jsonata_engine import UNDEFINED, JsonataEngine

STATES = {name: state.to_dict() for name, state in reading_states(next="Next", refused="Refused").items()}
_AT_ONCE = 400
_Asked: TypeAlias = tuple[str, dict[str, Any]]
_Play: TypeAlias = Generator[_Asked, Any, Any]


def read_schedules(engine: JsonataEngine, cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The variables at the end of each case, without those that it began with; ``end`` is where it ended.

    Args:
        engine: The engine.
        cases: The variables ``schedule``, ``timezone`` and ``zone``.
    """
    found = list[dict[str, Any]]()
    for start in range(0, len(cases), _AT_ONCE):
        found += _side_by_side(engine, [_play(case) for case in cases[start : start + _AT_ONCE]])
    return found


def _side_by_side(engine: JsonataEngine, plays: list[_Play]) -> list[dict[str, Any]]:
    ended: dict[int, dict[str, Any]] = {}
    asked = {number: next(play) for number, play in enumerate(plays)}
    while asked:
        answers = engine.evaluate_many(asked.values())
        following: dict[int, _Asked] = {}
        for number, answer in zip(asked, answers, strict=True):
            assert not isinstance(answer, Exception), (answer, *asked[number])
            assert answer is not UNDEFINED, asked[number]
            try:
                following[number] = plays[number].send(answer)
            except StopIteration as end:
                ended[number] = end.value
        asked = following
    return [ended[number] for number in range(len(plays))]


def _play(case: Mapping[str, Any]) -> _Play:
    """One execution. The expressions of a state see the variables as they were when it was entered."""
    variables, name = dict(case), READ_SCHEDULE
    while name in STATES:
        state = STATES[name]
        if state["Type"] == "Pass":
            chosen = state
        else:
            for rule in state["Choices"]:
                if (yield _code(rule["Condition"]), variables) is True:
                    chosen = rule
                    break
            else:
                chosen = {"Next": state["Default"]}
        assigned = yield from _filled(chosen.get("Assign", {}), variables)
        variables = {**variables, **assigned}
        name = chosen["Next"]
    return {key: value for key, value in variables.items() if key not in case} | {"end": name}


def _filled(value: Any, variables: dict[str, Any]) -> _Play:
    """A template in which the values of the expressions stand."""
    if isinstance(value, dict):
        filled = {}
        for key, each in value.items():
            filled[key] = yield from _filled(each, variables)
        return filled
    if isinstance(value, str) and value.startswith("{%"):
        return (yield _code(value), variables)
    return value


def _code(expression: str) -> str:
    return expression[2:-2]
