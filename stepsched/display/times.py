"""Lengths of time for people."""

from __future__ import annotations

from datetime import timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def length_text(length: timedelta) -> str:
    """Returns the two largest units of a length of time, such as ``3 h 12 min``."""
    rest, parts = round(length.total_seconds()), list[str]()
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts)) or "0 s"


def took_text(length: timedelta) -> str:
    """Returns how long something took, as :func:`length_text`; below ten seconds more exactly.

    >>> [took_text(timedelta(seconds=seconds)) for seconds in (0.004, 0.9996, 3.14, 9.96, 90)]
    ['4 ms', '1.0 s', '3.1 s', '10 s', '1 min 30 s']
    """
    seconds = length.total_seconds()
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else length_text(length)
