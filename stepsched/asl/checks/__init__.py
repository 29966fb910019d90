"""Checks a definition in Amazon States Language for what AWS would refuse and what would always fail at run
time.

Each rule has one place: ``fields`` (the table: which state has which fields), ``literals`` (plain values),
``templates`` (expressions and paths), ``choices``, ``retries``, ``maps``, ``tasks``, ``graph`` (transitions),
``variables``, ``documents`` (JSON itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepsched.asl.checks.documents import read_document
from stepsched.asl.checks.fields import MACHINE
from stepsched.asl.checks.report import Report, TooDeepError
from stepsched.asl.checks.states import check_machine
from stepsched.asl.checks.templates import report_suspects
from stepsched.asl.checks.variables import check_variables
from stepsched.asl.checks.visits import Walk
from stepsched.asl.diagnostics import Diagnostic

__all__ = ["check"]


def check(definition: str | Mapping[str, Any]) -> list[Diagnostic]:
    """Returns the problems of a definition: errors and warnings in document order.

    An empty list means that there are none. It never raises, even for a broken definition.

    Args:
        definition: The definition as JSON text or as an object.

    >>> for found in check({"StartAt": "Run", "States": {"Run": {"Type": "Pass", "Next": "Rum"}}}):
    ...     print(found.code, found.path or "(the whole)")
    MISSING_END_STATE (the whole)
    MISSING_TRANSITION_TARGET /States/Run/Next
    """
    report = Report()
    document = read_document(definition, report)
    if document is None:
        return report.diagnostics(None)
    walk = Walk(document, report, check_machine)
    try:
        machine = check_machine(walk, document, "", MACHINE)
        if machine is not None:
            names = check_variables(machine, report)
            report_suspects(walk, names)
    except TooDeepError as error:
        report.error(error.path, "the definition is nested too deeply here", "TOO_DEEPLY_NESTED")
    return report.diagnostics(document)
