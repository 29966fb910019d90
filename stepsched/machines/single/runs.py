"""The states of a run: of one target, or of several targets in parallel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stepsched.asl.budget import way_through
from stepsched.asl.rules import condition
from stepsched.asl.states import Choice, Flow, Parallel, Pass, State
from stepsched.machines.retries import Names, Work, attempts


class Cost(NamedTuple):
    """The cost of a sequence of states."""

    events: int = 0
    """The number of events that they write into the history."""
    transitions: int = 0
    """The number of transitions that are billed."""

    def plus(self, other: Cost, times: int = 1) -> Cost:
        """The sum of this cost and ``times`` the other one."""
        return Cost(self.events + times * other.events, self.transitions + times * other.transitions)


def cost_of(states: Mapping[str, State], *names: str, retries: bool = False) -> Cost:
    """The cost of a path through states.

    Args:
        states: The states by name.
        names: The names of the states on the path, in order.
        retries: Whether all attempts of the states' retriers are counted.

    Raises:
        ValueError: A state does not lead to the next one.
    """
    turn = way_through({name: states[name].to_dict() for name in names}, *names, retries=retries)
    return Cost(turn.events, turn.transitions)


class Run(NamedTuple):
    """The states of a run, of which the first has the name ``Run``."""

    states: dict[str, State]
    usual: Cost
    """The cost of a run that succeeds at its first attempt."""
    worst: Cost
    """The cost of a run of which every attempt fails, including the notifications."""


class Exits(NamedTuple):
    """The states that follow a run, and the variables that it sets."""

    done: str
    """The name of the state after a run that succeeded."""
    given_up: str
    """The name of the state after a run that failed for good."""
    assign: dict[str, Any]
    """The variables that every run sets at its end."""
    on_failure: Cost
    """The maximum cost of the notifications of a run that failed for good."""
    counts: bool
    """Whether the machine counts ``spent``. The machine of a one-time job does not."""

    def spent(self, events: int | str) -> dict[str, Any]:
        """The assignment that adds events to ``spent``."""
        return {"spent": f"{{% $spent + {events} %}}"} if self.counts and events else {}


def single(work: Work, exits: Exits) -> Run:
    """A run of one target."""

    def states(again: int) -> dict[str, State]:
        return attempts(
            work,
            Names(),
            done={"assign": exits.assign, "output": {}, "next": exits.done},
            given_up={
                "assign": exits.assign | exits.spent(exits.on_failure.events),
                "default": exits.given_up,
            },
            on_failure=exits.spent(again),
        )

    counted = states(0)
    once = _once(counted, work, Names())
    again = _again(counted, work, Names())
    worst = once.plus(again, work.retry.max_attempts).plus(cost_of(counted, "Try again?"))
    return Run(states(again.events), once, worst.plus(exits.on_failure))


def _once(states: Mapping[str, State], work: Work, names: Names) -> Cost:
    """The cost of a run that succeeds at its first attempt."""
    if not work.batches:
        return cost_of(states, names.run)
    return cost_of(states, names.sent).plus(_batch(states, names), work.batches)


def _again(states: Mapping[str, State], work: Work, names: Names) -> Cost:
    """The cost of a further attempt."""
    asked = (names.all_sent,) if work.batches else ()
    return cost_of(states, names.retry_choice, names.pause, names.run, *asked)


def _batch(states: Mapping[str, State], names: Names) -> Cost:
    """The cost of sending a batch of messages."""
    return cost_of(states, names.run, names.all_sent)


def parallel(works: Sequence[Work], exits: Exits) -> Run:
    """A run of several targets. It ends when all have ended, and each is retried independently."""
    branches = [_branch(work, number) for number, work in enumerate(works, 1)]
    again, failed, further = Cost(), Cost(), Cost()
    for number, (work, branch) in enumerate(zip(works, branches, strict=True), 1):
        names = Names.of_part(number)
        more = _again(branch.states, work, names)
        again = max(again, more)
        failed = failed.plus(more, work.retry.max_attempts)
        failed = failed.plus(cost_of(branch.states, names.retry_choice, f"Given up {number}"))
        further = further.plus(_batch(branch.states, names), work.batches - 1) if work.batches else further
    failures = "$filter($states.input, function($r) { $exists($r.error) })"
    words = "function($f) { 'part ' & $string($f.part) & ': ' & $f.error & ': ' & $f.cause }"
    failure = {
        "error": f"{{% {failures}[0].error %}}",
        "cause": f"{{% $join($map({failures}, {words}), '; ') %}}",
        "attempts": f"{{% $max({failures}.attempts) %}}",
    }

    def states(worst: int) -> dict[str, State]:
        tried = exits.assign | exits.spent(f"{again.events} * $sum($states.input.tries)")
        done = condition(f"$count({failures}) = 0").then(
            exits.done, assign=tried, output={}, comment="all went well"
        )
        ask = Choice(
            choices=(done,),
            default=exits.given_up,
            assign=exits.assign | exits.spent(worst) | {"failure": failure},
            output={},
        )
        return {"Run": Parallel(branches=branches, next="All done?"), "All done?": ask}

    usual = cost_of(states(0), "Run", "All done?").plus(further)
    worst = usual.plus(failed).plus(exits.on_failure)
    return Run(states(worst.events), usual, worst)


def _branch(work: Work, number: int) -> Flow:
    names = Names.of_part(number)
    begin = {names.attempt: 0, **work.beginning(names)}
    states: dict[str, State] = {f"Start {number}": Pass(assign=begin, output={}, next=names.run)}
    states |= attempts(
        work,
        names,
        done={"output": {"tries": f"{{% ${names.attempt} %}}"}, "end": True},
        given_up={"default": f"Given up {number}"},
        on_failure={},
    )
    failure = {  # the failures of forty parts must fit into the output of one state
        "error": f"{{% ${names.failure}.error %}}",
        "cause": f"{{% $substring(${names.failure}.cause, 0, 500) %}}",
        "attempts": f"{{% ${names.failure}.attempts %}}",
    }
    states[f"Given up {number}"] = Pass(output={"part": number, **failure}, end=True)
    return Flow(states=states)
