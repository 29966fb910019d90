"""Results as data frames of pandas, and as tables of Arrow, which polars reads.

pandas and pyarrow are extras, and are loaded when something becomes a frame.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_NOT_A_TIME = -(2**63)
"""What stands for a missing time in an array of numpy."""


class Column(NamedTuple):
    """A column of a frame: its values, whose type does not depend on them."""

    name: str
    kind: Literal["text", "choice", "instant", "length", "bool", "int"]
    values: Sequence[Any]
    zone: tzinfo | None = None
    """The time zone of instants."""
    choices: Sequence[str] = ()
    """The texts that a choice is made from."""


def texts(name: str, values: Iterable[str | None]) -> Column:
    """Returns a column of texts. What UTF-8 cannot hold becomes an escape."""
    return Column(name, "text", [each if each is None else _plain(each) for each in values])


def choices(name: str, values: Iterable[Enum | None], of: type[Enum]) -> Column:
    """Returns a column of the values of an enumeration."""
    return Column(
        name,
        "choice",
        [None if each is None else each.value for each in values],
        choices=[each.value for each in of],
    )


def instants(name: str, values: Iterable[datetime | None], zone: tzinfo) -> Column:
    """Returns a column of instants in one time zone: a ``ZoneInfo``, or UTC."""
    return Column(name, "instant", list(values), zone=zone)


def lengths(name: str, values: Iterable[timedelta | None]) -> Column:
    """Returns a column of lengths of time."""
    return Column(name, "length", list(values))


def flags(name: str, values: Iterable[bool]) -> Column:
    """Returns a column of yes or no."""
    return Column(name, "bool", list(values))


def whole_numbers(name: str, values: Iterable[int]) -> Column:
    """Returns a column of whole numbers of at most 64 bits."""
    return Column(name, "int", list(values))


def between(start: datetime | None, end: datetime | None) -> timedelta | None:
    """Returns the time between two instants; None if one is missing."""
    return None if start is None or end is None else end - start


class Framed:
    """Results that become a data frame."""

    __slots__ = ()

    @abstractmethod
    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        """Returns the columns of the frame, all of equal length.

        Args:
            timezone: The time zone of all instants. None: that of the schedules if they share one, else UTC.
        """

    def to_pandas(self, timezone: str | tzinfo | None = None) -> pd.DataFrame:
        """Returns a data frame of pandas: one row an item, in this order, and the same columns and types
        however many there are.

        Texts are strings, states are categories, instants are aware and in one time zone, with microseconds,
        and lengths of time are timedeltas. What is missing is ``NaN`` or ``NaT``.

        These are the data themselves: secrets, which all that is shown has as ``***``, are not masked.

        Args:
            timezone: The time zone of all instants: an IANA name such as ``"Europe/Paris"``, or a
                ``ZoneInfo``; not a fixed offset other than UTC. None: the one that the schedules share, or
                UTC if they have several, or if the items do not tell theirs, as runs.

        Raises:
            ModuleNotFoundError: pandas is not installed.
            ValueError: There is no such time zone.
        """
        return data_frame(self._columns(timezone))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Returns the same columns as a stream of Arrow, such as for ``polars.from_dataframe``.

        Raises:
            ModuleNotFoundError: pyarrow is not installed.
        """
        return _arrow_table(self._columns(None)).__arrow_c_stream__(requested_schema)


def data_frame(columns: Iterable[Column]) -> pd.DataFrame:
    """Returns a data frame of pandas, with a ``RangeIndex``."""
    pandas = _needed("pandas", "'stepsched[pandas]'")
    return pandas.DataFrame({column.name: _series(column) for column in columns})


def instant_index(values: Iterable[datetime], zone: tzinfo, name: str) -> pd.DatetimeIndex:
    """Returns instants as an index of pandas in a time zone."""
    pandas = _needed("pandas", "'stepsched[pandas]'")
    return pandas.DatetimeIndex(_micros(values), name=name).tz_localize("UTC").tz_convert(zone)


def _series(column: Column) -> Any:
    pandas = _needed("pandas", "'stepsched[pandas]'")
    values = column.values
    match column.kind:
        case "instant":
            return pandas.Series(_micros(values)).dt.tz_localize("UTC").dt.tz_convert(column.zone)
        case "length":
            counts = [_NOT_A_TIME if each is None else each // _MICROSECOND for each in values]
            return pandas.Series(_array(counts, "timedelta64[us]"))
        case "choice":
            return pandas.Series(pandas.Categorical(values, categories=column.choices))
        case "text":  # the type for texts that this version of pandas prefers
            return pandas.Series(values, dtype=pandas.Series([""]).dtype)
        case "int":
            return pandas.Series(values, dtype="int64")
        case "bool":
            return pandas.Series(values, dtype="bool")


def _micros(values: Iterable[datetime | None]) -> Any:
    """Returns instants as an array of microseconds in UTC, which holds every date of Python."""
    counts = [_NOT_A_TIME if each is None else (each - _EPOCH) // _MICROSECOND for each in values]
    return _array(counts, "datetime64[us]")


def _array(counts: Sequence[int], kind: str) -> Any:
    return import_module("numpy").array(counts, dtype="int64").view(kind)


def _arrow_table(columns: Sequence[Column]) -> Any:
    arrow = _needed("pyarrow", "pyarrow")
    return arrow.table({column.name: _arrow_array(arrow, column) for column in columns})


def _arrow_array(arrow: Any, column: Column) -> Any:
    kinds = {
        "text": arrow.string,
        "length": lambda: arrow.duration("us"),
        "int": arrow.int64,
        "bool": arrow.bool_,
        "instant": lambda: arrow.timestamp("us", getattr(column.zone, "key", "UTC")),
        "choice": arrow.string,
    }
    array = arrow.array(column.values, kinds[column.kind]())
    if column.kind == "choice":
        places = arrow.compute.index_in(array, arrow.array(column.choices))
        return arrow.DictionaryArray.from_arrays(places, arrow.array(column.choices))
    return array


def _plain(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _needed(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed; use: pip install {package}",
            name=error.name,
        ) from error
