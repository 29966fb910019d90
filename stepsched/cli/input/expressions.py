"""The expression of a schedule as a command line writes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from stepsched.schedules import AnySchedule

Function = TypeVar("Function", bound=Callable[..., Any])
_EVERY = re.compile(r"every +(.*)", re.IGNORECASE | re.DOTALL)
_UNIT = re.compile(r"[A-Za-z]+")
_BARE_CRON = re.compile(r"[0-9*?/,-]+( +[^ ()]+){5,6}")
"""The six fields of AWS without ``cron( )``, or one too many."""
_SHORTCUT = re.compile("hourly|daily|weekly|monthly|yearly", re.IGNORECASE)
_WORDS = (
    (
        r"needs start: the first run, such as start: (\S+)",
        r"needs --start, the first run, such as --start \1",
    ),
    (r"write schedule: (rate\([^)]*\))", r"write '\1'"),
    (r"write every: 1 (\w+?)s?, with start", r"write 'every \1' with --start"),
    (r"write every: ([\d.]+ \w+), with start", r"write 'every \1' with --start"),
    (r"write every: (\d+ \w+)", r"write 'every \1'"),
    (r"and timezone: \.\.\., which is timezone: UTC for Z", "and --timezone, which is --timezone UTC for Z"),
    (
        r"(rate\(5 minutes\)) and (cron\(\S+ 9 \? \* MON-FRI \*\))$",
        r"\1, \2, '0 9 * * 1-5' as in a crontab, and 'every month' with --start",
    ),
    (r"a step of seconds needs start, the first run", "a step of seconds needs --start, the first run"),
    (r"or write timezone: (\S+)", r"or use --timezone \1"),
    (r"write schedule: \{crontab: ('[^']*')\}", r"write \1"),
    (r"\{crontab: ('[^']*'), timezone: '([^']*)'\}", r"\1 --timezone \2"),
    (r"\{crontab: ('[^']*')\}", r"\1"),
)
"""Words of files of jobs, and what a command line says instead."""


def schedule_options(function: Function) -> Function:
    """Adds the options that belong to an expression."""
    for parameter in reversed(
        (
            click.option(
                "--timezone", metavar="ZONE", help="The IANA name of the time zone; UTC, if not given."
            ),
            click.option("--start", metavar="TIME", help="The start of the schedule, inclusive."),
            click.option("--end", metavar="TIME", help="The end of the schedule, inclusive."),
        )
    ):
        function = parameter(function)
    return function


def expression_options(function: Function) -> Function:
    """Adds the expression and the options that belong to it."""
    return expression_argument(is_required=True)(schedule_options(function))


class _Expression(click.Argument):
    """An argument that takes several words, so that an expression without quotes can be refused."""

    def make_metavar(self, *_: Any, **__: Any) -> str:
        """Returns the placeholder in the help, which is that of one word."""
        return "EXPRESSION" if self.required else "[EXPRESSION]"


def expression_argument(*, is_required: bool) -> Callable[[Function], Function]:
    """Returns the argument for an expression.

    Args:
        is_required: Whether it has to be given; otherwise it is None if it is not.
    """
    return click.argument(
        "expression", cls=_Expression, nargs=-1, required=is_required, callback=_refuse_several
    )


def _refuse_several(_context: click.Context, _parameter: click.Parameter, words: Sequence[str]) -> str | None:
    """Refuses an expression without quotes, in which a shell has replaced each star by the names of files."""
    if len(words) > 1:
        raise click.UsageError(f"expected one expression, got {len(words)} arguments; write it in quotes")
    return words[0] if words else None


def read_expression(
    expression: str, *, timezone: str | None, start: str | None, end: str | None
) -> AnySchedule:
    """Reads an expression as files of jobs have it: at( ), rate( ), cron( ), the six fields of AWS alone,
    five fields or a shortcut of a Unix crontab, or a calendar step in words, such as ``every month``.

    Raises:
        UsageError: It is none of them, or another value is not valid.
    """
    from stepsched.jobs.written import Mistakes, read_schedule

    word = expression.strip()
    if _SHORTCUT.fullmatch(word):
        raise click.UsageError(f"{word!r} cannot be read; write '@{word.lower()}'")
    options = {"timezone": timezone, "start": start, "end": end}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        # AWS refuses blanks around its own forms.
        text = expression if "(" in expression else expression.strip()
        return read_schedule({**_document(text), **given})
    except Mistakes as found:
        problem = found.problems[0]
        option = next((f"--{name}: " for name in given if problem.place == (name,)), "")
        raise click.UsageError(option + of_an_expression(problem.text)) from found


def _document(expression: str) -> dict[str, Any]:
    """Returns the part of a job in a file that an expression stands for."""
    from stepsched.core.amounts import read_amounts

    step = _EVERY.fullmatch(expression)
    if step is not None:
        return {"every": f"1 {step[1]}" if _UNIT.fullmatch(step[1]) else step[1]}
    if read_amounts(expression) or re.fullmatch(r"P[0-9T].*", expression):
        return {"every": expression}
    if expression.startswith("@") or ("(" not in expression and len(expression.split()) == 5):
        return {"schedule": {"crontab": expression}}
    if _BARE_CRON.fullmatch(expression):
        return {"schedule": {"expression": expression}}
    return {"schedule": expression}


def of_an_expression(text: str) -> str:
    """Returns what the reader of job files says of a schedule, in words of the command line."""
    for pattern, words in _WORDS:
        text = re.sub(pattern, words, text)
    return text
