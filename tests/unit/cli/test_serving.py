"""What ``serve`` says, without a process: its greeting, its warnings, and a line for each event."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.cli.watching import serving
from stepsched.jobs import Event, EventKind
from stepsched.testing import FakeClock
from tests.unit.cli.conftest import NOW

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"
RUN = ss.Run(id=7, job="nightly", scheduled_for=NOW, status=ss.RunStatus.RUNNING, attempt=1)


@pytest.fixture
def backend() -> Iterator[ss.LocalBackend]:
    with closing(ss.LocalBackend(clock=FakeClock(NOW))) as made:
        made.register(ss.LambdaTarget, lambda: 1)
        made.register(ss.QueueTarget, lambda: 1)
        yield made


def stored(backend: ss.LocalBackend, *jobs: ss.Job) -> list[ss.JobRecord]:
    client = ss.SchedulerClient(backend)
    client.create_many(jobs)
    return client.list()


def job(name: str, target: Any = "json:dumps", **changes: object) -> ss.Job:
    target = ss.HandlerTarget(target) if isinstance(target, str) else target
    daily = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
    return ss.Job(name=name, schedule=daily, target=target).replace(**changes)


@pytest.mark.parametrize(
    ("running", "grace", "part"),
    [
        (1, None, "waiting for a run in progress;"),
        (3, timedelta(seconds=90), "waiting for 3 runs in progress, 1 min 30 s at most;"),
    ],
)
def test_what_is_awaited_at_the_end_is_said(running: int, grace: timedelta | None, part: str) -> None:
    assert part in serving.waiting_text(running, grace)


def test_the_greeting_says_how_many_jobs_there_are_and_what_is_next(backend: ss.LocalBackend) -> None:
    assert serving.greeting("jobs.db", [], NOW) == "serving jobs.db: 0 jobs, no run is left"
    assert serving.greeting("jobs.db", [], NOW, 1) == "serving jobs.db: 0 jobs, 1 run of workflows"
    records = stored(backend, job("b", enabled=False), job("a"))
    assert serving.greeting("jobs.db", records, NOW) == (
        "serving jobs.db: 2 jobs, the next run is a at 2030-01-07 09:00 +01:00 Europe/Paris (in 2 h)"
    )
    assert serving.greeting("jobs.db", records[1:], NOW).startswith("serving jobs.db: 1 job")


def test_each_reason_why_jobs_would_wait_is_one_warning(backend: ss.LocalBackend) -> None:
    both = ss.ParallelTarget([ss.CommandTarget(["true"]), ss.HandlerTarget("math:floor")])
    records = stored(
        backend,
        job("allowed", "json.decoder:JSONDecoder.decode"),
        job("command", ss.CommandTarget(["true"])),
        job("unnamed", "math:floor"),
        job("part", both),
        job("other", "string:capwords"),
        job("remote", ss.LambdaTarget(ARN)),
        job("letters", dead_letter=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q")),
    )
    with closing(ss.LocalBackend(clock=FakeClock(NOW), handlers_from=["json"])) as here:
        unnamed, remote = serving.what_waits(here, records, ["json"])
        gone = [record for record in records if record.name == "command"]
        gone[0] = gone[0].replace(job=job("gone", "json:gone"))
        (broken,) = serving.what_waits(here, gone, ["json"])
    assert unnamed == (
        "jobs that wait, since their functions are in modules that are not named: other, part, unnamed; "
        "use --handlers-from string --handlers-from math"
    )
    assert remote.startswith("jobs that wait, since they invoke something in AWS: letters, remote; ")
    assert broken.startswith("jobs that wait: gone: json:gone cannot be imported: AttributeError")


def test_who_stored_a_private_url_is_told_the_option(backend: ss.LocalBackend) -> None:
    records = stored(backend, job("hook"))
    records[0] = records[0].replace(job=job("hook", ss.HttpTarget("http://10.0.0.3/")))
    (warning,) = serving.what_waits(backend, records, [])
    assert warning.endswith("10.0.0.3 is a private address, which is not called; use --private-host 10.0.0.3")


def test_a_warning_names_ten_jobs(backend: ss.LocalBackend) -> None:
    records = stored(backend, *(job(f"job-{number:02}") for number in range(12)))
    (text,) = serving.what_waits(backend, records, [])
    assert "job-09 and 2 more; use --handlers-from json" in text
    assert "job-10" not in text


@pytest.mark.parametrize(
    ("kind", "changes", "text"),
    [
        pytest.param("started", {}, "run 7 started (for 2030-01-07 06:00 +00:00 UTC)", id="started"),
        pytest.param(
            "started",
            {"attempt": 2},
            "run 7 started (for 2030-01-07 06:00 +00:00 UTC, attempt 2)",
            id="again",
        ),
        pytest.param("succeeded", {}, "run 7 succeeded", id="succeeded"),
        pytest.param("failed", {"error": "a\n  b"}, "run 7 failed: a b", id="failed"),
        pytest.param("dead_lettered", {}, "run 7 dead lettered", id="letter"),
        pytest.param(
            "waiting",
            {"pending_reason": "x is not among the modules of handlers_from, y", "error": "old"},
            "run 7 waiting: x is not among the modules of --handlers-from, y",
            id="waiting",
        ),
    ],
)
def test_an_event_of_a_run_is_one_line(kind: str, changes: dict[str, Any], text: str) -> None:
    at = datetime(2030, 1, 7, 6, 0, 5, 123, tzinfo=timezone.utc)
    event = Event(EventKind(kind), at, "nightly", RUN.replace(**changes))
    assert serving.event_text(event) == f"2030-01-07 06:00:05 +00:00 UTC  nightly  {text}"


def test_of_jobs_only_what_the_engine_does_is_said() -> None:
    said = {kind.value: serving.event_text(Event(kind, NOW, "nightly")) for kind in EventKind}
    assert said["paused"] == "2030-01-07 06:00:00 +00:00 UTC  nightly  paused"
    assert [kind for kind, text in said.items() if text is None] == [
        "created",
        "updated",
        "resumed",
        "cancelled",
        "due",
    ]


def test_the_log_is_said_in_lines_but_for_events() -> None:
    lines, log = list[str](), logging.getLogger("stepsched.local")
    with serving.log_lines(lines.append):
        log.error("job %s\nis damaged", "x\x1b")
        log.warning("slow")
        log.info("unsaid")
        log.error("run failed", extra={"event": "failed"})
        log.error("the store failed", exc_info=OSError("the disk\nis full"))
    log.error("afterwards")
    assert lines == [
        "error: job x\\x1b is damaged",
        "warning: slow",
        "error: the store failed: the disk is full",
    ]
