"""The types of arguments and options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click
from click.shell_completion import CompletionItem

from stepsched.cli.session import Session

MOST_RUNS = 100_000
"""The maximum number of computed runs that a command prints, or counts."""
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "min": "minutes", "s": "seconds"}
_SHORT = re.compile(r"(?:[0-9]{1,9}(?:w|d|h|min|m|s))+")
_NUMBER = re.compile(r"-?[0-9]{1,100}")
_PART = re.compile(r"([0-9]+)(w|d|h|min|m|s)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT_EXPECTED = (
    "expected an ISO 8601 instant with its offset, such as 2030-01-31T09:00+01:00, or now, now+2h, now-1d, "
    "got "
)


class InstantType(click.ParamType):  # type: ignore[type-arg, unused-ignore] # newer clicks have one
    """An instant: ISO 8601 with an offset or a zone in brackets, ``now``, ``now+2h`` or ``now-1d``."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Returns the instant; aware."""
        if isinstance(value, datetime):
            return value
        from stepsched.schedules.moments import read_moment

        session = ctx.find_object(Session) if ctx is not None else None
        moment: datetime | None = None
        if value == "now":
            moment = (session or Session()).now()
        elif value.startswith(("now+", "now-")):
            moment = _from_now(value[3:], (session or Session()).now())
        else:
            try:
                moment = read_moment(value)
            except ValueError as error:
                self.fail(
                    _INSTANT_EXPECTED + _with_offset(value) if _DATE.fullmatch(value) else str(error),
                    param,
                    ctx,
                )
        if moment is None or moment.tzinfo is None:
            self.fail(_INSTANT_EXPECTED + (_with_offset(value) if moment else repr(value)), param, ctx)
        return moment


class LengthType(click.ParamType):  # type: ignore[type-arg, unused-ignore] # as above
    """A length of time: ``90s``, ``1h30m``, ``2d``, or ``90 minutes``."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Returns the length."""
        if isinstance(value, timedelta):
            return value
        length = read_length(value)
        if length is None:
            self.fail(f"expected a length of time such as 90s, 1h30m or 2d, got {value!r}", param, ctx)
        return length


class JobNameType(click.ParamType):  # type: ignore[type-arg, unused-ignore] # as above
    """The name of a stored job, which a shell completes."""

    name = "name"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 -- as click calls it
        incomplete: str,
    ) -> list[CompletionItem]:
        """Returns the stored jobs whose names begin with a text. Whatever goes wrong, there are none then."""
        from stepsched.cli.input.completing import names_of_jobs

        session = ctx.find_object(Session) or Session()
        group = ctx.params.get("group")
        found = names_of_jobs(session, incomplete, group=group if isinstance(group, str) else None)
        return [CompletionItem(name) for name in found]


class JobInFileType(click.ParamType):  # type: ignore[type-arg, unused-ignore] # as above
    """The name of a job in the file of the argument ``file``, which a shell completes."""

    name = "name"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 -- as click calls it
        incomplete: str,
    ) -> list[CompletionItem]:
        """Returns the jobs of the file whose names begin with a text; none of a Python file, which would be
        executed."""
        from stepsched.cli.input.completing import names_in_file

        file = ctx.params.get("file")
        return [CompletionItem(name) for name in names_in_file(file or "", incomplete)]


class NumberType(click.ParamType):  # type: ignore[type-arg, unused-ignore] # as above
    """A whole number in a range."""

    name = "n"

    def __init__(self, least: int = 0, most: int | None = None) -> None:
        """Creates the type.

        Args:
            least: The least number.
            most: The greatest number. None: any.
        """
        self.least = least
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Returns the number."""
        text = str(value)
        is_number = _NUMBER.fullmatch(text) is not None
        number = int(text) if is_number else self.least - 1
        if number < self.least or (self.most is not None and number > self.most):
            wanted = (
                f"of at least {self.least}" if self.most is None else f"from {self.least} to {self.most:,}"
            )
            self.fail(f"expected a whole number {wanted}, got {value!r}", param, ctx)
        return number


def _with_offset(value: str) -> str:
    """Returns a date, or a date and a time, and how it is written with the offset of UTC."""
    instant = f"{value}T00:00Z" if _DATE.fullmatch(value) else f"{value}Z"
    return f"{value!r}; write {instant}, if UTC is meant"


def _from_now(text: str, now: datetime) -> datetime | None:
    """Returns the instant that ``+2h`` or ``-1d`` names; None if it is no such text, or out of range."""
    length = read_length(text[1:])
    try:
        return None if length is None else now + length if text[0] == "+" else now - length
    except OverflowError:
        return None


def read_length(text: str) -> timedelta | None:
    """Returns the length of time that a text names; None if it is no such text."""
    from stepsched.core import amounts

    if _SHORT.fullmatch(text) is None:
        return amounts.read_length(text)
    length = timedelta(0)
    try:
        for number, unit in _PART.findall(text):
            length += timedelta(**{_UNITS[unit]: int(number)})
    except OverflowError:
        return None
    return length


INSTANT = InstantType()
LENGTH = LengthType()
NUMBER = NumberType()
NUMBER_OF_RUNS = NumberType(most=MOST_RUNS)
JOB_NAME = JobNameType()
JOB_IN_FILE = JobInFileType()


TASK_ROLES = click.option(
    "--task-role",
    "task_roles",
    metavar="ARN",
    multiple=True,
    help="A role of a task definition of ECS. May be repeated.",
)
"""The option for the roles of ECS task definitions."""
RESOURCES = click.option(
    "--resource",
    "resources",
    metavar="CALL=ARN",
    multiple=True,
    help="A resource of an API call, such as dynamodb:putItem=ARN. May be repeated.",
)
"""The option for the resources of API calls, which :func:`read_resources` reads."""


def read_resources(texts: Sequence[str]) -> dict[str, list[str]]:
    """Returns the resources by the call that the values of ``--resource`` name.

    Raises:
        UsageError: One has another form.
    """
    found = dict[str, list[str]]()
    for text in texts:
        call, mark, arn = text.partition("=")
        if not (call and mark and arn):
            raise click.UsageError(f"expected CALL=ARN for --resource, got {text!r}")
        found.setdefault(call, []).append(arn)
    return found
