"""Walks through a machine, its states, and the machines inside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepsched.asl.checks.choices import check_default
from stepsched.asl.checks.fields import STATES
from stepsched.asl.checks.graph import check_graph, report_missing
from stepsched.asl.checks.maps import check_mode
from stepsched.asl.checks.report import TooDeepError, listed, shown
from stepsched.asl.checks.shapes import Shape, check_fields
from stepsched.asl.checks.tasks import check_task
from stepsched.asl.checks.visits import DEEPEST_MACHINE, Machine, Visit, Walk

LONGEST_NAME = 80

_WHOLE_STATE: dict[str, Callable[[Visit], None]] = {
    "Task": check_task,
    "Choice": check_default,
    "Map": check_mode,
}
"""Rules between the fields of one type."""


def check_machine(
    walk: Walk,
    body: Any,
    path: str,
    shape: Shape,
    holder: Visit | None = None,
    *,
    distributed: bool = False,
    express: bool = False,
) -> Machine | None:
    """Checks a machine, a branch or a processor, and everything inside it except its variables.

    Args:
        holder: The Parallel or Map that contains it.
    """
    report = walk.report
    if type(body) is not dict:
        report.error(path, f"{shape.name} is an object with StartAt and States, not {shown(body)}")
        return None
    states = body.get("States")
    has_states = type(states) is dict and bool(states)
    machine = Machine(
        path,
        states if type(states) is dict else {},
        None if holder is None else holder.machine,
        distributed=distributed,
        # Everything inside an Express child is Express too.
        express=express or (holder is not None and holder.machine.express),
    )
    if machine.depth > DEEPEST_MACHINE:
        raise TooDeepError(path)
    if holder is not None:
        holder.inner.append(machine)
    jsonata = walk.document.get("QueryLanguage") == "JSONata"
    # The fields of the machine itself are handled like those of a state without a name.
    check_fields(Visit(walk, machine, "", path, body, jsonata=jsonata), path, body, shape)
    if "States" in body and not has_states:
        report.error(f"{path}/States", f"States is {shown(states)}; expected an object of at least one state")
    for name, state in machine.states.items():
        _check_name(walk, name, f"{path}/States/{name}")
        _check_state(walk, machine, name, state, jsonata=jsonata)
    _check_start(walk, machine, body)
    check_graph(machine, report)
    return machine


def _check_start(walk: Walk, machine: Machine, body: dict[str, Any]) -> None:
    if "StartAt" not in body:
        return
    start = machine.start = body["StartAt"]
    where = f"{machine.path}/StartAt"
    if type(start) is not str:
        walk.report.error(where, f"StartAt is {shown(start)}; expected the name of a state")
    elif machine.states and start not in machine.states:
        report_missing(walk.document, machine, where, start, walk.report)


def _check_name(walk: Walk, name: str, where: str) -> None:
    if not 1 <= len(name) <= LONGEST_NAME:
        walk.report.error(
            where,
            f"the name of a state has 1 to {LONGEST_NAME} characters; {shown(name)} has {len(name)}",
            "INVALID_STATE_NAME",
        )
    if any("\ud800" <= character <= "\udfff" for character in name):
        walk.report.error(
            where,
            f"the name {shown(name)} contains half of a surrogate pair, which UTF-8 cannot encode",
            "INVALID_STATE_NAME",
        )
    first = walk.names.setdefault(name, where)
    if first != where:
        walk.report.error(
            where,
            f"a state named {name!r} already exists at {first}; the names of states are unique in the whole "
            "machine, branches and processors included",
            "DUPLICATE_STATE_NAME",
        )


def _check_state(walk: Walk, machine: Machine, name: str, body: Any, *, jsonata: bool) -> None:
    path = f"{machine.path}/States/{name}"
    if type(body) is not dict:
        walk.report.error(path, f"a state is an object with Type, not {shown(body)}")
        body = {}
        machine.visits[name] = Visit(walk, machine, name, path, body, jsonata=jsonata)
        return
    jsonata = jsonata or body.get("QueryLanguage") == "JSONata"
    visit = machine.visits[name] = Visit(walk, machine, name, path, body, jsonata=jsonata)
    kind = body.get("Type")
    shape = STATES[jsonata].get(kind) if type(kind) is str else None
    if shape is None or type(kind) is not str:
        _report_type(visit, kind)
        _follow_unknown(visit)
        return
    check_fields(visit, path, body, shape)
    whole_state = _WHOLE_STATE.get(kind)
    if whole_state is not None:
        whole_state(visit)
    _add_edges(visit)


def _report_type(visit: Visit, kind: Any) -> None:
    names = listed(STATES[True], "or")
    if "Type" not in visit.body:
        visit.report.error(visit.path, f"a state needs the field 'Type': {names}")
    else:
        visit.report.error(
            f"{visit.path}/Type",
            f"Type is {shown(kind)}; expected {names}{visit.report.hint(kind, STATES[True])}",
        )


def _follow_unknown(visit: Visit) -> None:
    """Follows the transitions of a state of an unknown type, so that its successors are not reported as
    unreachable."""
    body = visit.body
    rules = body.get("Choices")
    catchers = body.get("Catch")
    names = [body.get("Next"), body.get("Default")]
    for entries in (rules, catchers):
        if type(entries) is list:
            names.extend(entry.get("Next") for entry in entries if type(entry) is dict)
    visit.edges.extend((name, ()) for name in names if type(name) is str)


def _add_edges(visit: Visit) -> None:
    """Adds the transitions of the state, except those of its catchers, which are added already."""
    for key in ("Next", "Default"):
        name = visit.body.get(key)
        if type(name) is str:
            visit.edges.append((name, visit.assigned))
    for name, assigned in visit.rules:
        if type(name) is str:
            visit.edges.append((name, visit.assigned if assigned is None else assigned))
