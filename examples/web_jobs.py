"""The shared code of the web applications: jobs, the model of a request, HTTP status codes of errors."""

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
"""The modules whose functions a stored job may call."""
GROUP = "reminders"
"""The group of the jobs that requests can read and change."""


def remind(reminder: dict[str, str], run: ss.Run) -> None:
    """The only function that a request can schedule."""
    with OUTBOX.open("a", encoding="utf-8") as outbox:
        outbox.write(f"{run.job} in process {os.getpid()}: {json.dumps(reminder['text'])}\n")


def tidy_up() -> None:
    """The nightly job of the application."""


STANDING = [ss.Job(name="tidy-up", schedule=ss.Cron("0 3 * * ? *"), target=ss.HandlerTarget(tidy_up))]
"""The jobs of the application itself."""


class Reminder(BaseModel, frozen=True, extra="forbid"):
    """The body of a request. It has no target, since a target can be any function or program."""

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
    """Returns the HTTP status code and the body for an error."""
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
