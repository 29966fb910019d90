"""A run inside the machine: of one target, or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stepsched.asl.budget import way_through
from stepsched.asl.rules import condition
from stepsched.asl.states import Choice, Flow, Parallel, Pass, State
from stepsched.machines.retries import Names, Work, attempts


class Cost(NamedTuple):
    """What states take."""

    events: int = 0
    """The events that they write into the history."""
    transitions: int = 0
    """The transitions that are billed."""

    def and_then(self, other: Cost, times: int = 1) -> Cost:
        """The cost of both, of the other one so many times."""
        return Cost(self.events + times * other.events, self.transitions + times * other.transitions)


def cost_of(states: Mapping[str, State], *names: str, retries: bool = False) -> Cost:
    """The cost of a way through states.

    Args:
        states: States by name.
        names: Those on the way, in order.
        retries: Whether the states' own retriers make all their attempts.

    Raises:
        ValueError: A state does not lead to the next one.
    """
    turn = way_through({name: states[name].to_dict() for name in names}, *names, retries=retries)
    return Cost(turn.events, turn.transitions)


class Run(NamedTuple):
    """The states of a run; the first of them is called Run."""

    states: dict[str, State]
    usual: Cost
    """What it takes when all goes well."""
    worst: Cost
    """What it takes when every attempt fails, and the notifications with it."""


class Ways(NamedTuple):
    """Where a run leads."""

    done: str
    """The state after a run."""
    given_up: str
    """The state after a run that failed for good."""
    assign: dict[str, Any]
    """What every run sets at its end."""
    on_failure: Cost
    """What the notifications of a run that failed for good take at most."""
    counts: bool
    """Whether ``spent`` is kept: not where the run is the only one."""

    def spent(self, events: int | str) -> dict[str, Any]:
        """What adds events to those that are used up."""
        return {"spent": f"{{% $spent + {events} %}}"} if self.counts and events else {}


def single(work: Work, ways: Ways) -> Run:
    """A run of one target."""

    def states(again: int) -> dict[str, State]:
        return attempts(
            work,
            Names(),
            done={"assign": ways.assign, "output": {}, "next": ways.done},
            given_up={"assign": ways.assign | ways.spent(ways.on_failure.events), "default": ways.given_up},
            on_failure=ways.spent(again),
        )

    counted = states(0)
    once = cost_of(counted, "Run")
    again = cost_of(counted, "Try again?", "Pause", "Run")
    worst = once.and_then(again, work.retry.max_attempts).and_then(cost_of(counted, "Try again?"))
    return Run(states(again.events), once, worst.and_then(ways.on_failure))


def parallel(works: Sequence[Work], ways: Ways) -> Run:
    """A run of several targets: it ends when all have ended, and each is tried again on its own."""
    branches = [_branch(work, number) for number, work in enumerate(works, 1)]
    again, failed = Cost(), Cost()
    for number, (work, branch) in enumerate(zip(works, branches, strict=True), 1):
        ask = f"Try again {number}?"
        more = cost_of(branch.states, ask, f"Pause {number}", f"Run {number}")
        again = max(again, more)
        failed = failed.and_then(more, work.retry.max_attempts)
        failed = failed.and_then(cost_of(branch.states, ask, f"Given up {number}"))
    failures = "$filter($states.input, function($r) { $exists($r.error) })"
    words = "function($f) { 'part ' & $string($f.part) & ': ' & $f.error & ': ' & $f.cause }"
    failure = {
        "error": f"{{% {failures}[0].error %}}",
        "cause": f"{{% $join($map({failures}, {words}), '; ') %}}",
        "attempts": f"{{% $max({failures}.attempts) %}}",
    }

    def states(worst: int) -> dict[str, State]:
        tried = ways.assign | ways.spent(f"{again.events} * $sum($states.input.tries)")
        done = condition(f"$count({failures}) = 0").then(
            ways.done, assign=tried, output={}, comment="all went well"
        )
        ask = Choice(
            choices=(done,),
            default=ways.given_up,
            assign=ways.assign | ways.spent(worst) | {"failure": failure},
            output={},
        )
        return {"Run": Parallel(branches=branches, next="All done?"), "All done?": ask}

    usual = cost_of(states(0), "Run", "All done?")
    worst = usual.and_then(failed).and_then(ways.on_failure)
    return Run(states(worst.events), usual, worst)


def _branch(work: Work, number: int) -> Flow:
    names = Names(
        f"Run {number}", f"Try again {number}?", f"Pause {number}", f"tries_{number}", f"fault_{number}"
    )
    states: dict[str, State] = {f"Start {number}": Pass(assign={names.attempt: 0}, output={}, next=names.run)}
    states |= attempts(
        work,
        names,
        done={"output": {"tries": f"{{% ${names.attempt} %}}"}, "end": True},
        given_up={"default": f"Given up {number}"},
        on_failure={},
    )
    told = {  # forty of them must fit into one state
        "error": f"{{% ${names.failure}.error %}}",
        "cause": f"{{% $substring(${names.failure}.cause, 0, 500) %}}",
        "attempts": f"{{% ${names.failure}.attempts %}}",
    }
    states[f"Given up {number}"] = Pass(output={"part": number, **told}, end=True)
    return Flow(states=states)
