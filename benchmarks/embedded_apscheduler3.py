"""The answers of APScheduler 3 with its SQLAlchemy job store: as ``embedded_stepsched.py``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import embedded_tasks as tasks
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler


def scheduler(path: Path, *, paused: bool) -> BackgroundScheduler:
    made = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{path}")},
        executors={"default": ThreadPoolExecutor(tasks.THREADS)},
        job_defaults={"misfire_grace_time": None},
        timezone="UTC",
    )
    made.start(paused=paused)
    return made


def add_one(made: BackgroundScheduler, number: int, due: float) -> None:
    made.add_job(tasks.note, "date", run_date=tasks.instant(due), args=[due], id=f"job-{number}")


def add(path: Path, count: int) -> object:
    made, due = scheduler(path, paused=True), tasks.now() // 1 + tasks.HOUR
    return tasks.add_all(lambda number: add_one(made, number, due), count)


def burst(path: Path, count: int) -> object:
    made, due = scheduler(path, paused=True), tasks.now() - 60
    count, _ = tasks.add_all(lambda number: add_one(made, number, due), count)
    return tasks.await_count(count, lambda: len(tasks.DONE), made.resume)


def late(path: Path, count: int) -> object:
    made = scheduler(path, paused=True)
    instants = [due + count / 40 for due in tasks.stream(count)]
    for number, due in enumerate(instants):
        add_one(made, number, due)
    made.resume()
    return tasks.lateness(instants)


def fill(path: Path, count: int) -> object:
    add(path, count)
    return tasks.size(path)


def memory(path: Path) -> object:
    scheduler(path, paused=False)
    tasks.pause(3)
    return tasks.resident()


def multiply(path: Path, by: int) -> object:
    db = sqlite3.connect(path)
    db.execute(
        "WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)"
        " INSERT INTO apscheduler_jobs SELECT id || '-' || n, next_run_time + n / 1000.0, job_state"
        " FROM apscheduler_jobs, copies",
        (by - 1,),
    )
    db.commit()
    ((count,),) = db.execute("SELECT count(*) FROM apscheduler_jobs")
    return count


def next_due(path: Path) -> object:
    store = scheduler(path, paused=True)._lookup_jobstore("default")

    def ask() -> None:
        store.get_due_jobs(tasks.instant(tasks.now()))
        store.get_next_run_time()

    return tasks.best(ask)


def idle(path: Path, seconds: int) -> object:
    scheduler(path, paused=False)
    return tasks.idle(seconds)


def victim(path: Path, count: int) -> object:
    made = scheduler(path, paused=True)
    due = tasks.now() // 1 + tasks.HOUR
    for number in range(count):
        add_one(made, number, due)
    for number in range(tasks.THREADS):
        made.add_job(tasks.hang, "date", args=[number], id=f"hang-{number}")
    made.resume()
    tasks.pause(60)
    return None


def after(path: Path) -> object:
    made = scheduler(path, paused=False)
    tasks.pause(4)
    return sum(job.id.startswith("job-") for job in made.get_jobs()), len(tasks.HANGING)


if __name__ == "__main__":
    functions = (add, burst, late, fill, memory, multiply, next_due, idle, victim, after)
    tasks.answer({function.__name__: function for function in functions})
