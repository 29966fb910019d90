"""The history of the runner's executions: which states tell what in it, and how many events are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from stepsched.asl.budget import way_through
from stepsched.asl.states import State
from stepsched.machines.renewal import renewal_events

CLAIMING = ("Fence", "Claim")
"""The states that claim a run for the execution."""
RECORDING = ("Record", "Record run only", "Record skipped")
"""The states that write the end of a run into its row."""
ROUTE = "Route"
"""The state that leads to the call of the job's target."""
GIVEN_UP = "Given up"
"""The state of a run that has no attempt left."""
EVENTS_OF_A_RETRY = 3
"""A task is scheduled, started, and fails."""


class Events(NamedTuple):
    """How many events are written by what an execution does."""

    start: int = 0
    """Its start, up to the first run."""
    run: int = 0
    """A scheduled run, from the planning to the record of its end."""
    retry: int = 0
    """A further attempt of a run."""
    notification: int = 0
    """Giving up, and telling a queue and a topic of it, with all retries."""
    lost_claim: int = 0
    """Recording the end of a run alone, and looking whether the execution is still wanted."""
    busy: int = 0
    """Waiting for another run of the job."""
    skipped_taken: int = 0
    """Passing over an unscheduled run that another execution has taken."""
    renewal: int = 0
    """Handing over to the next execution, with all retries."""


NOT_COUNTED = Events()


def count(states: Mapping[str, State], calls: Iterable[str]) -> Events:
    """The events of a runner, by its states.

    Args:
        states: States by name.
        calls: The states that call a target. The one that writes the most events counts for all.

    Raises:
        ValueError: A state is missing, or does not lead to the next one on its way.
    """
    written = {name: state.to_dict() for name, state in states.items()}
    if missing := {*CLAIMING, *RECORDING, GIVEN_UP} - written.keys():
        raise ValueError(f"the runner has no states {', '.join(sorted(missing))}")

    def along(*names: str, retries: bool = False) -> int:
        return way_through(written, *names, retries=retries).events

    call = max(calls, key=along)
    (lost_claim, *_) = written["Claim"]["Retry"]
    return Events(
        start=1 + along("Load", "Mine?", "Take"),
        run=along("Plan", "More?", "Sleep", "Fence", "Route", call, "Record"),
        retry=along("Try again?", "Pause", "Route", call),
        notification=along(GIVEN_UP, "Letter?", "Dead letter", "Notice?", "Notify", retries=True),
        lost_claim=along("Record run only", "Release", "Read job", "Claim lost?"),
        busy=along("Fence", "Read job", "Claim lost?", "Busy", "More?", "Sleep"),
        # Reading the job again is counted where it is read.
        skipped_taken=along("Claim", "Read run")
        + along("Skip taken run", "Plan")
        + EVENTS_OF_A_RETRY * lost_claim["MaxAttempts"],
        renewal=renewal_events(),
    )
