"""Draws the pictures of the documentation: ``python -m tests.docs.pictures`` writes them to docs/pictures/.

They show made-up jobs on a clock that stands still, so that they change only with the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import stepsched as ss
from stepsched.jobs.results import Runs
from stepsched.workflows import StepRun, StepStatus, WorkflowRun, WorkflowRunStatus

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
NOW = datetime(2030, 3, 27, 9, 40, tzinfo=timezone.utc)
"""Four days before the clocks in Europe change."""
DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
PARIS = "Europe/Paris"
TARGET = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
FEW: dict[str, ss.Schedule] = {
    "nightly-backup": ss.Cron("0 2 * * ? *", timezone=PARIS),
    "invoices": ss.Cron("0 9 ? * MON-FRI *", timezone=PARIS),
    "office-hours": ss.Cron("0/30 8-18 ? * MON-FRI *", timezone=PARIS),
    "weekly-report": ss.Cron("30 6 ? * MON *", timezone=PARIS),
    "heartbeat": ss.Rate(timedelta(minutes=5)),
}


def jobs_of(schedules: dict[str, ss.Schedule]) -> list[ss.Job]:
    return [ss.Job(name=name, schedule=schedule, target=TARGET) for name, schedule in schedules.items()]


def many() -> list[ss.Job]:
    """5,000 jobs that people have set to round hours, mostly in the night and at the beginning of work."""
    hours = (0, 0, 0, 1, 2, 2, 3, 4, 6, 7, 8, 9, 9, 9, 10, 12, 14, 17, 18, 20, 22)
    found = dict[str, ss.Schedule]()
    for number in range(5_000):
        hour, minute = hours[number % len(hours)], 0 if number % 3 else number // 3 % 60
        days = ("*", "MON-FRI", "MON-FRI", "SUN")[number % 4]
        found[f"job-{number:04}"] = ss.Cron(f"{minute} {hour} ? * {days} *", timezone=PARIS)
    return jobs_of(found)


def client_of(jobs: list[ss.Job]) -> ss.SchedulerClient:
    client = ss.SchedulerClient(
        ss.LocalBackend(clock=ss.testing.FakeClock(NOW), handlers={ss.LambdaTarget: lambda _job: None})
    )
    client.create_many(jobs)
    return client


def runs() -> Runs:
    """A week in which a worker stood still for some hours, and some runs failed."""
    found = list[ss.Run]()
    for number in range(400):
        at = NOW - 7 * DAY + number * 25 * MINUTE
        late = 600 + 97 * number % 3_000 if 160 < number < 175 else 0.3 + number * number % 41 / 6
        status, error = ss.RunStatus.SUCCEEDED, None
        if number % 57 == 20:
            status, error = ss.RunStatus.FAILED, "the bucket does not exist"
        elif number % 83 == 40:
            status, error = ss.RunStatus.SKIPPED, "an earlier run of the job still ran"
        elif 150 < number < 158:
            status, error = ss.RunStatus.MISSED, "no worker was running"
        started = None if status in (ss.RunStatus.SKIPPED, ss.RunStatus.MISSED) else at + late * SECOND
        found.append(
            ss.Run(id=number, job="export", scheduled_for=at, status=status, started_at=started, error=error)
        )
    return Runs(found)


def workflow_run() -> WorkflowRun:
    """A run of a workflow whose second step was tried twice."""
    begin = datetime(2030, 1, 7, 2, tzinfo=timezone.utc)
    times = {
        "extract-orders": ((), 0, 12, 1),
        "extract-customers": ((), 0, 31, 2),
        "clean": (("extract-orders",), 13, 22, 1),
        "join": (("clean", "extract-customers"), 33, 58, 1),
        "report": (("join",), 58, 63, 1),
        "publish": (("join",), 60, 75, 1),
    }
    steps = tuple(
        StepRun(
            name=name,
            status=StepStatus.FAILED if name == "publish" else StepStatus.SUCCEEDED,
            needs=needs,
            attempt=attempt,
            started_at=begin + start * MINUTE,
            ended_at=begin + end * MINUTE,
            error="access denied" if name == "publish" else None,
        )
        for name, (needs, start, end, attempt) in times.items()
    )
    return WorkflowRun(
        workflow="nightly",
        id="20300107T020000Z-k3f9",
        status=WorkflowRunStatus.FAILED,
        version=1,
        started_at=begin,
        ended_at=begin + 75 * MINUTE,
        steps=(*steps, StepRun(name="notify", status=StepStatus.UPSTREAM_FAILED, needs=("publish",))),
    )


PICTURES: dict[str, Callable[[], str]] = {
    "week.svg": lambda: client_of(jobs_of(FEW)).upcoming(until=NOW + 7 * DAY).to_svg(),
    "week-of-many.svg": lambda: client_of(many()).upcoming(until=NOW + 7 * DAY).to_svg(),
    "year.svg": lambda: ss.Cron("0 9 ? * MON-FRI *", timezone=PARIS).to_svg(year=2030),
    "load.svg": lambda: ss.estimate(many(), NOW, NOW + 7 * DAY, names=3, busiest=5).to_svg(timezone=PARIS),
    "runs.svg": lambda: runs().to_svg(timezone=PARIS),
    "gantt.svg": lambda: workflow_run().to_gantt(timezone=PARIS),
}


def drawn() -> Iterator[tuple[Path, str]]:
    """Yields the files and what they should hold."""
    for name, draw in PICTURES.items():
        yield FOLDER / name, draw()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in drawn():
        path.write_text(text, "utf-8")
        print(f"{path.relative_to(FOLDER.parents[1])}: {len(text):,} bytes")
