"""Enumerations whose members are words."""

from __future__ import annotations

from enum import Enum


class StrEnum(str, Enum):
    """Words that print as they are written on the wire, on every version of Python.

    ``repr`` tells the class and the name as well.
    """

    __str__ = str.__str__

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)
