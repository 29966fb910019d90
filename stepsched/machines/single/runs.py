"""A run inside the machine: of one target, or of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from stepsched.asl.rules import condition
from stepsched.asl.states import Choice, Flow, Parallel, Pass, State
from stepsched.machines.retries import Names, Work, attempts


class Run(NamedTuple):
    """The states of a run; the first of them is called Run."""

    states: dict[str, State]
    events: int
    """What it writes into the history when all goes well."""
    worst_events: int
    """The same when every attempt fails."""
    transitions: int
    """What it costs when all goes well."""
    worst_transitions: int


class Ways(NamedTuple):
    """Where a run leads."""

    done: str
    """The state after a run."""
    given_up: str
    """The state after a run that failed for good."""
    assign: dict[str, Any]
    """What every run sets at its end."""
    spent_on_failure: int
    """Events that giving up takes at most."""
    transitions_on_failure: int
    counts: bool
    """Whether ``spent`` is kept: not where the run is the only one."""

    def spent(self, events: int | str) -> dict[str, Any]:
        """What adds events to those that are used up."""
        return {"spent": f"{{% $spent + {events} %}}"} if self.counts and events else {}


def single(work: Work, ways: Ways) -> Run:
    """A run of one target."""
    states = attempts(
        work,
        Names(),
        done={"assign": ways.assign, "output": {}, "next": ways.done},
        given_up={"assign": ways.assign | ways.spent(ways.spent_on_failure), "default": ways.given_up},
        on_failure=ways.spent(work.events_again),
    )
    return Run(
        states,
        work.events,
        work.worst_events + ways.spent_on_failure,
        1,
        work.worst_transitions + ways.transitions_on_failure,
    )


def parallel(works: Sequence[Work], ways: Ways) -> Run:
    """A run of several targets: it ends when all have ended, and each is tried again on its own."""
    branches = [_branch(work, number) for number, work in enumerate(works, 1)]
    worst = 4 + sum(2 + work.worst_events + 2 for work in works) + 2
    run = Parallel(
        branches=branches,
        next="All done?",
    )
    again = max(work.events_again for work in works)
    tried = ways.assign | ways.spent(f"{again} * $sum($states.input.tries)")
    failures = "$filter($states.input, function($r) { $exists($r.error) })"
    words = "function($f) { 'part ' & $string($f.part) & ': ' & $f.error & ': ' & $f.cause }"
    failure = {
        "error": f"{{% {failures}[0].error %}}",
        "cause": f"{{% $join($map({failures}, {words}), '; ') %}}",
        "attempts": f"{{% $max({failures}.attempts) %}}",
    }
    ask = Choice(
        choices=(
            condition(f"$count({failures}) = 0").then(
                ways.done, assign=tried, output={}, comment="all went well"
            ),
        ),
        default=ways.given_up,
        assign=ways.assign | ways.spent(worst + ways.spent_on_failure) | {"failure": failure},
        output={},
    )
    usual = 4 + sum(2 + work.events for work in works) + 2
    return Run(
        {"Run": run, "All done?": ask},
        usual,
        worst + ways.spent_on_failure,
        2 + 2 * len(works),
        2 + sum(2 + work.worst_transitions for work in works) + ways.transitions_on_failure,
    )


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
