"""Reads and writes lengths of time as people write them: "5 minutes", "1 hour and 30 minutes"."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

_AMOUNT = r"[0-9]{1,12}(?:\.[0-9]{1,12})? *[A-Za-z]+"
_AMOUNTS = re.compile(rf"{_AMOUNT}(?:(?:,| and|, and)? +{_AMOUNT})*")
MICROSECONDS = {
    "week": 604_800_000_000,
    "day": 86_400_000_000,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1_000,
}
"""The lengths of the units that have a fixed length."""


def read_amounts(text: str) -> list[tuple[str, str]] | None:
    """Returns the numbers and units of a text such as "1 hour and 30 minutes", unchanged and in order; None
    if the text has another form."""
    if _AMOUNTS.fullmatch(text.strip()) is None:
        return None
    return re.findall(r"([0-9.]+) *([A-Za-z]+)", re.sub(r"\band\b", " ", text))


def read_length(text: str) -> timedelta | None:
    """Returns the length of time that a text such as "5 minutes" names; None if it is no such text, or not of
    units with a fixed length in whole microseconds. Units may be singular or plural, each at most once."""
    length, seen = Fraction(0), set[str]()
    for number, word in read_amounts(text) or ():
        unit = word.lower().removesuffix("s")
        if unit not in MICROSECONDS or unit in seen:
            return None
        seen.add(unit)
        length += Fraction(number) * MICROSECONDS[unit]
    try:
        return timedelta(microseconds=int(length)) if seen and length.denominator == 1 else None
    except OverflowError:
        return None


def length_text(length: timedelta) -> str | None:
    """Returns the text of a length of time, such as "1 hour and 30 minutes"; None if it is not of whole
    seconds, or below 0."""
    rest, parts = length // timedelta(microseconds=1), list[str]()
    if rest < 0 or rest % 1_000_000:
        return None
    for unit in ("day", "hour", "minute", "second"):
        count, rest = divmod(rest, MICROSECONDS[unit])
        if count:
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or "0 seconds"
