"""The history of the runner's executions: the states by which it is read, and the number of its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from stepsched.asl.budget import way_through
from stepsched.asl.states import State
from stepsched.machines.renewal import renewal_events

CLAIMING = ("Fence", "Claim")
"""The states that claim a run."""
RECORDING = ("Record", "Record run only", "Record skipped")
"""The states that record the end of a run."""
ROUTE = "Route"
"""The state that selects the call of the job's target."""
GIVEN_UP = "Given up"
"""The state that a run enters when it has no attempt left."""
COUNT_FAILURE = "Count failure"
"""The state that writes a metric when a run has no attempt left. Not every runner has it."""
EVENTS_OF_A_RETRY = 3
"""The events of a failed attempt of a task: it is scheduled, started, and fails."""


class Events(NamedTuple):
    """The numbers of events that the parts of an execution write into its history."""

    start: int = 0
    """The start of the execution, up to the first run."""
    run: int = 0
    """A scheduled run, from its planning to the record of its end."""
    retry: int = 0
    """A further attempt of a run."""
    notification: int = 0
    """The notifications of a run that failed for good, with all retries."""
    lost_claim: int = 0
    """A lost claim: the record of the run only, and reading whether the execution is still current."""
    busy: int = 0
    """One wait for another run of the job."""
    skipped_taken: int = 0
    """Skipping an unscheduled run that another execution has taken."""
    renewal: int = 0
    """The hand-over to the successor, with all retries."""


NOT_COUNTED = Events()


class Transitions(NamedTuple):
    """The numbers of state transitions of the parts of an execution, if nothing fails in them."""

    start: int
    """The start of the execution, up to its first planning."""
    run: int
    """A scheduled run, from its planning to the record of its end."""
    retry: int
    """A further attempt of a run."""
    failure: int
    """The end of a run that failed for good, without its notifications."""
    notification: int
    """A dead letter, or a message to a topic."""
    renewal: int
    """The hand-over to the successor, up to its first planning."""
    rest: int
    """The sleep before a hand-over that comes because the next run is far ahead."""
    end: int
    """The end of a job that has no run left."""


def count(states: Mapping[str, State], calls: Iterable[str]) -> Events:
    """The events of a runner, counted from its states.

    Args:
        states: The states by name.
        calls: The names of the states that call a target. The maximum of their events counts for each.

    Raises:
        ValueError: A state is missing, or does not lead to the expected next state.
    """
    definitions = {name: state.to_dict() for name, state in states.items()}
    if missing := {*CLAIMING, *RECORDING, GIVEN_UP} - definitions.keys():
        raise ValueError(f"the runner has no states {', '.join(sorted(missing))}")

    def along(*names: str, retries: bool = False) -> int:
        return way_through(definitions, *names, retries=retries).events

    call = max(calls, key=along)
    (lost_claim, *_) = definitions["Claim"]["Retry"]
    return Events(
        start=1 + along("Load", "Mine?", "Take"),
        run=along("Plan", "More?", "Sleep", "Fence", "Route", call, "Record"),
        retry=along("Try again?", "Pause", "Route", call),
        notification=along(
            GIVEN_UP,
            *(name for name in (COUNT_FAILURE,) if name in definitions),
            *("Letter?", "Dead letter", "Notice?", "Notify"),
            retries=True,
        ),
        lost_claim=along("Record run only", "Release", "Read job", "Claim lost?"),
        busy=along("Fence", "Read job", "Claim lost?", "Busy", "More?", "Sleep"),
        # The events of reading the job are counted by the state that reads it.
        skipped_taken=along("Claim", "Read run")
        + along("Skip taken run", "Plan")
        + EVENTS_OF_A_RETRY * lost_claim["MaxAttempts"],
        renewal=renewal_events(),
    )


def count_transitions(states: Mapping[str, State], calls: Iterable[str]) -> Transitions:
    """The state transitions of a runner, counted from its states.

    Args:
        states: The states by name.
        calls: The names of the states that call a target.

    Raises:
        ValueError: A state does not lead to the expected next state.
    """
    definitions = {name: state.to_dict() for name, state in states.items()}

    def along(*names: str) -> int:
        return way_through(definitions, *names).transitions

    call = next(iter(calls))
    start = along("Load", "Mine?", "Take")
    return Transitions(
        start=start,
        run=along("Plan", "More?", "Sleep", "Fence", ROUTE, call, "Record"),
        retry=along("Try again?", "Pause", ROUTE, call),
        failure=along("Try again?", GIVEN_UP, "Letter?", "Notice?"),
        notification=along("Notify"),
        renewal=along("Plan", "More?", "Renew", "Renewed") + start,
        rest=along("Rest"),
        end=along("Plan", "More?", "Ended", "Done"),
    )
