"""The state of a check during its walk: the whole walk, the present machine, the present state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepsched.asl.checks.report import Report

DEEPEST_MACHINE = 40
"""The maximum nesting of branches and processors; AWS publishes no limit."""


class Walk:
    """One check of one definition."""

    __slots__ = ("check_machine", "document", "labels", "names", "report", "suspects")

    def __init__(
        self, document: dict[str, Any], report: Report, check_machine: Callable[..., Machine | None]
    ) -> None:
        self.document = document
        self.report = report
        self.check_machine = check_machine
        """The function that checks the machine of a branch or processor; an argument, since the tables of
        fields need it."""
        self.names: dict[str, str] = {}
        """The names of all states with the path of the first state of each name."""
        self.labels: dict[str, str] = {}
        self.suspects: list[tuple[str, str]] = []
        """The literals that look like a variable, with their paths."""


class Machine:
    """A machine, a branch of a Parallel, or the processor of a Map: an object with ``States``."""

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
        """Whether it runs in separate child executions, which do not see the variables of the outer scope."""
        self.express = express
        """Whether it runs as an Express execution."""
        self.depth: int = 0 if outer is None else outer.depth + 1
        self.visits: dict[str, Visit] = {}

    @property
    def express_name(self) -> str:
        """What is Express: the whole machine, or the children of a distributed Map."""
        whole: Machine = self
        while whole.outer is not None:
            whole = whole.outer
        return "an EXPRESS state machine" if whole.express else "EXPRESS children of a distributed Map"


class Visit:
    """The check of one state. The handlers of its fields store the data for later passes here."""

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
        """The variables of the last read Assign, with the paths of their keys."""
        self.edges: list[tuple[str, tuple[tuple[str, str], ...]]] = []
        """The targets of transitions, each with the variables that are assigned on the way."""
        self.rules: list[tuple[Any, tuple[tuple[str, str], ...] | None]] = []
        """The targets of choice rules with their variables. None: the rule has no Assign."""
        self.reads: list[tuple[frozenset[str], str, str | int, str]] = []
        """The variables that a string reads, the path of its object, its key, and the string."""
        self.inner: list[Machine] = []
