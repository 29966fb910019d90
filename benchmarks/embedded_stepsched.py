"""stepsched's answers: ``embedded_stepsched.py MEASURE FILE NUMBERS``."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import embedded_tasks as tasks

import stepsched as ss
from stepsched.core.clock import utc_now
from stepsched.testing import FakeClock


def job(number: int, due: float, handler: str = "note") -> ss.Job:
    # A one-time job comes at a whole second; the start of a rate is exact.
    schedule: ss.Schedule = ss.OneTime(tasks.instant(due))
    if due % 1:
        schedule = ss.Rate(timedelta(days=1), start=tasks.instant(due))
    target = ss.HandlerTarget(f"embedded_tasks:{handler}")
    return ss.Job(name=f"job-{number}", schedule=schedule, target=target, input=due)


def waiting(count: int) -> list[ss.Job]:
    due = tasks.now() // 1 + tasks.HOUR
    return [job(number, due) for number in range(count)]


def add(path: Path, count: int) -> object:
    client, jobs = ss.SchedulerClient(ss.LocalBackend(path)), waiting(count)
    return tasks.add_all(lambda number: client.create(jobs[number]), count)


def add_many(path: Path, count: int) -> object:
    client, jobs = ss.SchedulerClient(ss.LocalBackend(path)), waiting(count)
    return count, tasks.timed(lambda: client.create_many(jobs))


def burst(path: Path, count: int) -> object:
    due = tasks.now() // 1 - 60
    past = ss.LocalBackend(path, clock=FakeClock(tasks.instant(due - 60)))
    ss.SchedulerClient(past).create_many(job(number, due) for number in range(count))
    past.close()
    backend = ss.LocalBackend(path, workers=tasks.THREADS)
    reader = sqlite3.connect(path, timeout=60)

    def ended() -> int:
        ((known,),) = reader.execute("SELECT count(*) FROM runs WHERE ended_at IS NOT NULL")
        return int(known)

    return tasks.await_count(count, ended, backend.start)


def queued(path: Path, count: int) -> object:
    """Runs of one job that must not overlap."""
    backend = ss.LocalBackend(path, workers=tasks.THREADS)
    client, present = ss.SchedulerClient(backend), utc_now()
    minutely = ss.Rate(timedelta(minutes=1), start=present - timedelta(days=365))
    target = ss.HandlerTarget("embedded_tasks:note")
    client.create(ss.Job(name="job", schedule=minutely, target=target, input=0.0, overlap=ss.Overlap.QUEUE))
    for portion in range(0, count, 10_000):
        until = present - timedelta(minutes=portion + 1)
        client.backfill("job", since=until - timedelta(minutes=min(10_000, count - portion) - 1), until=until)
    reader = sqlite3.connect(path, timeout=60)

    def ended() -> int:
        ((known,),) = reader.execute("SELECT count(*) FROM runs WHERE ended_at IS NOT NULL")
        return int(known)

    return tasks.await_count(count, ended, backend.start)


def late(path: Path, count: int) -> object:
    backend = ss.LocalBackend(path, workers=tasks.THREADS)
    instants = tasks.stream(count)
    # A microsecond off the whole second, so that all of them are rates.
    jobs = [job(number, due + 1e-5) for number, due in enumerate(instants)]
    with ss.SchedulerClient(backend) as client:
        client.create_many(jobs)
        return tasks.lateness(instants)


def late_together(path: Path, count: int) -> object:
    """One-time jobs: a hundred on every whole second."""
    backend = ss.LocalBackend(path, workers=tasks.THREADS)
    instants = [due // 1 for due in tasks.stream(count)]
    with ss.SchedulerClient(backend) as client:
        client.create_many(job(number, due) for number, due in enumerate(instants))
        return tasks.lateness(instants)


def fill(path: Path, count: int) -> object:
    backend = ss.LocalBackend(path)
    ss.SchedulerClient(backend).create_many(waiting(count))
    backend.close()
    return tasks.size(path)


def memory(path: Path) -> object:
    backend = ss.LocalBackend(path, workers=tasks.THREADS)
    backend.start()
    tasks.pause(3)
    return tasks.resident()


def multiply(path: Path, by: int) -> object:
    """Makes each waiting job many, without the toil of creating them."""
    columns = "job_group, status, overlap, version, document, created_at, updated_at, anchor"
    db = sqlite3.connect(path)
    db.execute(
        "WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)"
        f" INSERT INTO jobs (name, {columns}, next_run)"
        f" SELECT name || '-' || n, {columns}, next_run + 1000 * n FROM jobs, copies",
        (by - 1,),
    )
    db.commit()
    ((count,),) = db.execute("SELECT count(*) FROM jobs")
    return count


def next_due(path: Path) -> object:
    store = ss.LocalBackend(path)._store

    def ask() -> None:
        now = utc_now()
        store.due_jobs(now, 100)
        store.next_event(now)

    return tasks.best(ask)


def idle(path: Path, seconds: int) -> object:
    backend = ss.LocalBackend(path, workers=tasks.THREADS)
    backend.start()
    return tasks.idle(seconds)


def victim(path: Path, count: int) -> object:
    """Waiting jobs, and as many in flight as there are threads; to be killed."""
    backend = ss.LocalBackend(path, workers=tasks.THREADS)
    client = ss.SchedulerClient(backend)
    client.create_many(waiting(count))
    with client:
        for number in range(tasks.THREADS):
            client.create(job(count + number, tasks.now() // 1 + tasks.HOUR, "hang"))
            client.run_now(f"job-{count + number}")
        tasks.pause(60)
    return None


def after(path: Path) -> object:
    """What is left of it: jobs that wait, and jobs in flight that began again."""
    backend = ss.LocalBackend(path, workers=tasks.THREADS)
    with ss.SchedulerClient(backend) as client:
        tasks.pause(4)
        left = sum(record.job.target == waiting(1)[0].target for record in client.list())
    return left, len(tasks.HANGING)


if __name__ == "__main__":
    functions = (
        *(add, add_many, burst, queued, late, late_together, fill, memory, multiply, next_due, idle),
        *(victim, after),
    )
    tasks.answer({function.__name__: function for function in functions})
