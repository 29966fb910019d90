"""The answers of DBOS on SQLite, with its durable queue: as ``embedded_stepsched.py``."""

from __future__ import annotations

from pathlib import Path

import embedded_tasks as tasks
from dbos import DBOS, DBOSClient, DBOSConfig

QUEUE = "bench"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def launch(path: Path) -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url(path),
        "run_admin_server": False,
        "log_level": "ERROR",
        "executor_id": "bench",
        "application_version": "1",
    }
    DBOS(config=config)
    DBOS.workflow(name="note")(tasks.note)
    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=0.05)  # with a bound it waits for its next look


def enqueued(path: Path, count: int) -> tuple[int, float]:
    """Workflows put into the queue of a program that does not run yet."""
    launch(path)  # makes the tables
    DBOS.destroy(destroy_registry=True)
    client, due = DBOSClient(system_database_url=url(path)), tasks.now() - 60
    options = {"workflow_name": "note", "queue_name": QUEUE, "app_version": "1"}
    return tasks.add_all(lambda _: client.enqueue(options, due), count)  # type: ignore[arg-type]


def add(path: Path, count: int) -> object:
    return enqueued(path, count)


def burst(path: Path, count: int) -> object:
    count, _ = enqueued(path, count)
    return tasks.await_count(count, lambda: len(tasks.DONE), lambda: launch(path))


if __name__ == "__main__":
    tasks.answer({function.__name__: function for function in (add, burst)})
