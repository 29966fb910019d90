"""The expression of a schedule as a command line writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

import stepsched as ss

if TYPE_CHECKING:
    from stepsched.schedules import AnySchedule

Function = TypeVar("Function", bound=Callable[..., Any])


def expression_options(function: Function) -> Function:
    """Adds the expression and the options that belong to it."""
    for parameter in reversed(
        (
            click.argument("expression"),
            click.option(
                "--timezone", metavar="ZONE", help="The IANA name of the time zone; UTC, if not given."
            ),
            click.option("--start", metavar="TIME", help="The start of the schedule, inclusive."),
            click.option("--end", metavar="TIME", help="The end of the schedule, inclusive."),
        )
    ):
        function = parameter(function)
    return function


def read_expression(
    expression: str, *, timezone: str | None, start: str | None, end: str | None
) -> AnySchedule:
    """Reads an expression: at( ), rate( ), cron( ), or a line of a Unix crontab.

    Raises:
        InvalidScheduleError: It is none of them, or another value is not valid.
    """
    if len(expression.split()) == 5 and "(" not in expression:
        return ss.Cron.from_crontab(expression, timezone=timezone or "UTC", start=start, end=end)
    return ss.parse_schedule(expression, timezone=timezone or "UTC", start=start, end=end)
