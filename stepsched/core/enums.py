"""Enumerations whose members are strings."""

from __future__ import annotations

from enum import Enum


class StrEnum(str, Enum):
    """An enumeration of strings. ``str`` returns the value on every version of Python, ``repr`` the class and
    the name too.
    """

    __str__ = str.__str__

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)
