"""How the states of steps look: a colour, and always an icon and a word too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from stepsched.asl.draw.palette import Look
from stepsched.display.svg import BAD, BUSY, CALM, GOOD, PAGE, WARN, Paint
from stepsched.workflows.records import StepStatus

DEFINED = "step"
"""The type of a step that is drawn without a run."""
LOOK = Look(
    colours={
        DEFINED: ("#3d4f6b", "#f5f7fb"),
        StepStatus.PENDING: ("#5b6b82", "#f8fafc"),
        StepStatus.RUNNING: ("#1d4ed8", "#eff6ff"),
        StepStatus.SUCCEEDED: ("#15803d", "#f0fdf4"),
        StepStatus.FAILED: ("#b91c1c", "#fef2f2"),
        StepStatus.SKIPPED: ("#6d3fc4", "#f5f3ff"),
        StepStatus.UPSTREAM_FAILED: ("#b45309", "#fffbeb"),
        StepStatus.UNMET: ("#0e7490", "#ecfeff"),
        StepStatus.CANCELLED: ("#a21a6b", "#fdf2f8"),
    },
    signs={
        DEFINED: "M9 1.5 L3.5 9 H8 L7 14.5 L12.5 7 H8 Z",
        StepStatus.PENDING: "M8 1.5 A6.5 6.5 0 1 1 7.99 1.5 Z M8 4.5 V8 L10.5 10",
        StepStatus.RUNNING: "M4.5 2.5 L13 8 L4.5 13.5 Z",
        StepStatus.SUCCEEDED: "M2.5 8.5 L6.5 12.5 L13.5 4",
        StepStatus.FAILED: "M3.5 3.5 L12.5 12.5 M12.5 3.5 L3.5 12.5",
        StepStatus.SKIPPED: "M2.5 3.5 L7 8 L2.5 12.5 M7.5 3.5 L12 8 L7.5 12.5 M14 3.5 V12.5",
        StepStatus.UPSTREAM_FAILED: "M8 14 V4 M4 7.5 L8 3.5 L12 7.5 M4.5 1 H11.5",
        StepStatus.UNMET: "M8 1.5 L14.5 8 L8 14.5 L1.5 8 Z M5.5 8 H10.5",
        StepStatus.CANCELLED: "M3.5 3.5 H12.5 V12.5 H3.5 Z",
    },
    solid=frozenset({DEFINED, StepStatus.RUNNING, StepStatus.CANCELLED}),
)
"""The dark colours have a contrast of at least 4.5:1 to white and to their tint."""

_ON_ANY_GROUND: dict[str, str] = {
    StepStatus.PENDING: CALM,
    StepStatus.RUNNING: BUSY,
    StepStatus.SUCCEEDED: GOOD,
    StepStatus.FAILED: BAD,
    StepStatus.SKIPPED: "#8b6ddb",
    StepStatus.UPSTREAM_FAILED: WARN,
    StepStatus.UNMET: "#1891a8",
    StepStatus.CANCELLED: "#c2528f",
}
"""Colors with a contrast of at least 3:1 to white and to dark grounds."""


def color_of(kind: str, paint: Paint) -> str:
    """Returns the color of a step's field: on a ground of its own, or on that of any page."""
    if paint.ground == PAGE.ground:
        return _ON_ANY_GROUND.get(kind, CALM)
    return LOOK.colours[kind][0]


def counts(statuses: Iterable[StepStatus]) -> list[tuple[StepStatus, int]]:
    """Returns how many steps have each status, of those that occur, in the order of the statuses."""
    found = Counter(statuses)
    return [(status, found[status]) for status in StepStatus if status in found]
