"""Plays a rendered machine on a clock of its own, as AWS documents the states, with true counts of events.

All expressions of one state see the variables as they were when it was entered. A task is answered by a
function, and takes the time that the function says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from tests.parts.jsonata_engine import UNDEFINED, JsonataEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:machine"
_NEXT_EXECUTION = "states:startExecution"


class Answer(NamedTuple):
    """How a task went."""

    takes: timedelta = timedelta(0)
    error: str | None = None
    cause: str = "because"
    retries: int = 0
    """What a retrier of the state made of it, before it was answered."""


class Called(NamedTuple):
    """One call of a target."""

    at: datetime
    state: str
    arguments: Any
    variables: Mapping[str, Any]


class Execution(NamedTuple):
    """One execution that has ended."""

    name: str
    status: str
    events: int
    lasted: timedelta
    input: Any
    output: Any


class _Failed(Exception):  # noqa: N818 -- an outcome
    pass


class Player:
    """Plays executions, one after another, until none follows or the clock has passed an instant."""

    def __init__(
        self,
        engine: JsonataEngine,
        definition: Mapping[str, Any],
        start: datetime,
        answer: Callable[[Called], Answer] = lambda _called: Answer(),
        *,
        name: str = "first",
    ) -> None:
        self.engine, self.definition, self.answer = engine, definition, answer
        self.now, self.name = start, name
        self.calls: list[Called] = []
        self.executions: list[Execution] = []
        self.accounts: list[tuple[int, int]] = []
        """At each renewal: the events that the machine has counted, and those that there are."""

    def play(self, until: datetime, given: Any = None) -> Player:
        """Runs until the clock has passed ``until``; what is in the middle of a run ends that run first."""
        following: tuple[str, Any] | None = (self.name, {} if given is None else given)
        while following is not None and self.now < until:
            following = self._execute(*following, until)
        return self

    def _execute(self, name: str, given: Any, until: datetime) -> tuple[str, Any] | None:
        began, self.events = self.now, 1
        self.successor: tuple[str, Any] | None = None
        self.variables: dict[str, Any] = {}
        self.context = {
            "Execution": {"Id": f"{_MACHINE.replace('stateMachine', 'execution')}:{name}", "Name": name},
            "StateMachine": {"Id": _MACHINE},
            "State": {},
        }
        self.context["Execution"] |= {
            "StartTime": f"{began:%Y-%m-%dT%H:%M:%S}.{began.microsecond // 1000:03d}Z"
        }
        try:
            output = self._flow(self.definition, given, until)
            status = "SUCCEEDED" if output is not UNDEFINED else "RUNNING"
        except _Failed as failed:
            output, status = failed.args, "FAILED"
        self.events += 1
        self.executions.append(Execution(name, status, self.events, self.now - began, given, output))
        return self.successor

    def _flow(self, flow: Mapping[str, Any], given: Any, until: datetime | None) -> Any:
        state = flow["StartAt"]
        while state is not None:
            if until is not None and self.now >= until:
                return UNDEFINED
            state, given = self._enter(state, flow["States"][state], given)
        return given

    def _enter(self, name: str, state: Mapping[str, Any], given: Any) -> tuple[str | None, Any]:
        states: dict[str, Any] = {"input": given, "context": self.context}
        bindings = {**self.variables, "states": states}
        if name == "Renew" and "Plan" in self.definition["States"]:
            self.accounts.append((self.variables["spent"], self.events))
        self.events += 1 if state["Type"] == "Fail" else 2
        place: Mapping[str, Any] = state
        match state["Type"]:
            case "Wait":
                if "Seconds" in state:
                    seconds = self._value(state["Seconds"], bindings)
                    assert type(seconds) is int
                    wait = timedelta(seconds=seconds)
                else:
                    wait = _instant(self._value(state["Timestamp"], bindings)) - self.now
                wait = max(wait, timedelta(0))
                self._leave(place, bindings, given)
                self.now += wait
                return place["Next"], self.output
            case "Choice":
                for rule in state["Choices"]:
                    holds = self._value(rule["Condition"], bindings)
                    assert isinstance(holds, bool)
                    if holds:
                        place = rule
                        break
            case "Fail":
                raise _Failed(*(self._value(state[key], bindings) for key in ("Error", "Cause")))
            case "Task":
                arguments = self._value(state["Arguments"], bindings)
                self.events += 4 if ".sync" in state["Resource"] else 3
                place = self._task(name, state, arguments, bindings)
            case "Parallel":
                place = self._parallel(state, given, bindings)
        self._leave(place, bindings, states.get("result", given))
        return place.get("Next", place.get("Default")), self.output

    def _leave(self, place: Mapping[str, Any], bindings: dict[str, Any], otherwise: Any) -> None:
        """Evaluates everything before anything is set."""
        assign = self._value(place.get("Assign", {}), bindings)
        self.output = self._value(place["Output"], bindings) if "Output" in place else otherwise
        self.variables = {**self.variables, **assign}

    def _task(
        self, name: str, state: Mapping[str, Any], arguments: Any, bindings: dict[str, Any]
    ) -> Mapping[str, Any]:
        if _NEXT_EXECUTION in state["Resource"] and arguments["StateMachineArn"] == _MACHINE:
            self.successor = (arguments["Name"], arguments["Input"])
            answer = self.answer(Called(self.now, name, arguments, self.variables))
            answer = answer._replace(error=None, takes=timedelta(0))
        else:
            called = Called(self.now, name, arguments, self.variables)
            self.calls.append(called)
            answer = self.answer(called)
        assert answer.retries <= sum(each.get("MaxAttempts", 3) for each in state.get("Retry", []))
        self.events += 3 * answer.retries
        self.now += answer.takes
        if answer.error is None:
            bindings["states"]["result"] = {}
            return state
        for catcher in state.get("Catch", []):
            if {answer.error, "States.ALL"} & {*catcher["ErrorEquals"]}:
                bindings["states"]["errorOutput"] = {"Error": answer.error, "Cause": answer.cause}
                return catcher  # type: ignore[no-any-return]
        raise _Failed(answer.error, answer.cause)

    def _parallel(self, state: Mapping[str, Any], given: Any, bindings: dict[str, Any]) -> Mapping[str, Any]:
        """Branches begin together, and the state ends with the last of them. Their variables are theirs."""
        outer, began, latest, results = self.variables, self.now, self.now, []
        self.events += 2
        for branch in state["Branches"]:
            self.variables, self.now = outer, began
            results.append(self._flow(branch, given, None))
            latest = max(latest, self.now)
        self.variables, self.now = outer, latest
        bindings["states"]["result"] = results
        return state

    def _value(self, value: Any, bindings: Mapping[str, Any]) -> Any:
        return evaluated(self.engine, value, bindings, self.now)


def evaluated(
    engine: JsonataEngine, value: Any, bindings: Mapping[str, Any], now: datetime | None = None
) -> Any:
    """A piece of a definition, evaluated: texts from ``{%`` to ``%}``, and nothing else."""
    match value:
        case str() if value.startswith("{%") and value.endswith("%}"):
            found = engine.evaluate(value[2:-2], bindings, now=now)
            assert found is not UNDEFINED, f"nothing: {value}"
            return found
        case str():
            assert not value.startswith("{%"), value
            assert not value.endswith("%}"), value
        case list():
            return [evaluated(engine, item, bindings, now) for item in value]
        case dict():
            return {key: evaluated(engine, item, bindings, now) for key, item in value.items()}
    return value


def _instant(text: str) -> datetime:
    """A timestamp, cut to whole seconds."""
    assert text.endswith("Z")
    return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
