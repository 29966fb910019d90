"""The colours and icons of a diagram, by type of state and kind of transition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

COLOURS = {
    "start": ("#334155", "#f1f5f9"),
    "end": ("#334155", "#f1f5f9"),
    "Task": ("#c2570c", "#fff7ed"),
    "Pass": ("#475569", "#f8fafc"),
    "Choice": ("#6d3fc4", "#f5f3ff"),
    "Wait": ("#0e7490", "#ecfeff"),
    "Succeed": ("#15803d", "#f0fdf4"),
    "Fail": ("#b91c1c", "#fef2f2"),
    "Parallel": ("#1d4ed8", "#eff6ff"),
    "Map": ("#a21a6b", "#fdf2f8"),
    "missing": ("#b91c1c", "#ffffff"),
    "unknown": ("#57534e", "#fafaf9"),
}
"""A dark colour, on which white text is readable, and a light tint of it, by type of state."""

LINES = {"catch": "#c81e1e", "default": "#64748b"}
"""The colours of lines by kind of transition; other kinds have LINE."""
LINE = "#475569"


SIGNS = {
    "Task": "M9 1.5 L3.5 9 H8 L7 14.5 L12.5 7 H8 Z",
    "Pass": "M2 8 H13 M9 4 L13 8 L9 12",
    "Choice": "M8 1.5 L14.5 8 L8 14.5 L1.5 8 Z",
    "Wait": "M8 1.5 A6.5 6.5 0 1 1 7.99 1.5 Z M8 4.5 V8 L10.5 10",
    "Succeed": "M2.5 8.5 L6.5 12.5 L13.5 4",
    "Fail": "M3.5 3.5 L12.5 12.5 M12.5 3.5 L3.5 12.5",
    "Parallel": "M3 2 V14 M8 2 V14 M13 2 V14",
    "Map": "M2 5.5 H10.5 V14 H2 Z M5.5 5.5 V2 H14 V10.5 H10.5",
    "missing": "M5 5.5 A3 3 0 1 1 8 8.6 V10.2 M8 12.8 V13.4",
    "unknown": "M5 5.5 A3 3 0 1 1 8 8.6 V10.2 M8 12.8 V13.4",
}
"""The icons of the types, as paths in a square of 16."""


class Look(NamedTuple):
    """How the nodes of a graph look. Keys are the types of its nodes."""

    colours: Mapping[str, tuple[str, str]]
    """A dark colour, on which white text is readable, and a light tint of it."""
    signs: Mapping[str, str]
    """The icons, as paths in a square of 16."""
    solid: frozenset[str] = frozenset()
    """The types whose icon is filled."""


STATES = Look(COLOURS, SIGNS, frozenset({"Task"}))
"""The look of the states of a machine."""
