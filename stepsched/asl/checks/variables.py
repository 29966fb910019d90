"""Checks workflow variables: their names, where they may be assigned, and whether they can have a value.

The last one is a may-analysis: a variable counts as assigned if *some* path from the start assigns it, so
every finding is certain. https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
"""

from __future__ import annotations

import re
from typing import Any

from stepsched.asl.checks.report import Report, listed, shown
from stepsched.asl.checks.shapes import Handler
from stepsched.asl.checks.templates import check_payload, check_template
from stepsched.asl.checks.visits import Machine, Visit

LONGEST_NAME = 80

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


# -- Assign -------------------------------------------------------------------------------------------


def assign(allowed: frozenset[str] | None) -> Handler:
    """Returns a handler for Assign.

    Args:
        allowed: The fields of ``$states`` that it may read; None for JSONPath.
    """

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        where = f"{path}/{key}"
        if type(value) is not dict:
            visit.report.error(where, f"{key} is {shown(value)}; expected an object of variables")
            return
        if allowed is None:
            check_payload(visit, path, key, value)
        else:
            for name, item in value.items():
                check_template(visit, where, name, item, allowed)
        names: list[tuple[str, str]] = []
        for name in value:
            variable = name[:-2] if allowed is None and name[-2:] == ".$" else name
            fault = None if _PLAIN_NAME.fullmatch(variable) and len(variable) <= 20 else _name_fault(variable)
            if variable == "states":
                visit.report.error(f"{where}/{name}", "'states' is reserved", "RESERVED_VARIABLE_NAME")
            elif fault:
                visit.report.error(f"{where}/{name}", fault, "INVALID_VARIABLE_NAME")
            names.append((variable, f"{where}/{name}"))
        visit.assigned = tuple(names)

    return handle


def _name_fault(name: str) -> str | None:
    if len(name) > LONGEST_NAME:
        return f"a variable's name has at most {LONGEST_NAME} characters; {shown(name)} has {len(name)}"
    if name.isidentifier():
        return None
    if not name:
        return "a variable's name is empty"
    cure = ""
    if name.startswith("$") and name[1:].isidentifier():
        cure = f"; write {name[1:]!r}, the '$' is for reading it"
    elif "." in name or "[" in name:
        cure = "; a variable is assigned as a whole, never a part of it"
    return (
        f"{shown(name)} is no name for a variable: letters, digits and '_', not beginning with a digit{cure}"
    )


# -- Scopes -------------------------------------------------------------------------------------------


def check_variables(machine: Machine, report: Report) -> frozenset[str]:
    """Checks a machine and everything inside it; returns all names that are assigned anywhere."""
    everything: set[str] = set()
    machines = _all_machines(machine)
    scopes = {id(each): _scope(each) for each in machines}
    for names in scopes.values():
        everything.update(names)
    for each in machines:
        _check_shadowing(each, scopes, report)
    if any(visit.reads for each in machines for visit in each.visits.values()):
        _check_reads(machine, scopes, report)
    return frozenset(everything)


def _all_machines(machine: Machine) -> list[Machine]:
    machines = [machine]
    for each in machines:
        for visit in each.visits.values():
            machines.extend(visit.inner)
    return machines


def _scope(machine: Machine) -> dict[str, str]:
    """Returns the variables of one scope with the place of their first assignment."""
    names: dict[str, str] = {}
    for visit in machine.visits.values():
        for variable, where in visit.assigned:
            names.setdefault(variable, where)
        for _, assigned in visit.edges:
            for variable, where in assigned:
                names.setdefault(variable, where)
    return names


def _check_shadowing(machine: Machine, scopes: dict[int, dict[str, str]], report: Report) -> None:
    """Checks that an inner scope does not assign variables of an outer one; the children of a distributed Map
    are separate scopes."""
    outer = None if machine.distributed else machine.outer
    while outer is not None:
        names = scopes[id(outer)]
        for variable, where in scopes[id(machine)].items():
            if variable in names:
                report.error(
                    where,
                    f"the variable {variable!r} belongs to the outer scope (assigned at {names[variable]}) "
                    "and can only be read here; choose another name",
                )
        outer = None if outer.distributed else outer.outer


_Known = dict[str, frozenset[str]]
_NOTHING: frozenset[str] = frozenset()
_STRICT = re.compile(r"(?!.*\b(?:and|or|in)\b)[$\w\s.+*/<>-]+")
"""Paths, arithmetic and comparisons: without a value they have no result."""


def _check_reads(machine: Machine, scopes: dict[int, dict[str, str]], report: Report) -> None:
    todo = [(machine, _NOTHING, _NOTHING)]
    while todo:
        each, possible, certain = todo.pop()
        may, must = _at_entry(each, possible), _on_all_paths(each, certain)
        for name, visit in each.visits.items():
            if name not in may:
                # Unreachable states cannot be judged: every variable of the scopes counts as assigned.
                everything = _visible(each, scopes)
                _check_visit(visit, everything, everything, each, everything, scopes, report)
                todo.extend((inner, everything, everything) for inner in visit.inner)
                continue
            if visit.reads:
                _check_visit(visit, may[name], must[name], each, possible, scopes, report)
            for inner in visit.inner:
                seen = (_NOTHING, _NOTHING) if inner.distributed else (may[name], must[name])
                todo.append((inner, *seen))


def _check_visit(
    visit: Visit,
    may: frozenset[str],
    must: frozenset[str],
    machine: Machine,
    entry: frozenset[str],
    scopes: dict[int, dict[str, str]],
    report: Report,
) -> None:
    first: _Known | None = None
    for variables, path, key, text in visit.reads:
        if variables <= must:
            continue
        where = f"{path}/{key}"
        if not variables <= may:
            _report_unassigned(visit, variables - may, where, scopes, report)
            continue
        if not _needs_values(visit, key, text):
            continue
        # A loop may assign a value later, but it must have one the first time.
        if first is None:
            first = _at_entry(machine, entry, without=visit.name)
        if not variables <= first.get(visit.name, variables):
            _report_unassigned(visit, variables - first[visit.name], where, scopes, report)


def _needs_values(visit: Visit, key: str | int, text: str) -> bool:
    """Returns whether a string certainly fails if one of its variables has no value.

    Functions such as ``$exists`` and ``$append`` may handle that; so may ``?`` and ``=``, and a choice rule
    with ``IsPresent``.
    """
    return bool(_STRICT.fullmatch(text[2:-2])) if visit.jsonata else key != "Variable"


def _at_entry(machine: Machine, entry: frozenset[str], *, without: str | None = None) -> _Known:
    """Returns, for each reachable state, the variables that can have a value when it is entered.

    Args:
        without: A state whose transitions are not followed, to find how it is entered for the first time.
    """
    if not isinstance(machine.start, str) or machine.start not in machine.visits:
        return {}
    known = {machine.start: entry}
    todo = [machine.start]
    while todo:
        name = todo.pop()
        if name == without:
            continue
        here = known[name]
        for target, assigned in machine.visits[name].edges:
            if target not in machine.visits:
                continue
            there = here.union(variable for variable, _ in assigned) if assigned else here
            before = known.get(target)
            if before is None:
                known[target] = there
            elif there <= before:
                continue
            else:
                known[target] = before | there
            todo.append(target)
    return known


def _on_all_paths(machine: Machine, entry: frozenset[str]) -> _Known:
    """Returns, for each reachable state, the variables that have a value on all paths to it."""
    if not isinstance(machine.start, str) or machine.start not in machine.visits:
        return {}
    known = {machine.start: entry}
    todo = [machine.start]
    while todo:
        name = todo.pop()
        here = known[name]
        for target, assigned in machine.visits[name].edges:
            if target not in machine.visits:
                continue
            there = here.union(variable for variable, _ in assigned) if assigned else here
            before = known.get(target)
            if before is None:
                known[target] = there
            elif before <= there:
                continue
            else:
                known[target] = before & there
            todo.append(target)
    return known


def _visible(machine: Machine, scopes: dict[int, dict[str, str]]) -> frozenset[str]:
    """Returns all names that this scope or an outer one assigns."""
    names: set[str] = set()
    scope: Machine | None = machine
    while scope is not None:
        names.update(scopes[id(scope)])
        scope = None if scope.distributed else scope.outer
    return frozenset(names)


def _report_unassigned(
    visit: Visit,
    variables: frozenset[str],
    where: str,
    scopes: dict[int, dict[str, str]],
    report: Report,
) -> None:
    visible = _visible(visit.machine, scopes)
    code = "UNSUPPORTED_JSONATA_EXPRESSION" if visit.jsonata else "SCHEMA_VALIDATION_FAILED"
    for variable in sorted(variables):
        elsewhere = [names[variable] for names in scopes.values() if variable in names]
        if variable in visible:
            reason = (
                f"the variable ${variable} has no value yet: no path from the start assigns it before this "
                f"state is entered (it is assigned at {listed(elsewhere)}, and counts from the next state on)"
            )
        elif elsewhere:
            reason = (
                f"the variable ${variable} is assigned in another scope only (at {listed(elsewhere)}) and "
                "not to be seen here; pass it on as output, or as input of the items"
            )
        else:
            reason = f"the variable ${variable} is never assigned{report.hint(variable, visible)}"
        report.error(where, reason, code)
