"""The graph of a machine: where its transitions lead, what can be reached, whether it ends."""

from __future__ import annotations

from typing import Any

from stepsched.asl.checks.report import Report, shown
from stepsched.asl.checks.visits import Machine, Visit

_MISSING = "MISSING_TRANSITION_TARGET"


def target(visit: Visit, path: str, key: str, value: Any) -> None:
    """Checks a field that names a state: Next, Default."""
    if type(value) is not str:
        visit.report.error(f"{path}/{key}", f"{key} is {shown(value)}; expected the name of a state")
    elif value not in visit.machine.states:
        report_missing(visit.walk.document, visit.machine, f"{path}/{key}", value, visit.report)


def report_missing(document: Any, machine: Machine, where: str, name: str, report: Report) -> None:
    """Reports a missing target with AWS's message, which says ``Next`` for every field."""
    if report.places is None:
        report.places = _places(document)
    place = report.places.get(name)
    if place is not None:
        side = "inside a branch" if place.startswith(machine.path) else "outside this branch"
        cure = f"; a state of that name is at {place}, {side}, where no transition can lead"
    else:
        cure = report.hint(name, machine.states)
    report.error(where, f"Missing 'Next' target: {shown(name)[1:-1]}{cure}", _MISSING)


def _places(document: Any) -> dict[str, str]:
    """Returns the path of each state in the whole definition, for the first of each name."""
    found: dict[str, str] = {}
    todo: list[tuple[Any, str]] = [(document, "")]
    while todo:
        value, path = todo.pop()
        if type(value) is dict:
            states = value.get("States")
            if type(states) is dict and "StartAt" in value:
                for name in states:
                    found.setdefault(name, f"{path}/States/{name}")
            todo.extend((item, f"{path}/{key}") for key, item in value.items() if type(item) in (dict, list))
        else:
            todo.extend(
                (item, f"{path}/{index}") for index, item in enumerate(value) if type(item) in (dict, list)
            )
    return found


def check_graph(machine: Machine, report: Report) -> None:
    """Checks that the machine can end, and that each of its states can be reached."""
    visits = machine.visits
    if not visits:
        return
    if not any(map(_is_terminal, machine.states.values())):
        report.error(
            machine.path,
            "Workflow has no terminal state: give one state 'End': true, or add a Succeed or Fail state",
            "MISSING_END_STATE",
        )
        return
    if type(machine.start) is not str or machine.start not in visits:
        return
    reached = {machine.start}
    todo = [machine.start]
    while todo:
        for name, _ in visits[todo.pop()].edges:
            if name not in reached and name in visits:
                reached.add(name)
                todo.append(name)
    if len(reached) < len(visits):
        for name, visit in visits.items():
            if name not in reached:
                report.error(
                    visit.path,
                    f'State "{name}" is not reachable. Nothing leads to it from StartAt '
                    f"{shown(machine.start)}: point a Next, Default or catcher at it, or remove it",
                    _MISSING,
                )


def _is_terminal(state: Any) -> bool:
    return type(state) is dict and (state.get("End") is True or state.get("Type") in _ENDS)


_ENDS = ("Succeed", "Fail")
