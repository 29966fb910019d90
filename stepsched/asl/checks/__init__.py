"""Checks a definition in Amazon States Language for what AWS would refuse and what would always fail at run
time.

Each rule has one place: ``fields`` (the table: which state has which fields), ``literals`` (plain values),
``templates`` (expressions and paths), ``choices``, ``retries``, ``maps``, ``tasks``, ``graph`` (transitions),
``variables``, ``documents`` (JSON itself).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Literal

from stepsched.asl.checks.documents import read_document
from stepsched.asl.checks.fields import MACHINE
from stepsched.asl.checks.report import Report, TooDeepError
from stepsched.asl.checks.states import check_machine
from stepsched.asl.checks.templates import report_suspects
from stepsched.asl.checks.variables import check_variables
from stepsched.asl.checks.visits import Walk
from stepsched.asl.diagnostics import ERROR_CODES, Diagnostics, Doubt
from stepsched.core.quoting import quoted

__all__ = ["MachineType", "check"]


MachineType = Literal["STANDARD", "EXPRESS"]
"""The types of state machines."""

_CODES = frozenset((*ERROR_CODES, *(doubt.value for doubt in Doubt)))


def check(
    definition: str | Mapping[str, Any],
    *,
    type: MachineType = "STANDARD",  # noqa: A002 -- the name in AWS's API
    ignore: Iterable[str] = (),
) -> Diagnostics:
    """Returns the problems of a definition, errors and warnings in document order: a list, which ``print()``
    and notebooks show as a table.

    An empty list means that there are none. It never raises for a definition, however broken.

    Args:
        definition: The definition as JSON text or as an object.
        type: The type of the state machine. ``EXPRESS`` machines cannot wait for jobs, tokens or activities,
            and have no distributed Map.
            https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
        ignore: The findings to leave out: a code, such as ``NO_DEFAULT``, or a code and its place as a
            diagnostic prints them, such as ``NO_DEFAULT at /States/Large?``.

    Raises:
        ValueError: The type or a code in ``ignore`` is not known.
        TypeError: ``ignore`` is text instead of a list, or holds something else than text.

    >>> for found in check({"StartAt": "Run", "States": {"Run": {"Type": "Pass", "Next": "Rum"}}}):
    ...     print(found.code, found.path or "(the whole)")
    MISSING_END_STATE (the whole)
    MISSING_TRANSITION_TARGET /States/Run/Next
    """
    ignored = _read_ignored(ignore)
    if type not in ("STANDARD", "EXPRESS"):
        raise ValueError(f"expected the type to be 'STANDARD' or 'EXPRESS', got {type!r}")
    found = _check(definition, express=type == "EXPRESS")
    if not ignored:
        return found
    return Diagnostics(each for each in found if not ignored & {each.code, f"{each.code} at {each.path}"})


def _check(definition: str | Mapping[str, Any], *, express: bool) -> Diagnostics:
    report = Report()
    document = read_document(definition, report)
    if document is None:
        return report.diagnostics(None)
    walk = Walk(document, report, check_machine)
    try:
        machine = check_machine(walk, document, "", MACHINE, express=express)
        if machine is not None:
            names = check_variables(machine, report)
            report_suspects(walk, names)
    except TooDeepError as error:
        report.error(error.path, "the definition is nested too deeply here", "TOO_DEEPLY_NESTED")
    return report.diagnostics(document)


def _read_ignored(ignore: Iterable[str]) -> frozenset[str]:
    if isinstance(ignore, str):
        raise TypeError(f"expected ignore to be a list of codes, got {ignore!r}; use [{ignore!r}]")
    entries = frozenset(ignore)
    for entry in entries:
        if not isinstance(entry, str):
            raise TypeError(f"expected a code in ignore, got {entry!r}; use one such as 'NO_DEFAULT'")
        code, at, place = entry.partition(" at ")
        if code not in _CODES:
            near = get_close_matches(code.upper(), _CODES, n=1)
            where = at + place.partition(": ")[0]
            cure = f"use {near[0] + where!r}" if near else "use one of the codes that a check prints"
            raise ValueError(f"expected a code of a diagnostic in ignore, got {quoted(entry)}; {cure}")
    return entries
