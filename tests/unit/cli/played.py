"""A file of jobs whose time is played, for tests of commands about runs."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

import stepsched as ss
from stepsched.testing import FakeClock
from tests.unit.cli.conftest import NOW

DAY = timedelta(days=1)


def succeed() -> str:
    """A handler."""
    return "done"


def fail() -> None:
    """A handler that has no luck."""
    raise RuntimeError("no luck \x1b[31m")


def leak() -> None:
    """A handler whose error holds a secret."""
    raise ConnectionError("postgres://ada:Hidden1@db/orders")


def job(name: str, handler: str = "succeed", **changes: object) -> ss.Job:
    """Returns a job that runs at nine in Paris."""
    return ss.Job(
        name=name,
        schedule=ss.Cron("0 9 * * ? *", timezone="Europe/Paris"),
        target=ss.HandlerTarget(f"{__name__}:{handler}"),
        retry=ss.Retry(max_attempts=0),
    ).replace(**changes)


class Played:
    """The file, and a clock of its own: the present of command lines is NOW, whatever has been played."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock(NOW - 3 * DAY)
        with self.open() as client:
            client.create(job("nightly-report"))
            client.create(job("cleanup", "fail"))

    def open(self) -> ss.SchedulerClient:
        """Returns a client of the file, whose end closes it."""

        class Client(ss.SchedulerClient):
            def close(self, **_: object) -> None:
                self.backend.close()

        return Client(ss.LocalBackend(self.path, clock=self.clock))

    def play(self, until: datetime = NOW) -> None:
        """Plays the time up to an instant."""
        logging.disable()  # another process would do it
        backend = ss.LocalBackend(self.path, clock=self.clock)
        backend.run_until(until)
        backend.close()
        logging.disable(logging.NOTSET)
