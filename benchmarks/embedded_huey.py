"""The answers of Huey with its SQLite storage: as ``embedded_stepsched.py``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import embedded_tasks as tasks
from huey import SqliteHuey


def queue(path: Path) -> SqliteHuey:
    return SqliteHuey("bench", filename=str(path))


def start(made: SqliteHuey) -> None:
    made.create_consumer(workers=tasks.THREADS, worker_type="thread", scheduler_interval=1).start()


def add(path: Path, count: int) -> object:
    made, due = queue(path), tasks.now() // 1 + tasks.HOUR
    task = made.task()(tasks.note)
    return tasks.add_all(lambda _: task.schedule(args=(due,), eta=tasks.instant(due)), count)


def burst(path: Path, count: int) -> object:
    made, due = queue(path), tasks.now() - 60
    task = made.task()(tasks.note)
    count, _ = tasks.add_all(lambda _: task.schedule(args=(due,), eta=tasks.instant(due)), count)
    return tasks.await_count(count, lambda: len(tasks.DONE), lambda: start(made))


def late(path: Path, count: int) -> object:
    made = queue(path)
    task = made.task()(tasks.note)
    instants = tasks.stream(count)
    start(made)
    for due in instants:
        made.storage.add_to_schedule(made.serialize_task(task.s(due)), tasks.instant(due))
    return tasks.lateness(instants)


def fill(path: Path, count: int) -> object:
    made, due = queue(path), tasks.now() // 1 + tasks.HOUR
    task = made.task()(tasks.note)
    start(made)
    for _ in range(count):
        made.add_schedule(task.s(due, eta=tasks.instant(due)))
    return tasks.size(path)


def memory(path: Path) -> object:
    start(queue(path))
    tasks.pause(3)
    return tasks.resident()


def multiply(path: Path, by: int) -> object:
    db = sqlite3.connect(path)
    db.execute(
        "WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)"
        " INSERT INTO schedule (queue, data, timestamp) SELECT queue, data, timestamp + n / 1000.0"
        " FROM schedule, copies",
        (by - 1,),
    )
    db.commit()
    ((count,),) = db.execute("SELECT count(*) FROM schedule")
    return count


def next_due(path: Path) -> object:
    made = queue(path)
    return tasks.best(lambda: made.read_schedule(tasks.instant(tasks.now())))


def idle(path: Path, seconds: int) -> object:
    start(queue(path))
    return tasks.idle(seconds)


if __name__ == "__main__":
    functions = (add, burst, late, fill, memory, multiply, next_due, idle)
    tasks.answer({function.__name__: function for function in functions})
