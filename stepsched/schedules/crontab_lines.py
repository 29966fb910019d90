"""The parts of a crontab line as a whole: its five fields, shortcuts, and what else a line may hold."""

from __future__ import annotations

import re
from datetime import timedelta

from stepsched.core.errors import InvalidScheduleError
from stepsched.schedules.cron_fields import parse_cron
from stepsched.schedules.cron_items import MONTHS, WEEKDAYS
from stepsched.schedules.frequency import window_of_seconds

LONGEST = 256
"""The largest number of characters of a line: as many as an AWS expression may have."""
SHORTCUTS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
HASHED = re.compile(r"([HR])(?:\((\d{1,2})-(\d{1,2})\))?(?:/(\d{1,3}))?", re.IGNORECASE | re.ASCII)
"""An item whose value is computed from a name (``H``) or random (``R``)."""
REBOOT = (
    "@reboot names no time; call the command when the program starts, or let the service manager of the "
    "system start it"
)
_FIELD = re.compile(rf"(?:[\d*?/,#~()LWHR-]|{'|'.join((*MONTHS, *WEEKDAYS))})+", re.IGNORECASE | re.ASCII)
"""What could be a field of some dialect, and not a word of a command."""
_LIKE_SHORTCUTS = {
    "@weekdays": "0 0 * * 1-5",
    "@weekday": "0 0 * * 1-5",
    "@weekends": "0 0 * * 0,6",
    "@weekend": "0 0 * * 0,6",
    "@quarterly": "0 0 1 */3 *",
    "@every_minute": "* * * * *",
}
_UNITS = {"h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}


def fields(line: str) -> list[str]:
    """Returns the five fields of a line; a shortcut has those that it stands for.

    Raises:
        InvalidScheduleError: The line has another number of fields, or other parts.
    """
    text = line.strip(" \t\r\n")
    if len(text) > LONGEST:
        reason = f"expected at most {LONGEST} characters, got {len(text)}"
        raise InvalidScheduleError(line, "crontab", reason)
    if text.startswith("@"):
        return _shortcut(line, text)
    parts = re.split(r"[ \t]+", text) if text else []
    if len(parts) == 5 and text.isascii() and text.replace("\t", " ").isprintable():
        return parts
    raise InvalidScheduleError(line, "crontab", _why_not_five(text, parts))


def _shortcut(line: str, text: str) -> list[str]:
    name, _, rest = text.partition(" ")
    known = SHORTCUTS.get(name.lower())
    if known is not None and not rest:
        return known.split(" ")
    if name.lower() == "@reboot":
        reason = REBOOT
    elif name.lower() == "@every":
        reason = f"a crontab has no @every; {_every(rest)}"
    elif known is not None:
        reason = f"expected nothing after {name}; {_IN_A_FILE}"
    else:
        reason = f"unknown shortcut {name!r}; expected {', '.join(SHORTCUTS)}"
        if name.lower() in _LIKE_SHORTCUTS:
            reason += f"; write {_LIKE_SHORTCUTS[name.lower()]!r}"
    raise InvalidScheduleError(line, "crontab", reason)


_IN_A_FILE = "a crontab with commands is a file, which load_crontab(path) reads"


def _every(text: str) -> str:
    """Returns what to use instead of an interval such as ``1h30m``."""
    parts = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", text.strip().lower(), re.ASCII)
    amounts = [int(part or 0) for part in parts.groups()] if parts else [0]
    length = sum(
        (amount * unit for amount, unit in zip(amounts, _UNITS.values(), strict=False)), timedelta(0)
    )
    if not length:
        return "use Rate(timedelta(minutes=5)) for every 5 minutes"
    minutes, seconds = divmod(length, timedelta(minutes=1))
    if seconds:
        return f"use {window_of_seconds(int(length.total_seconds()))}"
    return f"use Rate(timedelta(minutes={minutes}))"


def _why_not_five(text: str, parts: list[str]) -> str:
    five = "expected five fields, minute hour day-of-month month day-of-week"
    anyway = text.split()
    zone = re.fullmatch(r"(?:CRON_)?TZ\s*=\s*[\"']?([\w/+-]*)[\"']?\s+(\S.*)", text, re.IGNORECASE | re.ASCII)
    if zone is not None:
        return f"a line has no zone in it; use Cron.from_crontab({zone[2]!r}, timezone={zone[1]!r})"
    if text.lower().startswith("cron("):
        return f"{five}, got text of the AWS dialect; use Cron({text!r})"
    if "\n" in text or "\r" in text:
        return f"{five}, got more than one line; load_crontab(path) reads a file"
    if len(anyway) == 5 and len(parts) != 5:
        return f"expected blanks or tabs between the fields, got other characters; write {' '.join(anyway)!r}"
    if len(parts) == 5:
        strange = next(part for part in parts if not (part.isascii() and part.isprintable()))
        return f"{strange!a} has characters that no field allows"
    return f"{five}, got {len(parts)}{_beyond_five(parts)}"


def _beyond_five(parts: list[str]) -> str:
    """Returns what to use instead of a line with more than five fields; empty if it has fewer."""
    if len(parts) < 6:
        return ""
    if len(parts) > 7 or not all(_FIELD.fullmatch(part) for part in parts):
        return f"; {_IN_A_FILE}"
    years = " ".join([*parts[:4], "?", parts[5]])
    if len(parts) == 6 and re.match(r"(19|20|21)\d\d", parts[5]) and _is_aws(years):
        return f"; for years use Cron({years!r}) of the AWS dialect"
    rest = " ".join(parts[1:])
    if _is_aws(rest):
        return (
            f"; if the first is seconds, use Cron({rest!r}); for steps of seconds use {window_of_seconds()}"
        )
    instead = f"if the first is seconds, write {rest!r}; " if parts[0].strip("0") == "" else ""
    return f"; {instead if len(parts) == 6 else ''}for steps of seconds use {window_of_seconds()}"


def as_aws(text: str) -> str:
    """Returns the code that reads a text of the AWS dialect; empty if it is none."""
    text = " ".join(text.split())
    return f"Cron({text!r})" if _is_aws(text) else ""


def _is_aws(text: str) -> bool:
    try:
        parse_cron(text)
    except InvalidScheduleError:
        return False
    return True


def why_not_a_value(token: str) -> str:
    """Returns what to use instead of a token of other tools; empty if it is none."""
    upper = token.upper()
    if "~" in token:
        low, _, high = token.partition("~")
        drawn = f"R({low}-{high})" if low.isdigit() and high.isdigit() else "R"
        return f"{token!r}: '~' draws a value; write {drawn}, or H for a value that stays the same"
    if HASHED.fullmatch(token):
        return f"{token!r} names no fixed time; Cron.from_crontab replaces it by a value"
    if upper[:1] in ("H", "R"):
        return (
            f"{token!r} cannot be read; such fields are written H, H(0-29), H/15 or H(0-29)/10, also with R"
        )
    return ""
