"""Reads a crontab, the file of a user's commands, into jobs."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from stepsched.core.errors import InvalidScheduleError, JobFileError, ScheduleWarning
from stepsched.core.quoting import quoted
from stepsched.core.text_files import path_of, read_text
from stepsched.jobs.job import Job
from stepsched.jobs.names import checked_name
from stepsched.jobs.policies import CatchUp, Retry
from stepsched.jobs.sources import FileProblem, checked_text, refuse
from stepsched.schedules import Cron
from stepsched.schedules.crontab_lines import HASHED, REBOOT
from stepsched.schedules.zones import load_zone
from stepsched.targets import CommandTarget

_BLANKS = re.compile(r"[ \t]+")
_VARIABLE = re.compile(
    r"""(?P<quote>["']?)(?P<name>[A-Za-z_]\w*)(?P=quote)[ \t]*=[ \t]*(?P<value>.*)""", re.ASCII
)
_NAME = re.compile(r"#[ \t]*name:[ \t]*(.*)")
_LONGEST_COMMAND = 131_071
"""The number of bytes that one argument of a program may have on Linux."""
_INSTRUCTIONS = {
    "CRON_TZ",
    "RANDOM_DELAY",
    "MAILTO",
    "MAILFROM",
    "CONTENT_TYPE",
    "CONTENT_TRANSFER_ENCODING",
}
"""The variables that instruct cron and are not passed to the commands."""
_ANY_INSTANT = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""A crontab has no years, so that a line that runs at all runs after any instant."""
_DRAWN = re.compile(
    rf"(?!H)(?:{HASHED.pattern})|\d{{0,2}}~\d{{0,2}}(?:/\d{{1,3}})?", re.IGNORECASE | re.ASCII
)
"""An item whose value is random: ``R``, and ``~`` of OpenBSD's cron."""
_USERS = ("root", "www-data", "nobody")
"""Users that a system crontab names before the command, and that are names of no command."""
_BEFORE = ("cd", "test", "[", "[[", ".", "source", "export", "set", "umask", "sleep")
"""Commands before the program that gives a job its name."""
_PREFIXES = ("exec", "nice", "env", "sudo", "time", "nohup", "!", "{", "(")
"""Words before a program."""


def load_crontab(source: str | Path, *, timezone: str | tzinfo = "UTC") -> list[Job]:
    """Reads all lines of a crontab, in order, as jobs of the embedded backend.

    A line runs as cron runs it: by ``/bin/sh -c`` or the ``SHELL`` of the file, in ``HOME`` or the home
    directory of the user that runs it, with the variables above it, and with the text after ``%`` as its
    standard input. It is not repeated when it fails, and runs that came due while no process was running are
    left out. A command of the file is code: read only files that you trust.

    The name of a job is the one in a comment ``# name: backup`` above the line, with nothing but other
    comments in between; otherwise the program and a digest of the command, so that other lines do not change
    it. A line with the same command as one above it has the schedule in its digest too. ``H`` is computed
    from the name.

    Args:
        source: The path of a crontab of a user, in the format of ``crontab -l``: without a column of users.
        timezone: The IANA name of the zone of the wall times, or a ``ZoneInfo``. ``CRON_TZ`` in the file
            overrides it for the lines below.

    Raises:
        JobFileError: The file cannot be read, has no job, or a line cannot be read, has no equivalent or
            would never run; the error lists all such lines. No job is returned then.
        InvalidScheduleError: There is no such zone.

    Warns:
        ScheduleWarning: The file has a ``MAILTO``, and no mail is sent; or a name in a comment that is above
            no line.
    """
    path = path_of(source, "the path of a crontab")
    load_zone(timezone)
    _refuse_system_crontab(path)
    return _jobs_in(read_text(path), timezone, str(source))


def read_crontab(text: str, *, timezone: str | tzinfo = "UTC", source: str = "the text") -> list[Job]:
    """Reads all lines of the text of a crontab, as :func:`load_crontab` reads those of a file.

    Args:
        text: The text, such as the output of ``crontab -l``.
        timezone: As for :func:`load_crontab`.
        source: Where the text is from, for errors and warnings.

    Raises:
        TypeError: ``text`` is not a string.
        JobFileError: As for :func:`load_crontab`.
        InvalidScheduleError: There is no such zone.

    Warns:
        ScheduleWarning: As for :func:`load_crontab`.

    Example:
        >>> [job.schedule.expression for job in read_crontab("0 9 * * 1-5  backup --all")]
        ['cron(0 9 ? * MON-FRI *)']
    """
    return _jobs_in(checked_text(text), timezone, source)


def _jobs_in(text: str, timezone: str | tzinfo, source: str) -> list[Job]:
    reader = _Reader(load_zone(timezone).key)
    for number, line in enumerate(text.split("\n"), 1):
        reader.try_to_read(number, line.strip(" \t\r"))
    refuse(source, reader.problems)
    if not reader.jobs:
        raise JobFileError(source, "expected at least one job, got none")
    unused = reader.unused_names
    if reader.given_name is not None:
        unused = {**unused, reader.given_name: reader.given_at}
    if unused:
        warnings.warn(
            f"{source}: the names {', '.join(map(quoted, unused))} in comments are of no job; write such a "
            f"comment directly above the line of the job ({_lines(unused.values())})",
            ScheduleWarning,
            stacklevel=3,
        )
    if reader.mail_to:
        warnings.warn(
            f"{source}: no mail is sent to MAILTO={', '.join(reader.mail_to)}; failed runs are logged and "
            "listed, and Job(notify=...) tells a function that is registered for its topic "
            f"({_lines(reader.mail_to.values())})",
            ScheduleWarning,
            stacklevel=3,
        )
    return reader.jobs


def _lines(numbers: Iterable[int]) -> str:
    known = sorted(numbers)
    return f"line{'s' if len(known) > 1 else ''} {', '.join(map(str, known))}"


def _refuse_system_crontab(path: Path) -> None:
    if path.absolute() == Path("/etc/crontab") or path.absolute().parent.name == "cron.d":
        raise JobFileError(str(path), f"{_SYSTEM}; copy its lines to a file without that column")


_SYSTEM = "it is a system crontab, which has a column of users, and jobs run as the user of the process"


class _LineError(Exception):
    """A line cannot be read; the message is the reason."""


class _Entry(NamedTuple):
    """A line with a command."""

    schedule: str
    command: str
    stdin: str


class _Reader:
    """The jobs of the lines so far, and what the next line depends on."""

    def __init__(self, timezone: str) -> None:
        self.jobs: list[Job] = []
        self.problems: list[FileProblem] = []
        self.number = 0
        """The number of the line that is read."""
        self.mail_to: dict[str, int] = {}
        """The addresses to which cron would send mail, with the line of each."""
        self.names: set[str] = set()
        self.given_name: str | None = None
        """The name in the comment above the line."""
        self.given_at = 0
        """The line of that comment."""
        self.unused_names: dict[str, int] = {}
        """The names in comments that are above no line, with the line of each."""
        self.default_zone = self.timezone = timezone
        self.jitter = timedelta(0)
        self.variables: dict[str, str] = {}

    def try_to_read(self, number: int, line: str) -> None:
        """Reads one line, or records why it cannot be read."""
        self.number = number
        try:
            self.read(line)
        except _LineError as error:
            self.problems.append(FileProblem(number, str(error), f"line {number}: {error}"))

    def read(self, line: str) -> None:
        comment, variable = _NAME.fullmatch(line), _VARIABLE.fullmatch(line)
        if line.startswith("#") and comment is None:
            return
        given, self.given_name = self.given_name, None
        if "\0" in line:
            raise _LineError("it has a NUL character")
        if line and comment is None and variable is None:
            self.jobs.append(self.job(_entry(line), given))
            return
        if given is not None:
            self.unused_names[given] = self.given_at
        if comment is not None:
            self.given_name, self.given_at = comment[1].strip(), self.number
        elif variable is not None:
            self.set_variable(variable["name"], _unquoted(variable["value"]))

    def set_variable(self, name: str, value: str) -> None:
        match name:
            case "CRON_TZ":
                try:
                    load_zone(value or self.default_zone)
                except InvalidScheduleError as error:
                    raise _LineError(f"CRON_TZ: {error.reason}") from error
                self.timezone = value or self.default_zone
            case "RANDOM_DELAY":
                if not re.fullmatch(r"\d{1,4}", value, re.ASCII) or int(value) > 24 * 60:
                    raise _LineError(f"RANDOM_DELAY: expected 0 to 1440 minutes, got {quoted(value)}")
                self.jitter = timedelta(minutes=int(value))
            case "MAILTO" if value and value not in self.mail_to:
                self.mail_to[value] = self.number
        if name not in _INSTRUCTIONS:
            self.variables[name] = value

    def job(self, entry: _Entry, given: str | None) -> Job:
        name = self.name(entry, given)
        try:
            schedule = Cron.from_crontab(entry.schedule, timezone=self.timezone, hash_id=name)
        except InvalidScheduleError as error:
            raise _LineError(f"{error.field}: {error.reason}") from error
        if schedule.next_run(after=_ANY_INSTANT) is None:
            raise _LineError(
                f"{quoted(entry.schedule)} would never run: it matches no time in {self.timezone}"
            )
        target = CommandTarget(
            [self.variables.get("SHELL") or "/bin/sh", "-c", entry.command],
            cwd=self.variables.get("HOME") or "~",
            env=self.variables,
            stdin=entry.stdin,
        )
        return Job(
            name=name,
            schedule=schedule,
            target=target,
            retry=Retry(max_attempts=0),
            catch_up=CatchUp.SKIP,
            jitter=self.jitter,
        )

    def name(self, entry: _Entry, given: str | None) -> str:
        if given is not None:
            try:
                checked_name(given)
            except ValueError as error:
                raise _LineError(str(error)) from error
            if given in self.names:
                raise _LineError(f"duplicate job name: {quoted(given)}")
        name = given or next(name for name in _names(entry) if name not in self.names)
        self.names.add(name)
        return name


def _unquoted(value: str) -> str:
    """Returns the value of a variable without the quotes around it."""
    quote = value[:1]
    if quote not in ("'", '"') or not value:
        return value
    if len(value) < 2 or value.find(quote, 1) != len(value) - 1:
        raise _LineError(f"expected a value in a pair of quotes, got {quoted(value)}")
    return value[1:-1]


def _entry(line: str) -> _Entry:
    count = 1 if line.startswith("@") else 5
    *fields, rest = [*_BLANKS.split(line, maxsplit=count), ""][: count + 1]
    schedule = " ".join(fields)
    if fields[0].lower() == "@reboot":
        raise _LineError(REBOOT)
    if len(fields) == count and not rest:
        raise _LineError(
            f"expected {'a shortcut' if count == 1 else 'five fields'} and a command, got {quoted(line)}"
        )
    items = (item for field in fields for item in field.split(","))
    drawn = next((item for item in items if _DRAWN.fullmatch(item)), None)
    if drawn is not None:
        raise _LineError(
            f"{drawn!r} is drawn again whenever the file is read; use H, or H(0-29) for a range, which is "
            "computed from the name"
        )
    first = _BLANKS.split(rest)[0]
    if re.fullmatch(r"[*?][*?/\d,-]*", first):
        after = "the shortcut" if count == 1 else "five fields"
        raise _LineError(f"expected a command after {after}, got {first!r}; a crontab has no more fields")
    if first.startswith("-"):
        raise _LineError(
            f"expected a command, got {first!r}, which is an option of OpenBSD's cron; leave it out"
        )
    if first in _USERS:
        raise _LineError(f"{first!r} is a user; {_SYSTEM}; remove the column")
    if len(rest.encode()) > _LONGEST_COMMAND:
        raise _LineError(f"expected a command of at most {_LONGEST_COMMAND:,} bytes, the limit of Linux")
    parts = re.fullmatch(r"((?:\\.|[^\\%])*\\?)(?:%(.*))?", rest)
    assert parts is not None
    return _Entry(schedule, _unescaped(parts[1]), _standard_input(parts[2] or ""))


def _unescaped(command: str) -> str:
    r"""Returns a command with ``%`` for ``\%``; other backslashes belong to the shell."""
    return re.sub(r"\\(.)", lambda pair: "%" if pair[1] == "%" else pair[0], command)


def _standard_input(text: str) -> str:
    r"""Returns the text after the first ``%``: each further ``%`` ends a line, and ``\%`` is ``%``."""
    lines = re.sub(r"\\?%", lambda mark: "%" if len(mark[0]) == 2 else "\n", text)
    return lines if not lines or lines.endswith("\n") else f"{lines}\n"


def _names(entry: _Entry) -> Iterator[str]:
    """Yields the names for a line, the preferred one first: they depend on the line alone."""
    program = _slug(_program(entry.command))
    whole = f"{entry.command}%{entry.stdin}"
    yield f"{program}-{_digest(whole)}"
    second = f"{program}-{_digest(f'{entry.schedule} {whole}')}"
    yield second
    number = 2
    while True:
        yield f"{second}-{number}"
        number += 1


def _program(command: str) -> str:
    """Returns the word of a command that names its program, without its folder."""
    for part in re.split(r"&&|\|\||[;|&]", command):
        for word in part.split():
            if word in _BEFORE:
                break
            if word not in _PREFIXES and not re.match(r"-|\d+$|\w+=", word):
                return word.rpartition("/")[2]
    return ""


def _slug(text: str) -> str:
    """Returns the text with the characters of a job's name, at most 40."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:40].strip("-.") or "command"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
