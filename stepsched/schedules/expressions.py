"""Parses AWS expressions into schedules."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import quoted
from stepsched.schedules.base import LONGEST_EXPRESSION
from stepsched.schedules.cron import Cron
from stepsched.schedules.onetime import OneTime
from stepsched.schedules.rate import Rate
from stepsched.schedules.zones import load_zone

_FORMS = "the forms are at(yyyy-mm-ddThh:mm:ss), rate(5 minutes) and cron(0 9 ? * MON-FRI *)"


def parse_schedule(
    expression: str,
    *,
    timezone: str | tzinfo = "UTC",
    start: datetime | str | None = None,
    end: datetime | str | None = None,
) -> OneTime | Rate | Cron:
    """Parses an expression ``at( )``, ``rate( )`` or ``cron( )`` as EventBridge Scheduler does.

    Args:
        expression: The expression: 1 to 256 characters; keywords in any case, no blank around or inside the
            parentheses.
        timezone: The IANA name of the zone of ``at`` and ``cron``, or a ``ZoneInfo``; ignored for a rate, as
            on AWS.
        start: The start of the window of ``rate`` and ``cron``, inclusive; ignored for ``at``, as on AWS.
        end: The end of the window, inclusive; ignored for ``at``, as on AWS.

    Raises:
        InvalidScheduleError: The expression is not valid; the error names the field, the value and the
            correction.
    """
    if not isinstance(expression, str):
        reason = f"expected a string, got {type(expression).__name__}"
        raise InvalidScheduleError(quoted(expression), "expression", reason)
    expression = str.__str__(expression)
    if len(expression) > LONGEST_EXPRESSION:
        reason = f"expected at most {LONGEST_EXPRESSION} characters, as on AWS, got {len(expression):,}"
        raise InvalidScheduleError(expression, "expression", reason)
    match = re.fullmatch(r"(at|rate|cron)\((.*)\)", expression, re.IGNORECASE | re.ASCII)
    if match is None or match[2] != match[2].strip():
        raise InvalidScheduleError(expression, "expression", _why_not(expression))
    match match[1].lower():
        case "at":
            Rate(timedelta(minutes=1), start=start, end=end)  # ignored, but still validated
            return OneTime.from_expression(expression, timezone=timezone)
        case "rate":
            load_zone(timezone)
            return Rate.from_expression(expression, start=start, end=end)
        case _:
            return Cron(expression, timezone=timezone, start=start, end=end)


def is_crontab(text: str) -> bool:
    """Whether a text looks like the times of a line of a Unix crontab."""
    return text.startswith("@") or re.fullmatch(r"\S+( +\S+){4}", text) is not None


def _why_not(text: str) -> str:
    bare = re.sub(r"\s*([()])\s*", r"\1", text.strip())
    if bare != text and len(text) <= 100 and re.fullmatch(r"(at|rate|cron)\(.*\)", bare, re.IGNORECASE):
        return f"expected no blank around the text or next to the parentheses; write {bare!r}"
    if not text.strip():
        return f"it is empty; {_FORMS}"
    if re.fullmatch(r"(at|rate|cron)\([^()]{1,90}", bare, re.IGNORECASE):
        return f"the closing parenthesis is missing; write {bare + ')'!r}"
    if len(text) > 100:  # too long to be repeated in a correction
        return f"{quoted(text)} cannot be read; {_FORMS}"
    if is_crontab(text):
        return (
            f"{text!r} has no at( ), rate( ) or cron( ) around it; "
            f"a Unix crontab is read by Cron.from_crontab({text!r})"
        )
    if re.fullmatch(r"\S+( +\S+){5}", text):
        return f"{text!r} lacks its wrapper; write 'cron({text})'"
    return f"{quoted(text)} cannot be read; {_FORMS}"
