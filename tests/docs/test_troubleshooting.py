"""docs/troubleshooting.md quotes messages as the code says them: each one is provoked."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import exceptions as sdk

import stepsched as ss
from stepsched.aws.sdk import mapped
from stepsched.backends.local.database import _mapped
from stepsched.testing import FakeClock
from tests.sessions import new_session

PAGE = Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md"
NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
DAILY = ss.Cron("0 9 * * ? *")
REPORT = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
ROLE = "arn:aws:iam::123456789012:role/scheduler"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

Provoke = Callable[[], object]
"""Raises an error, issues a warning, or returns a text."""


def job(name: str = "report", **changes: Any) -> ss.Job:
    return ss.Job(**{"name": name, "schedule": DAILY, "target": ss.HandlerTarget(print), **changes})


def create(*jobs: ss.Job, path: str | None = None, **options: Any) -> None:
    with closing(ss.LocalBackend(path, **options)) as backend:
        client = ss.SchedulerClient(backend)
        for each in jobs:
            client.create(each)


def wait(clock: FakeClock | None = None) -> None:
    with closing(ss.LocalBackend(clock=clock)) as backend:
        client = ss.SchedulerClient(backend)
        client.create(job())
        client.wait(client.run_now("report"), timeout=0.01)


def after_a_block() -> None:
    with ss.SchedulerClient() as client:
        pass
    client.get("report")


def only_run(*, after: timedelta = timedelta(0), **changes: Any) -> ss.Run:
    """The run of a job at the end of two days, of which nothing was running in the first ``after``."""
    handlers = {ss.LambdaTarget: print}
    create(job(**changes), path="played.db", clock=FakeClock(NOW), handlers=handlers)
    with closing(ss.LocalBackend("played.db", clock=FakeClock(NOW + after))) as backend:
        backend.run_until(NOW + timedelta(days=1))
        (run,) = ss.SchedulerClient(backend).runs("report")
        return run


def overlapping() -> str | None:
    clock = FakeClock(NOW)
    slow = ss.HandlerTarget(lambda: clock.advance(timedelta(minutes=2)))
    minutely = ss.Rate(timedelta(minutes=1), start=NOW)
    with closing(ss.LocalBackend(clock=clock)) as backend:
        client = ss.SchedulerClient(backend)
        client.create(job(schedule=minutely, target=slow, overlap=ss.Overlap.SKIP))
        backend.run_until(NOW + timedelta(minutes=3))
        return client.runs("report")[1].error


def coroutine_of_another_loop() -> str | None:
    loop = asyncio.new_event_loop()
    loop.close()

    async def handler() -> None:
        await loop.run_in_executor(None, print)

    with closing(ss.LocalBackend(clock=FakeClock(NOW))) as backend:
        client = ss.SchedulerClient(backend)
        client.create(job(target=ss.HandlerTarget(handler), retry=ss.Retry(max_attempts=0)))
        backend.run_until(NOW + timedelta(days=1))
        return client.runs("report")[0].error


def changed_in_the_meantime() -> None:
    with closing(ss.LocalBackend()) as backend:
        client = ss.SchedulerClient(backend)
        client.create(job())
        client.update(job(description="first"))
        client.update(job(description="second"), expected_version=1)


def without_await() -> None:
    async def main() -> None:
        async with ss.AsyncSchedulerClient() as client:
            client.create(job())  # type: ignore[unused-coroutine]

    asyncio.run(main())


def loop_in_a_loop() -> None:
    async def main() -> None:
        rest = asyncio.sleep(0)
        with closing(rest):
            asyncio.run(rest)

    asyncio.run(main())


def without_click() -> str:
    program = "import sys; sys.modules['click'] = None; from stepsched.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stderr


def locked() -> None:
    with (
        closing(sqlite3.connect("jobs.db")) as holder,
        closing(sqlite3.connect("jobs.db", timeout=0)) as other,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        with _mapped("create", "jobs.db"):
            other.execute("BEGIN EXCLUSIVE")


def file_of_another_program() -> None:
    with closing(sqlite3.connect("shop.db")) as db:
        db.execute("CREATE TABLE orders (number)")
    ss.LocalBackend("shop.db")


def no_database() -> None:
    Path("notes.txt").write_text("text " * 1000)
    ss.LocalBackend("notes.txt")


def on_eventbridge() -> ss.EventBridgeBackend:
    return ss.EventBridgeBackend(ROLE, session=new_session(region_name="eu-west-1", **KEYS))


def answer(code: str, message: str, status: int = 400) -> Provoke:
    """What leaves when EventBridge Scheduler gives that answer to a request."""
    said: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-1", "HTTPHeaders": {}},
    }

    def provoke() -> None:
        with mapped("scheduler", "CreateSchedule"):
            raise sdk.ClientError(said, "CreateSchedule")

    return provoke


def no_stack() -> None:
    session = new_session(region_name="eu-west-1", **KEYS)
    missing = {"Code": "ValidationError", "Message": "Stack with id jobs does not exist"}
    said = (SimpleNamespace(status_code=400), {"Error": missing, "ResponseMetadata": {"HTTPStatusCode": 400}})
    give: Callable[..., Any] = lambda **_: said  # noqa: E731 -- the SDK's type says that it returns nothing
    session.events.register("before-call.cloudformation.DescribeStacks", give)
    ss.SchedulerClient.from_stack("jobs", session=session)


def log_of_a_job_that_stops() -> list[str]:
    """The last lines of the log of a job whose run has failed for good."""

    def fail() -> None:
        raise RuntimeError("no paper")

    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage().partition("\n")[0])  # type: ignore[method-assign]
    log = logging.getLogger("stepsched.local")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with closing(ss.LocalBackend(clock=FakeClock(NOW))) as backend:
            stopping = job(
                target=ss.HandlerTarget(fail),
                retry=ss.Retry(max_attempts=0),
                on_failure=ss.OnFailure.STOP,
            )
            ss.SchedulerClient(backend).create(stopping)
            backend.run_until(NOW + timedelta(days=1))
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    return lines[-2:]


PROVOKED: dict[str, list[Provoke]] = {
    "A client without a started backend waits": [wait],
    "Nothing happens in a notebook after the cell ends": [after_a_block],
    "Handler not registered": [lambda: create(job(target=REPORT))],
    "A run stays pending": [lambda: only_run(after=timedelta(days=1), target=REPORT).pending_reason],
    "A function has no importable name": [
        lambda: create(job(target=ss.HandlerTarget("__main__:report")), path="jobs.db")
    ],
    "A handler cannot be imported": [
        lambda: create(job(target=ss.HandlerTarget("reports:send"))),
        lambda: create(job(target=ss.HandlerTarget("reports:send")), handlers_from=["myapp"]),
    ],
    "A private address is not called": [
        lambda: create(job(target=ss.HttpTarget("http://10.0.0.7/hook"))),
    ],
    "It runs on the wrong weekday": [lambda: ss.Cron("0 9 ? * 1-5 *")],
    "The time zone is not known": [lambda: ss.Cron("0 9 * * ? *", timezone="Europe/Pari")],
    "A run is missing": [
        lambda: only_run(after=timedelta(days=1), catch_up=ss.CatchUp.SKIP).error,
        lambda: only_run(after=timedelta(days=1), catch_up_within=timedelta(hours=1)).error,
        overlapping,
    ],
    "Invalid schedule: a crontab line": [lambda: ss.Cron("0 9 * * 1-5")],
    "Invalid schedule: seconds": [lambda: ss.Rate(timedelta(seconds=30))],
    "The job would never run": [lambda: create(job(schedule=ss.OneTime("2020-01-01T09:00")))],
    "A datetime is naive": [lambda: DAILY.next_run(after=datetime(2030, 1, 1))],
    "UnsupportedError: a backend refuses a job": [
        lambda: on_eventbridge().check(job(target=REPORT, overlap=ss.Overlap.SKIP)),
        lambda: on_eventbridge().check(job()),
        lambda: ss.SchedulerClient(on_eventbridge()).runs("report"),
    ],
    "A different job is already named": [lambda: create(job(), job(description="another"))],
    "The job was changed in the meantime": [changed_in_the_meantime],
    "No job is named": [lambda: ss.SchedulerClient().get("reprot")],
    "module 'stepsched' has no attribute": [lambda: ss.EcsTaskTarget],  # type: ignore[attr-defined]
    "The command line needs the extra": [without_click],
    "database is locked": [locked],
    "CANTOPEN: unable to open database file": [lambda: ss.LocalBackend("nowhere/jobs.db")],
    "The file belongs to another program": [file_of_another_program, no_database],
    "RuntimeError: Event loop is closed": [coroutine_of_another_loop],
    "coroutine was never awaited": [without_await],
    "asyncio.run() cannot be called from a running event loop": [loop_in_a_loop],
    "pytest: time does not advance": [lambda: ss.LocalBackend().run_until(NOW)],
    "wait does not return on a fake clock": [lambda: wait(FakeClock(NOW))],
    "AccessDeniedException when I create a job": [
        answer(
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: scheduler:CreateSchedule",
            403,
        )
    ],
    "The execution role must allow EventBridge Scheduler to assume the role": [
        answer(
            "ValidationException",
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
        )
    ],
    "Stack not found": [no_stack],
    "Unable to locate credentials": [
        lambda: ss.SchedulerClient.from_stack("jobs", session=new_session(region_name="eu-west-1")),
        lambda: ss.EventBridgeBackend(ROLE, session=new_session(**KEYS)),
    ],
    "Throttled": [answer("ThrottlingException", "Rate exceeded", 429)],
    "Jobs are paused by themselves": [
        lambda: log_of_a_job_that_stops()[0],
        lambda: log_of_a_job_that_stops()[1],
    ],
}
"""What provokes the messages of a section, in their order."""
ON_THE_COMMAND_LINE = "A client without a started backend waits"
"""The section whose last message is one of the command line."""


def sections() -> dict[str, list[str]]:
    """The messages that the page quotes, by the heading of their section."""
    found: dict[str, list[str]] = {}
    heading = ""
    lines = iter(PAGE.read_text("utf-8").splitlines())
    for line in lines:
        if line.startswith("### "):
            heading = line.removeprefix("### ")
        elif line == "```text":
            found.setdefault(heading, []).append(" ".join(_until_the_fence(lines)))
    return found


def _until_the_fence(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line == "```":
            return
        yield line


def said(provoke: Provoke) -> str:
    """The text of the error, of the warning or of the answer."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer = provoke()
        except Exception as error:  # noqa: BLE001 -- of any class: its text is what counts
            return str(error)
    own = [str(each.message) for each in caught if each.category is not ResourceWarning]
    return own[0] if own else str(answer)


def agrees(quoted: str, text: str) -> bool:
    """Whether the quoted message is the text, where three dots stand for anything and lines are wrapped."""
    pattern = ".*".join(re.escape(part) for part in quoted.split("..."))
    return re.fullmatch(pattern, " ".join(text.split())) is not None


def test_every_quoted_message_is_provoked_here() -> None:
    quoted = {heading: len(messages) for heading, messages in sections().items()}
    provoked = {heading: len(each) for heading, each in PROVOKED.items()}
    provoked[ON_THE_COMMAND_LINE] += 1
    assert quoted == provoked


@pytest.mark.parametrize(
    ("heading", "number"),
    [(heading, number) for heading, each in PROVOKED.items() for number in range(len(each))],
)
def test_the_message_is_what_the_code_says(
    heading: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    quoted, text = sections()[heading][number], said(PROVOKED[heading][number])
    assert agrees(quoted, text), text


def test_the_warning_of_the_command_line_is_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    create(job(), path="jobs.db")
    command = (sys.executable, "-m", "stepsched", "run-now", "report", "--backend", "local:jobs.db")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [sections()[ON_THE_COMMAND_LINE][-1]]


def test_a_message_that_differs_is_noticed() -> None:
    """Else the tests above would prove nothing."""
    assert agrees("no job is named ...; use get", "no job is named 'a';\n  use get")
    assert not agrees("no job is named 'b'; use get", "no job is named 'a'; use get")
    assert not agrees("no job is named", "no job is named 'a'")
