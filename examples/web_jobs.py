"""What the web applications beside this file share: jobs, what a request may ask for, statuses of HTTP."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

import stepsched as ss

DATABASE = os.environ.get("JOBS_DATABASE", "jobs.db")
OUTBOX = Path(os.environ.get("OUTBOX", "outbox.txt"))
HANDLERS = ["web_jobs"]
"""Modules whose functions a stored job may name."""
GROUP = "reminders"
"""Requests see and change jobs of this group only."""


def remind(reminder: dict[str, str], run: ss.Run) -> None:
    """The only function that a request can have called later."""
    with OUTBOX.open("a", encoding="utf-8") as outbox:
        outbox.write(f"{run.job} in process {os.getpid()}: {json.dumps(reminder['text'])}\n")


def tidy_up() -> None:
    """What the application does every night."""


STANDING = [ss.Job(name="tidy-up", schedule=ss.Cron("0 3 * * ? *"), target=ss.HandlerTarget(tidy_up))]
"""The jobs of the application itself."""


class Reminder(BaseModel, frozen=True, extra="forbid"):
    """The body of a request. It names no target: who may name one may run any function or program."""

    name: Annotated[str, Field(pattern="^[A-Za-z0-9_.-]{1,64}$")]
    at: AwareDatetime
    text: Annotated[str, Field(max_length=1_000)]

    def job(self) -> ss.Job:
        return ss.Job(
            name=self.name,
            group=GROUP,
            schedule=ss.OneTime(self.at),
            target=ss.HandlerTarget(remind),
            input={"text": self.text},
        )


def refusal(error: ss.StepschedError) -> tuple[int, dict[str, Any]]:
    """The status of HTTP and the body that stand for an error."""
    match error:
        case ss.JobNotFoundError():
            status = 404
        case ss.JobExistsError() | ss.ConflictError() | ss.InvalidTransitionError():
            status = 409
        case ss.InvalidScheduleError() | ss.UnsupportedError():
            status = 422
        case ss.BackendError(retryable=True):
            status = 503
        case _:
            status = 500
    return status, {"detail": str(error)}
