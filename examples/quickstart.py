"""The main features of stepsched: schedules; create, run, pause, resume and cancel jobs; play a week.

Run it from anywhere: ``python examples/quickstart.py``. It needs no AWS and ends by itself.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import stepsched as ss

HERE = Path(__file__).parent
FRIDAY = datetime(2030, 1, 25, tzinfo=timezone.utc)


def say_when() -> None:
    """Prints the four kinds of schedules: descriptions and next runs."""
    schedules: list[ss.Schedule] = [
        ss.OneTime("2030-01-30T09:30", timezone="Asia/Tokyo"),
        ss.Rate(timedelta(minutes=90), start=FRIDAY),
        ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        ss.Windowed("2030-01-31T18:00", end="2030-06-30T18:00", every=ss.Frequency(months=1)),
    ]
    print(f"1. When? (asked on {FRIDAY:%A %d %B %Y})\n")
    for schedule in schedules:
        print(f"    {type(schedule).__name__:<10}{schedule.describe()}")
    print(f"\n    {'':<10}{'on AWS':<27}{'next':<24}{'then':<24}then")
    for schedule in schedules:
        runs = [f"{run:%a %d %b %H:%M %z}" for run in schedule.upcoming(3, after=FRIDAY)]
        columns = "".join(f"{run:<24}" for run in runs)
        print(f"    {type(schedule).__name__:<10}{schedule.expression or '-':<27}{columns}".rstrip())
    print()


def fire() -> None:
    """Runs jobs from a durable file; then pauses, resumes and cancels one."""
    print("2. Fire, pause, resume, cancel (for real, in an SQLite file)\n")
    fired = threading.Event()

    with tempfile.TemporaryDirectory() as folder:
        backend = ss.LocalBackend(Path(folder) / "jobs.db", handlers={ss.LambdaTarget: show(fired)})
        with ss.SchedulerClient(backend) as client:
            for job in ss.load_jobs(HERE / "jobs.json"):
                client.create(job)
            # A Lambda target runs here through the function that stands for it.
            in_two_seconds = datetime.now(timezone.utc) + timedelta(seconds=2)  # noqa: TID251 -- an application's clock
            client.create(
                ss.Job(
                    name="remind-me",
                    schedule=ss.OneTime(in_two_seconds),
                    target=ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:remind"),
                    input={"text": "the kettle boils"},
                )
            )
            client.run_now("morning-report")
            fired.wait(timeout=10)

            for record in client.list(tags={"team": "finance"}):
                print(f"    {record.name}: {record.status.value}, next {record.next_run}")
            print(f"    paused:    {client.pause('morning-report').status.value}")
            print(f"    resumed:   {client.resume('morning-report').status.value}")
            print(f"    cancelled: {client.cancel('month-end-close').status.value}")
            print(f"    left:      {', '.join(record.name for record in client.list())}\n")
        backend.close()


def show(fired: threading.Event) -> Callable[..., None]:
    """Handles Lambda targets in this process, and returns a text."""

    def invoke(target: ss.LambdaTarget, event: dict[str, str], run: ss.Run) -> None:
        print(f"    {run.job}: {event['text']} (instead of {target.function_arn})", flush=True)
        fired.set()

    return invoke


def play() -> None:
    """Plays the same jobs over a week, on a fake clock."""
    print("3. A week in a moment: the same jobs on a clock that is moved\n")
    backend = ss.LocalBackend(clock=ss.testing.FakeClock(FRIDAY))
    client = ss.SchedulerClient(backend)
    for job in ss.load_jobs(HERE / "jobs.json"):
        client.create(job)
    backend.run_until(FRIDAY + timedelta(days=7))
    counts = Counter(run.job for run in client.runs(status="succeeded"))
    print("\n    runs in the week: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    backend.close()


if __name__ == "__main__":
    say_when()
    fire()
    play()
