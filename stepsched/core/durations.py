"""Reads and writes durations: whatever subclass or text comes in, a plain ``timedelta`` goes on.

A subclass may calculate differently from a timedelta: the difference of two datetimes of pendulum cannot be
divided by one, and the duration of pandas has nanoseconds and another range.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

from stepsched.core.amounts import MICROSECONDS
from stepsched.core.quoting import quoted

_TICK = timedelta(microseconds=1)
_LONGEST_TEXT = 100
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_ISO = re.compile(
    rf"(?P<sign>-?)P(?=[0-9T])(?:(?P<week>{_NUMBER})W)?(?:(?P<day>{_NUMBER})D)?"
    rf"(?:T(?=[0-9])(?:(?P<hour>{_NUMBER})H)?(?:(?P<minute>{_NUMBER})M)?(?:(?P<second>{_NUMBER})S)?)?"
)


def plain_duration(value: timedelta) -> timedelta:
    """Returns a timedelta of any subclass as a plain one; nanoseconds are rounded up to a microsecond (P-35).

    Raises:
        ValueError: The value has months or years, which have no fixed length, or is too long.
    """
    if type(value) is timedelta:
        return value
    # pendulum's Duration counts a year as 365 days; its Interval, between two instants, is elapsed time.
    if (getattr(value, "years", 0) or getattr(value, "months", 0)) and not hasattr(value, "start"):
        raise ValueError(
            f"expected a duration of fixed length, got {quoted(value)} with months or years; "
            "use Windowed(start, every=Frequency(months=1)) for calendar steps"
        )
    days, seconds, microseconds = (
        part.__get__(value) for part in (timedelta.days, timedelta.seconds, timedelta.microseconds)
    )
    plain = timedelta(days, seconds, microseconds)
    nanoseconds = getattr(value, "nanoseconds", 0)
    try:
        return plain + _TICK if isinstance(nanoseconds, int) and nanoseconds > 0 else plain
    except OverflowError as error:
        raise ValueError(f"expected a duration that a timedelta can hold, got {quoted(value)}") from error


def read_duration(value: object) -> timedelta:
    """Reads a timedelta, or an ISO 8601 string of weeks, days, hours, minutes and seconds.

    Fractions finer than a microsecond are rounded up (P-35).

    Raises:
        ValueError: The value is no such duration.
    """
    if isinstance(value, timedelta):
        return plain_duration(value)
    match = _ISO.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None
    if match is None:
        raise ValueError(
            "expected a timedelta, such as timedelta(minutes=5) (or an ISO 8601 string without months and "
            f"years, such as 'PT5M'), got {quoted(value)}{_cure(value)}"
        )
    number: type[int | Fraction] = Fraction if "." in match[0] else int  # which is far faster
    exact = sum(
        number(text) * MICROSECONDS[unit]
        for unit, text in match.groupdict().items()
        if text and unit != "sign"
    )
    try:
        return timedelta(microseconds=-(-exact // 1) if not match["sign"] else -(exact // 1))
    except OverflowError as error:
        raise ValueError(f"expected a duration that a timedelta can hold, got {quoted(value)}") from error


def _cure(value: object) -> str:
    """Returns how to convert a value of another library; empty if it is none."""
    if type(value).__module__.partition(".")[0] == "numpy" and type(value).__name__ == "timedelta64":
        return "; use value.astype('timedelta64[us]').item()"
    for method in ("to_pytimedelta", "py_timedelta", "to_stdlib"):
        if hasattr(type(value), method):
            return f"; use value.{method}()"
    return ""


def seconds_of(value: timedelta | float | None, argument: str) -> float | None:
    """Returns a timeout in seconds.

    Args:
        value: A timedelta, or a number of seconds; at least zero. None, no timeout, is returned unchanged.
        argument: The name of the argument, for the error.

    Raises:
        TypeError: ``value`` has another type, such as a string or a bool.
        ValueError: ``value`` is negative, NaN, or longer than a timedelta can be.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, timedelta)):
        raise TypeError(
            f"expected {argument} in seconds, a timedelta, or None for no limit, got {quoted(value)}"
        )
    if isinstance(value, timedelta):
        value = plain_duration(value)
    try:
        length = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (OverflowError, ValueError) as error:  # too long, infinite, or NaN
        raise ValueError(
            f"expected {argument} of at least 0 seconds, got {quoted(value)}; use None for no limit"
        ) from error
    if length < timedelta(0) or (not isinstance(value, timedelta) and value < 0):
        raise ValueError(f"expected {argument} of at least 0 seconds, got {quoted(value)}")
    return length.total_seconds()


def step_of(value: object, argument: str) -> timedelta:
    """Returns a timedelta argument as a plain one.

    Raises:
        TypeError: ``value`` is not a timedelta.
        ValueError: ``value`` has no fixed length.
    """
    if not isinstance(value, timedelta):
        raise TypeError(f"expected a timedelta for {argument}, got {quoted(value)}{_cure(value)}")
    return plain_duration(value)


def write_duration(value: timedelta) -> str:
    """Returns ISO 8601 in days, hours, minutes and seconds; pydantic would write 365 days as a year."""
    hours, rest = divmod(value.seconds, 3_600)
    minutes, seconds = divmod(rest, 60)
    whole = f"{seconds}.{value.microseconds:06d}".rstrip("0") if value.microseconds else str(seconds)
    parts = ((hours, f"{hours}H"), (minutes, f"{minutes}M"), (whole != "0", f"{whole}S"))
    time = "".join(text for present, text in parts if present)
    days = f"{value.days}D" if value.days else ""
    return f"P{days}{'T' if time else ''}{time}" if days or time else "PT0S"
