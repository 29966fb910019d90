"""The ``datetime`` of the standard library, also in tests that put another class under its name.

freezegun replaces each module attribute that is this class, so it is kept in a tuple here. Values that
outlive such a test, in schedules and in caches, are made with it. Modules may be imported in such a test too,
and pydantic recognises only the class that ``datetime.datetime`` is at that time, so the fields of models
name their type with ``Datetime`` and ``Day``.
"""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator

from stepsched.core.quoting import quoted

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_PLAIN: tuple[type[datetime], ...] = tuple(kind for kind in datetime.__mro__ if kind.__module__ == "datetime")


def _read_day(value: object) -> object:
    """Refuses a date without a year, such as the ``NaT`` of pandas."""
    if isinstance(value, date):
        try:
            date(value.year, value.month, value.day)
        except (TypeError, ValueError) as error:
            raise ValueError(f"expected a date, got {quoted(value)}") from error
    return value


class _Field:
    """Tells pydantic the type of a field by its name."""

    __slots__ = ("_type",)

    def __init__(self, type_name: Literal["date", "datetime"]) -> None:
        self._type = type_name

    def __get_pydantic_core_schema__(self, source: object, handler: Any) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.date_schema() if self._type == "date" else core_schema.datetime_schema()


Day = Annotated[date, _Field("date"), BeforeValidator(_read_day)]
"""A date, as the type of a model's field."""
Datetime = Annotated[datetime, _Field("datetime")]
"""A datetime, as the type of a model's field."""


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
