"""The commands about runs on Step Functions, in a stack of an emulator that executes machines.

The jobs are paused, for the emulator does not wait for the instants of a schedule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.clock import SystemClock
from tests.contract.test_deploy_ministack import Stack
from tests.parts.ministack import REGION, Ministack
from tests.sessions import new_session
from tests.unit.cli.conftest import CommandLine, Done, stepsched

__all__ = ["stepsched"]


@pytest.fixture
def line(
    stepsched: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    ministack: Ministack,
    account: str,
    aws: Callable[[str], Any],
) -> Iterator[Callable[..., Done]]:
    """A command line in an account with the stack ``jobs``, and the jobs ``good`` and ``bad``."""
    stack = Stack(aws)
    for key, value in (
        ("ACCESS_KEY_ID", account),
        ("SECRET_ACCESS_KEY", "test"),
        ("DEFAULT_REGION", REGION),
        ("ENDPOINT_URL", ministack.endpoint_url),
    ):
        monkeypatch.setenv(f"AWS_{key}", value)
    monkeypatch.setenv("STEPSCHED_BACKEND", "stack:jobs")
    session = new_session(aws_access_key_id=account, aws_secret_access_key="test", region_name=REGION)
    given: dict[str, Any] = {"session": session, "endpoint_url": ministack.endpoint_url}
    yearly, once = ss.Cron("0 9 1 1 ? *", timezone="Europe/Paris"), ss.Retry(max_attempts=0)
    with ss.StepFunctionsBackend.from_stack("jobs", **given) as backend:
        client = ss.SchedulerClient(backend)
        for name, target in zip(("good", "bad"), stack.targets, strict=True):
            client.create(ss.Job(name=name, schedule=yearly, target=target, retry=once, enabled=False))

        def call(*arguments: str, **options: Any) -> Done:
            return stepsched(*arguments, clock=SystemClock(), **options)

        yield call
        for name in ("good", "bad"):
            client.cancel(name)
    stack.cloudformation.delete_stack(StackName="jobs")


def test_runs_are_awaited_listed_told_and_redriven(line: Callable[..., Done]) -> None:
    done = line("run-now", "good", "--wait", "--timeout", "1m")
    assert (done.code, done.document["status"]) == (0, "succeeded"), done.err
    good = done.document["id"]
    failed = line("run-now", "bad", "--wait", "--timeout", "1m")  # of a machine that is not there
    assert (failed.code, failed.document["status"]) == (8, "failed"), failed.err
    assert failed.err.splitlines()[-1].startswith(f"error: run {failed.document['id']} of job 'bad' failed: ")

    assert line("runs", "-o", "name").out.split() == [str(good), str(failed.document["id"])]
    assert line("wait", "good").code == 0
    assert line("wait", "good", "--run", str(good), "-o", "name").out == f"{good}\n"
    assert line("wait", "good", "--run", "1").code == 3
    told = [json.loads(text) for text in line("logs").out.splitlines()]
    assert [(each["job"], each["kind"]) for each in told] == [
        ("good", "started"),
        ("good", "succeeded"),
        ("bad", "started"),
        ("bad", "failed"),
    ]

    (letter,) = line("dead-letters").document
    assert letter["id"] == failed.document["id"]
    again = line("redrive", "bad", "--all").document
    assert [run["status"] for run in again] == ["pending"]
    assert line("wait", "bad", "--run", str(letter["id"]), "--timeout", "1m").code == 8
    assert line("repair").document == []


def test_what_happens_is_followed(line: Callable[..., Done]) -> None:
    def pauses() -> Iterator[None]:
        assert line("run-now", "good", "--wait", "--timeout", "1m").code == 0
        yield
        yield

    steps = pauses()

    def pause(seconds: float) -> None:
        assert seconds == 5  # of a service, whose reads cost money
        if next(steps, steps) is steps:
            raise KeyboardInterrupt

    done = line("logs", "--follow", pause=pause)
    assert done.code == 130
    told = [json.loads(text) for text in done.out.splitlines() if text.startswith('{"at"')]
    assert [each["kind"] for each in told] == ["started", "succeeded"]


def test_history_and_future_of_a_job(line: Callable[..., Done]) -> None:
    assert line("versions", "good").document == []
    found = line("backfill", "good", "--since", "2024-01-01T00:00Z", "--until", "2025-06-01T00:00Z").document
    assert [run["scheduled_for"] for run in found] == [
        "2024-01-01T09:00:00+01:00",
        "2025-01-01T09:00:00+01:00",
    ]
    assert line("upcoming", "--limit", "4").document == []
    assert line("upcoming", "good", terminal=True).out == "job good is paused\n"
    assert line("runs", "nope").code == 3
