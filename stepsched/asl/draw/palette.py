"""The colours of a diagram, by type of state and kind of transition."""

from __future__ import annotations

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
