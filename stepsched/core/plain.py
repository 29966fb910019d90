"""The ``datetime`` of the standard library, also in tests that put another class under its name.

freezegun replaces each module attribute that is this class, so it is kept in a tuple here. Values that
outlive such a test, in schedules and in caches, are made with it.
"""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from stepsched.core.quoting import quoted

_PLAIN: tuple[type[datetime], ...] = tuple(kind for kind in datetime.__mro__ if kind.__module__ == "datetime")


def _read_day(value: object) -> object:
    """Refuses a date without a year, such as the ``NaT`` of pandas."""
    if isinstance(value, date):
        try:
            date(value.year, value.month, value.day)
        except (TypeError, ValueError) as error:
            raise ValueError(f"expected a date, got {quoted(value)}") from error
    return value


if TYPE_CHECKING:
    Day = date
else:
    Day = Annotated[_PLAIN[0].__mro__[1], BeforeValidator(_read_day)]
    """A date, as the type of a model's field."""


def is_plain_datetime(value: object) -> bool:
    """Returns whether the value is a datetime of the standard library, and not of a subclass."""
    return type(value) is _PLAIN[0]


def plain_datetime(
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: int = 0,
    microsecond: int = 0,
    tzinfo: tzinfo | None = None,
    *,
    fold: int = 0,
) -> datetime:
    """Creates a datetime of the standard library."""
    return _PLAIN[0](year, month, day, hour, minute, second, microsecond, tzinfo, fold=fold)
