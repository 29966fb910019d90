"""The folder in which the examples of the command line run, and the way they are run.

Every example starts in a fresh copy of the folder, on a Monday, on a terminal of 100 columns. The test of the
examples and the page ``docs/cli.md`` use the same.
"""

from __future__ import annotations

import logging
import math
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import boto3
import click

import stepsched as ss
from stepsched.cli.app import app, run
from stepsched.cli.declaring import Command
from stepsched.display import live
from stepsched.testing import FakeClock
from tests.parts.cloud import ACCOUNT, REGION, FakeCloud
from tests.sessions import SharedModels

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.fromisoformat("2030-01-07T06:00:00+00:00")
"""A Monday; the present of every example."""
COLUMNS = 100
FILES = {
    "jobs.yaml": """\
- name: nightly-report
  schedule: cron(0 2 ? * MON-FRI *)
  timezone: Europe/Paris
  target: arn:aws:lambda:eu-west-1:123456789012:function:report
  retry: {max_attempts: 3, max_age: 2 hours}
  tags: {team: finance}
- name: cleanup
  schedule: rate(6 hours)
  target: [python, cleanup.py]
- name: closing-books
  every: 1 month
  start: 2029-12-31T18:00
  timezone: America/New_York
  target: arn:aws:states:eu-west-1:123456789012:stateMachine:close-books
  tags: {team: finance}
""",
    "aws.yaml": """\
- name: nightly-report
  schedule: cron(0 2 ? * MON-FRI *)
  timezone: Europe/Paris
  target: arn:aws:lambda:eu-west-1:123456789012:function:report
- name: closing-books
  every: 1 month
  start: 2029-12-31T18:00
  timezone: America/New_York
  target: arn:aws:states:eu-west-1:123456789012:stateMachine:close-books
""",
    "crontab.txt": """\
MAILTO=""
# minute hour day month weekday command
30 4 * * 1-5 /usr/local/bin/backup --all
*/15 9-17 * * 1-5 /usr/local/bin/poll
""",
    "job.json": """\
{
  "id": "reminder",
  "startDateTime": "2030-01-01T09:00:00.000Z",
  "endDateTime": "2030-12-31T09:00:00.000Z",
  "frequency": {"days": 2},
  "context": {"name": "Ada"}
}
""",
    "machine.json": """\
{
  "Comment": "Reports, and tells who waits for it",
  "StartAt": "Report",
  "States": {
    "Report": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke",
      "Parameters": {"FunctionName": "report", "Payload.$": "$"},
      "Next": "Tell"
    },
    "Tell": {
      "Type": "Task",
      "Resource": "arn:aws:states:::sns:publish",
      "Parameters": {
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:reports",
        "Message.$": "States.JsonToString($)"
      },
      "End": true
    }
  }
}
""",
    "cleanup.py": 'print("3 files deleted")\n',
    "flows.yaml": """\
- name: billing
  description: Bills the orders of a day
  steps:
    - name: extract
      target: {kind: command, command: [python, extract.py]}
    - name: load
      needs: [extract]
      target: {kind: command, command: [python, load.py]}
    - name: report
      needs: [load]
      target: {kind: command, command: [python, -c, pass]}
""",
    "extract.py": 'print("{\\"orders\\": 12}")\n',
    "load.py": 'raise SystemExit("no space left")\n',
}
"""The files of the folder, besides ``jobs.db``."""
PROGRAM = """\
def close():
    raise RuntimeError("the ledger is locked")
"""
"""The handler of ``closing-books``: its traceback names no file of this computer."""
ENDLESS = ("serve", "logs --follow", "logs -f")
"""The beginnings of commands that run until they are stopped."""
_QUIET = 0.5
"""The time in seconds after which such a command has said all that it says at its start."""
SCRIPT = """\
#!{python}
import sys
from datetime import datetime

sys.path[:0] = [{root!r}]
from stepsched.cli.app import run
from stepsched.display import live
from stepsched.testing import FakeClock
from tests.parts.cloud import ACCOUNT, REGION, FakeCloud
from tests.sessions import SharedModels

live.PATIENCE = float("inf")  # no bars of progress, as in `inside`
sys.exit(run(sys.argv[1:], clock=FakeClock(datetime.fromisoformat({now!r}))))
"""


class Ended(NamedTuple):
    """How an example ended."""

    code: int
    text: str
    """What a person sees: both streams of output."""


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Answers(Terminal):
    """Somebody who answers every question with yes."""

    def __init__(self, screen: StringIO) -> None:
        super().__init__()
        self._screen = screen

    def readline(self, _size: int | None = -1, /) -> str:  # type: ignore[override]  # as StringIO
        self._screen.write("y\n")
        return "y\n"


def make(folder: Path) -> None:
    """Makes the folder, which must not exist: the files, ``jobs.db`` with the jobs of ``jobs.yaml`` and their
    runs, and ``bin`` with the program for shells."""
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "bin").mkdir()
    script = folder / "bin" / "stepsched"
    script.write_text(SCRIPT.format(python=sys.executable, root=str(ROOT), now=NOW.isoformat()))
    script.chmod(0o755)
    nightly, cleanup, closing = ss.load_jobs(folder / "jobs.yaml")
    clock = FakeClock(datetime.fromisoformat("2029-12-31T12:00:00+00:00"))
    log = logging.getLogger("stepsched.local")
    with inside(folder), patch.object(log, "disabled", new=True):  # the failure is meant
        program: dict[str, Any] = {}
        exec(compile(PROGRAM, "close_books.py", "exec"), program)
        handlers: dict[Any, Any] = {
            ss.LambdaTarget: lambda: "12 orders",
            ss.StateMachineTarget: program["close"],
        }
        backend = ss.LocalBackend("jobs.db", clock=clock, handlers=handlers)
        client = ss.SchedulerClient(backend)
        client.create(closing)
        backend.run_until(datetime.fromisoformat("2030-01-06T00:30:00+00:00"))
        client.create_many([nightly, cleanup])
        backend.run_until(datetime.fromisoformat("2030-01-07T05:00:00+00:00"))
        _bill(backend)
        backend.run_until(NOW)
        ss.WorkflowClient(backend).start("billing", run_id="tuesday")
        backend.close()


def _bill(backend: ss.LocalBackend) -> None:
    """Plays two runs of the workflow: of one, the failed step was skipped."""
    flows = ss.WorkflowClient(backend)
    (billing,) = ss.workflows.load_workflows("flows.yaml")
    for hours, run_id in ((1, "sunday"), (3, "monday")):
        now = datetime.fromisoformat(f"2030-01-07T05:{hours}0:00+00:00")
        backend.run_until(now)
        run = flows.start(billing, run_id=run_id)
        backend.run_until(now + timedelta(minutes=5))
        if run_id == "sunday":
            flows.restart(run, skip="load")


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The process in the folder, with its jobs as the place, and without the bars of progress that are seen
    on slow machines only."""
    before = Path.cwd()
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {
        "STEPSCHED_BACKEND": "local:jobs.db",
        "COLUMNS": str(COLUMNS),
        "NO_COLOR": "1",
        "PATH": path,
    }
    with patch.dict(os.environ, settings), patch.object(live, "PATIENCE", math.inf):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def play(example: str, folder: Path) -> Ended:
    """Runs an example in the folder, as on a terminal where questions are answered with yes.

    A line with signs of a shell is run by ``sh``; what runs until it is stopped gets Ctrl-C once it has
    begun and says no more; everything else runs in this process.
    """
    words = shlex.split(example)
    with inside(folder):
        if is_endless(example):
            free = [
                word.replace(_PORT, ":0") for word in words
            ]  # another test may have the one of the example
            ended = _in_a_terminal(free, stop=True)
            return ended._replace(text=re.sub(r":\d+(?=/$)", _PORT, ended.text, flags=re.MULTILINE))
        if needs_a_shell(example):
            return _in_a_terminal(["sh", "-c", example])
        return _here(words[1:])


def is_endless(example: str) -> bool:
    """Whether the command runs until it is stopped."""
    return example.startswith(tuple(f"stepsched {each}" for each in ENDLESS))


def needs_a_shell(example: str) -> bool:
    """Whether the line is more than one command with its arguments."""
    words = shlex.split(example)
    return bool({"|", ">", "<", "&&", ";"} & {*words}) or words[0] != "stepsched"


class _Session(SharedModels):
    """A session that finds an account with a stack ``old``."""

    def __init__(self, **options: Any) -> None:
        given = {key: value for key, value in options.items() if value is not None}
        super().__init__(**{"region_name": REGION, **_CREDENTIALS, **given})
        cloud = FakeCloud()
        cloud.add_stack("old", ss.deploy.template([ss.QueueTarget(_QUEUE)]))
        cloud.attach(self)


_PORT = ":8080"
"""The port of examples that serve."""
_CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"


def _here(arguments: list[str]) -> Ended:
    out = Terminal()
    with ExitStack() as stack:
        stack.enter_context(patch.object(boto3, "Session", _Session))
        for name, stream in (("stdin", Answers(out)), ("stdout", out), ("stderr", out)):
            stack.enter_context(patch.object(sys, name, stream))
        code = run(arguments, clock=FakeClock(NOW))
    return Ended(code, out.getvalue())


def _in_a_terminal(command: list[str], *, stop: bool = False) -> Ended:
    ours, theirs = os.openpty()
    try:
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as child:
            os.close(theirs)
            parts = read(ours)
            text = next(parts, b"")
            if stop:
                while select.select([ours], [], [], _QUIET)[0]:
                    text += next(parts, b"")
                child.send_signal(signal.SIGINT)
            text += b"".join(parts)
        return Ended(child.returncode, text.decode().replace("\r\n", "\n"))
    finally:
        os.close(ours)


def read(descriptor: int) -> Iterator[bytes]:
    """Yields what a terminal shows, until nobody writes to it any more."""
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux says the end of a terminal so
            return
        if not part:
            return
        yield part


def fresh(template: Path, folder: Path) -> Path:
    """Returns a new copy of the folder that :func:`make` has made."""
    shutil.copytree(template, folder)
    return folder


def commands(group: click.Group = app, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, Command]]:
    """Yields all commands with their full names, without the program's, in the order of the help."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            assert isinstance(command, Command), f"{name}: declare it with stepsched.cli.declaring.command"
            yield " ".join((*prefix, name)), command
