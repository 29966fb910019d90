"""What each backend can do, declared once.

A refusal names the backends that have what another one lacks, the contract suite proves each declaration, and
the table in ``docs/guide.md`` shows them all. No backend is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a backend can do. What it cannot do it refuses by name, with what would work instead.

    A capability that is named like a field of :class:`Job` says whether that field may have a value other
    than its default.

    Raises:
        TypeError: A capability is neither True nor False.
    """

    functions: bool = True
    """Calls functions and runs commands of this process."""
    urls: bool = True
    """Calls URLs (``HttpTarget``)."""
    aws_targets: bool = True
    """Invokes targets in AWS by itself, without a registered function that stands for them."""
    templates: bool = True
    """Accepts targets in the form of EventBridge Scheduler (``TemplateTarget``)."""
    parallel: bool = True
    """Invokes several targets in one run (``ParallelTarget``)."""
    many_messages: bool = True
    """Sends more than ten messages in one run (``FanOutTarget``)."""
    calendar: bool = True
    """Runs calendar steps that no cron expression describes, such as every five months."""
    seconds: bool = True
    """Runs steps that are not of whole minutes, such as ``Frequency(seconds=10)``."""
    crontab: bool = True
    """Runs crontab lines in which a day may fit either of the two day fields."""
    fractions: bool = True
    """Keeps fractions of a second, such as in the start of a rate or in ``max_age``."""
    short_jitter: bool = True
    """Accepts a ``jitter`` that is not of whole minutes."""
    overlap: bool = True
    """Skips or queues a run that comes due while an earlier one goes on."""
    catch_up: bool = True
    """Leaves out runs that came due while nothing was there to start them."""
    catch_up_within: bool = True
    """Leaves out a run that could not begin in time."""
    max_run_time: bool = True
    """Limits how long an attempt may take."""
    every_end: bool = True
    """Observes the end of every target, even a pipeline's, for ``overlap`` and ``max_run_time``."""
    pauses: bool = True
    """Keeps to the pauses of ``Retry``, and tries again after more than 24 hours (``max_age``)."""
    notify: bool = True
    """Notifies a topic of runs that failed for good."""
    on_failure: bool = True
    """Pauses a job when one of its runs has failed for good (``OnFailure.STOP``)."""
    keeps_runs: bool = True
    """Records runs: they can be listed, waited for, and backfilled without running twice."""
    keeps_events: bool = True
    """Records events of jobs and runs in order, for readers that go on where they stopped (``events``)."""
    keeps_versions: bool = True
    """Keeps earlier definitions of a job (``versions``)."""
    stops_runs: bool = True
    """Stops a run that goes on (``stop_run=True``)."""
    moves_groups: bool = True
    """Moves a job to another group by ``update``."""
    unique_names: bool = True
    """Keeps names unique across groups."""
    any_name: bool = True
    """Accepts every name of a job, not only those of 1 to 64 of ``A-Z a-z 0-9 - _ .``."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not isinstance(value, bool):
                raise TypeError(f"expected True or False for {each.name}, got {value!r}")

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the capabilities that the backend does not have."""
        return tuple(field.name for field in fields(self) if not getattr(self, field.name))


NAMES: Mapping[str, str] = {
    "EventBridgeBackend": "eventbridge",
    "StepFunctionsBackend": "stepfunctions",
    "LocalBackend": "local",
}
"""The name of each backend in errors, by its class."""
BUILT_IN: Mapping[str, Capabilities] = {
    "EventBridgeBackend": Capabilities(
        functions=False,
        urls=False,
        parallel=False,
        many_messages=False,
        calendar=False,
        seconds=False,
        crontab=False,
        fractions=False,
        short_jitter=False,
        overlap=False,
        catch_up=False,
        catch_up_within=False,
        max_run_time=False,
        every_end=False,
        pauses=False,
        notify=False,
        on_failure=False,
        keeps_runs=False,
        keeps_events=False,
        keeps_versions=False,
        stops_runs=False,
        moves_groups=False,
        unique_names=False,
        any_name=False,
    ),
    "StepFunctionsBackend": Capabilities(
        functions=False,
        templates=False,
        parallel=False,
        fractions=False,
        keeps_events=False,
        catch_up_within=False,
        every_end=False,
    ),
    "LocalBackend": Capabilities(aws_targets=False, stops_runs=False),
}
"""The backends of this package by the names of their classes, in the order in which refusals name them."""


def backends_with(*needed: str) -> tuple[str, ...]:
    """The names of the backends of this package that have all the needed capabilities."""
    return tuple(
        name for name, can in BUILT_IN.items() if all(getattr(can, capability) for capability in needed)
    )
