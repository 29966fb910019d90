"""What one check knows while it walks: the whole walk, the machine it is in, the state it is at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepsched.asl.checks.report import Report

DEEPEST_MACHINE = 40
"""Branches and processors inside each other; AWS publishes no figure."""


class Walk:
    """One check of one definition."""

    __slots__ = ("check_machine", "document", "labels", "names", "report", "suspects")

    def __init__(
        self, document: dict[str, Any], report: Report, check_machine: Callable[..., Machine | None]
    ) -> None:
        self.document = document
        self.report = report
        self.check_machine = check_machine
        """Checks the machine of a branch or processor; handed in, since the tables of fields need it."""
        self.names: dict[str, str] = {}
        """Every state's name with the path where it stands first."""
        self.labels: dict[str, str] = {}
        self.suspects: list[tuple[str, str]] = []
        """Literals that look like a variable, with their paths."""


class Machine:
    """A machine, a branch of a Parallel, or the processor of a Map: what holds ``States``."""

    __slots__ = ("depth", "distributed", "express", "outer", "path", "start", "states", "visits")

    def __init__(
        self,
        path: str,
        states: dict[str, Any],
        outer: Machine | None,
        *,
        distributed: bool = False,
        express: bool = False,
    ) -> None:
        self.path = path
        self.states = states
        self.start: Any = None
        self.outer = outer
        self.distributed = distributed
        """Whether its executions are children of their own, which see no variables."""
        self.express = express
        self.depth: int = 0 if outer is None else outer.depth + 1
        self.visits: dict[str, Visit] = {}


class Visit:
    """One state under check. The handlers of its fields leave here what the later passes need."""

    __slots__ = ("assigned", "body", "edges", "inner", "jsonata", "machine", "name", "path", "reads",
                 "report", "rules", "walk")  # fmt: skip

    def __init__(
        self, walk: Walk, machine: Machine, name: str, path: str, body: dict[str, Any], *, jsonata: bool
    ) -> None:
        self.walk = walk
        self.report = walk.report
        self.machine = machine
        self.name = name
        self.path = path
        self.body = body
        self.jsonata = jsonata
        self.assigned: tuple[tuple[str, str], ...] = ()
        """Variables that the Assign read last sets, with the paths of their keys."""
        self.edges: list[tuple[str, tuple[tuple[str, str], ...]]] = []
        """Targets, each with the variables assigned on the way."""
        self.rules: list[tuple[Any, tuple[tuple[str, str], ...] | None]] = []
        """Targets of choice rules; None where the rule has no Assign of its own."""
        self.reads: list[tuple[frozenset[str], str, str | int, str]] = []
        """Variables that a text reads, the path of what holds it, its key, and the text."""
        self.inner: list[Machine] = []
