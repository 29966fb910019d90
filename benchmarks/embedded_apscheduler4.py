"""The answers of APScheduler 4 (alpha) with its SQLAlchemy data store: as ``embedded_stepsched.py``."""

from __future__ import annotations

from pathlib import Path

import embedded_tasks as tasks
from apscheduler import Scheduler
from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
from apscheduler.triggers.date import DateTrigger
from sqlalchemy import create_engine


def scheduler(path: Path) -> Scheduler:
    # With fewer concurrent jobs than its default of 100 this alpha comes to a halt.
    made = Scheduler(SQLAlchemyDataStore(create_engine(f"sqlite:///{path}")))
    made.__enter__()
    return made


def add_one(made: Scheduler, number: int, due: float) -> None:
    made.add_schedule(tasks.note, DateTrigger(tasks.instant(due)), args=[due], id=f"job-{number}")


def add(path: Path, count: int) -> object:
    made, due = scheduler(path), tasks.now() // 1 + tasks.HOUR
    return tasks.add_all(lambda number: add_one(made, number, due), count)


def burst(path: Path, count: int) -> object:
    made, due = scheduler(path), tasks.now() - 60
    count, _ = tasks.add_all(lambda number: add_one(made, number, due), count)
    return tasks.await_count(count, lambda: len(tasks.DONE), made.start_in_background)


def late(path: Path, count: int) -> object:
    made = scheduler(path)
    instants = [due + count / 40 for due in tasks.stream(count)]
    for number, due in enumerate(instants):
        add_one(made, number, due)
    made.start_in_background()
    return tasks.lateness(instants)


def fill(path: Path, count: int) -> object:
    add(path, count)
    return tasks.size(path)


def memory(path: Path) -> object:
    scheduler(path).start_in_background()
    tasks.pause(3)
    return tasks.resident()


def idle(path: Path, seconds: int) -> object:
    scheduler(path).start_in_background()
    return tasks.idle(seconds)


if __name__ == "__main__":
    functions = (add, burst, late, fill, memory, idle)
    tasks.answer({function.__name__: function for function in functions})
