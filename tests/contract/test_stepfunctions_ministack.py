"""Tests the contract for Step Functions and DynamoDB, on an emulator that executes machines, in virtual time.

Not imported:

- ``events`` and ``failures``: they require ``listen`` and ``register``, which only a backend in the process
of
  the tests has.
- ``foreign``: the foreign jobs of a table are tasks of the AWS Solutions scheduler, which have separate
tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import Prepared, RunQuery
from stepsched.testing import FakeClock
from stepsched.testing.contract.bulk import *  # noqa: F403
from stepsched.testing.contract.enabling import *  # noqa: F403
from stepsched.testing.contract.exact import *  # noqa: F403
from stepsched.testing.contract.firing import *  # noqa: F403
from stepsched.testing.contract.fixtures import *  # noqa: F403
from stepsched.testing.contract.fixtures import Calls, MakeJob, Play
from stepsched.testing.contract.history import *  # noqa: F403
from stepsched.testing.contract.names import *  # noqa: F403
from stepsched.testing.contract.pausing import *  # noqa: F403
from stepsched.testing.contract.refusals import *  # noqa: F403
from stepsched.testing.contract.verbs import *  # noqa: F403
from stepsched.testing.contract.zones import *  # noqa: F403
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import Ministack


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any], clock: FakeClock) -> Stack:
    return Stack(ministack, account, aws, clock)


@pytest.fixture
def created() -> list[str]:
    """The names of the jobs in the order of their creation."""
    return []


@pytest.fixture
def backend(
    stack: Stack, created: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ss.StepFunctionsBackend]:
    backend = stack.backend()
    create = backend.create

    def noted(prepared: Prepared) -> ss.JobRecord:
        created.append(prepared.job.name)
        return create(prepared)

    monkeypatch.setattr(backend, "create", noted)
    yield backend
    backend.close()


@pytest.fixture
def run_now_within() -> timedelta:
    return timedelta(0)


@pytest.fixture
def starts_when_played() -> bool:
    return False


@pytest.fixture
def target(stack: Stack) -> ss.Target:
    return stack.inbox


@pytest.fixture
def failing(stack: Stack) -> ss.Target:
    return stack.failing()


@pytest.fixture
def twice_failing(stack: Stack) -> ss.Target:
    return stack.failing(2)


@pytest.fixture  # type: ignore[no-redef]  # in place of the suite's
def job(target: ss.Target) -> MakeJob:
    """Makes jobs as the suite does, but waits for functions: otherwise their failures are not observed."""

    def make(name: str = "job", **changes: object) -> ss.Job:
        job = ss.Job(
            name=name,
            schedule=ss.Cron("0 9 * * ? *"),
            target=target,
            input={"job": name},
            retry=ss.Retry(max_attempts=0),
        )
        waits = {"overlap": ss.Overlap.QUEUE} if isinstance(changes.get("target"), ss.LambdaTarget) else {}
        return job.replace(**changes | waits)

    return make


@pytest.fixture
def calls() -> Calls:
    return []


@pytest.fixture
def play(stack: Stack, backend: ss.StepFunctionsBackend, calls: Calls, created: list[str]) -> Play:
    """Plays time. Calls of one instant are concurrent and have no order, so they are sorted by the creation
    of their jobs."""

    seen: dict[str, list[datetime]] = {}

    def due(name: str) -> datetime:
        """The scheduled instant of the first started run of a job that is not among the calls."""
        runs = [run for run in backend.runs(RunQuery(job=name)) if run.started_at is not None]
        fresh = [run.scheduled_for for run in runs if run.scheduled_for not in seen.setdefault(name, [])]
        seen[name] += fresh[:1]
        return fresh[0] if fresh else seen[name][-1]

    def arrived(_instant: datetime) -> None:
        names = [json.loads(body)["job"] for body in stack.messages()]
        calls.extend((name, due(name)) for name in sorted(names, key=created.index))

    def play(until: datetime) -> int:
        before = len(calls)
        stack.play(until, arrived)
        return len(calls) - before

    return play


@pytest.fixture
def tolerance() -> timedelta:
    return timedelta(0)


@pytest.fixture
def many() -> int:
    return 120


def test_only_an_update_changes_how_long_the_runs_of_a_job_are_kept(stack: Stack, job: MakeJob) -> None:
    first, second = (ss.SchedulerClient(stack.backend(retention=timedelta(days=days))) for days in (3_000, 1))

    def days() -> float:
        item = stack.item("job")
        assert item is not None
        return timedelta(seconds=json.loads(item["plan"]["S"])["keep"]) / timedelta(days=1)

    first.create(job())
    second.pause("job", reason="closing")
    second.resume("job")
    assert days() == 3_000
    second.update(job(input=1))
    assert days() == 1
    ss.SchedulerClient(stack.backend()).update(job(input=2))
    assert days() == 1
