"""The pictures by matplotlib, with axes of its own: dates can be zoomed, styles apply, figures hold several.

Only this module imports matplotlib, and only when something is drawn. Texts of users are never read as
mathematical markup.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import assert_never

from stepsched.core.instants import in_zone, later_by
from stepsched.core.quoting import quoted
from stepsched.display.fitting import clean, shorten
from stepsched.display.svg import BAD, BUSY, WARN
from stepsched.display.times import length_text
from stepsched.pictures.frame import counted
from stepsched.pictures.heat import Heat
from stepsched.pictures.lanes import Lanes, axis_of
from stepsched.pictures.lateness import COLORS, LATE_MARKS, Lateness, Point, State
from stepsched.pictures.load import NUMBERED, Load
from stepsched.pictures.months import Months, days_of
from stepsched.pictures.scale import (
    MONTHS,
    WEEKDAYS,
    Day,
    TimeScale,
    brief,
    changes,
    clock_text,
    day_text,
    days,
    spread,
    zone_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

Drawing: TypeAlias = Lanes | Heat | Months | Load | Lateness
_NAME = 40
"""The maximum number of characters of a name."""
_DATES = ["%Y", "%b", "%a %d", "%H:%M", "%H:%M", "%S.%f"]
_FIRST_DATES = ["", "%Y", "%a %d %b", "%a %d %b", "%H:%M", "%H:%M"]
"""The texts on an axis of years, months, days, hours, minutes and seconds, and at the first of each."""
_TIME_WIDTH, _ENTRY, _SIGN = 28.0, 170.0, 14.0
"""The widths in points of a time of day, of an entry of a legend, and of the sign of a busy minute."""
_BANDED = timedelta(days=70)
_MARKERS = {
    State.SUCCEEDED: "o",
    State.WAITING: "o",
    State.RUNNING: ">",
    State.SKIPPED: "D",
    State.MISSED: "v",
    State.FAILED: "x",
}
"""The marker of each state."""
_FIRST, _LAST = (datetime(*each, tzinfo=timezone.utc) for each in ((1, 1, 3), (9999, 12, 29)))
"""The instants that matplotlib can draw in every zone."""
_HOLLOW = (State.WAITING, State.SKIPPED)
_NOT_STARTED = 0.4
"""Where runs that did not start are on the axis of seconds."""


def plot(drawing: Drawing, ax: Axes | None) -> Axes:
    """Draws a picture.

    Args:
        drawing: The picture.
        ax: Where it is drawn. None: on new axes of a figure of pyplot.

    Returns:
        The axes.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        TypeError: ``ax`` is something else, such as a figure or a year.
    """
    ax = _new_axes(drawing) if ax is None else _checked(ax)
    match drawing:
        case Lanes():
            _lanes(drawing, ax)
        case Heat():
            _heat(drawing, ax)
        case Months():
            _months(drawing, ax)
        case Load():
            _load(drawing, ax)
        case Lateness():
            _lateness(drawing, ax)
        case _:
            assert_never(drawing)
    return ax


def _new_axes(drawing: Drawing) -> Axes:
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != "matplotlib":
            raise
        reason = "matplotlib is not installed; use: pip install 'stepsched[plot]'"
        raise ModuleNotFoundError(reason, name=error.name, path=error.path) from error
    return plt.subplots(figsize=(10, _height(drawing)), layout="constrained")[1]


def _checked(ax: Axes) -> Axes:
    module = sys.modules.get("matplotlib.axes")  # there are no axes without it
    if module is None or not isinstance(ax, module.Axes):
        raise TypeError(f"expected the Axes of matplotlib for ax, got {quoted(ax)}; use plt.subplots()[1]")
    return ax


def _height(drawing: Drawing) -> float:
    """Returns the height of a new figure in inches."""
    if isinstance(drawing, Lanes):
        return 1.6 + 0.24 * max(len(drawing.lanes), 2)
    if isinstance(drawing, Heat):
        return 1.6 + 0.26 * len(days(drawing.since, drawing.until, drawing.zone))
    return 2.6 if isinstance(drawing, Months) else 4.0


def _title(ax: Axes, title: str, lines: Sequence[str]) -> None:
    text = "\n".join([shorten(clean(title), 110), *(shorten(clean(each), 130) for each in lines if each)])
    ax.set_title(text, loc="left", fontsize="medium", parse_math=False)


def _names(names: Sequence[str]) -> list[str]:
    return [shorten(clean(name), _NAME) for name in names]


def _time_axis(ax: Axes, since: datetime, until: datetime, zone: tzinfo) -> None:
    """Gives the axes a horizontal axis of time in a zone, with clock changes."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if since.year < 1_000 or until.year > 9_000:  # matplotlib looks for marks as far as the calendar's ends
        zone = timezone.utc
    locator = AutoDateLocator(tz=zone, maxticks=10)
    ax.xaxis_date(tz=zone)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, tz=zone, formats=_DATES, zero_formats=_FIRST_DATES)
    )
    ax.set_xlim(*(min(max(each, _FIRST), _LAST) for each in (since, until)))
    ax.set_xlabel(zone_text(zone, since, until), parse_math=False)
    for change in TimeScale(since, until, zone, 0, 1).changes():
        ax.axvline(change.at, color=WARN, linestyle="--", linewidth=1.2, label=change.text)


def _lanes(shown: Lanes, ax: Axes) -> None:
    scale = axis_of(shown.since, shown.until, shown.zone, 0, 1)
    marks = [list(lane.marks) for lane in shown.lanes]
    for place, found in enumerate(marks):
        ax.vlines(found, place - 0.32, place + 0.32, color=BUSY, linewidth=2)
    if scale.until - scale.since <= _BANDED:
        for day in scale.days():
            if day.is_weekend:
                ax.axvspan(day.begin, day.end, color="0.5", alpha=0.15, linewidth=0)
    if shown.now is not None:
        ax.axvline(shown.now, linewidth=1.5, color=_ink(), label="now")
    _time_axis(ax, scale.since, scale.until, shown.zone)
    ax.set_yticks(range(len(marks)), labels=_names([lane.name for lane in shown.lanes]), parse_math=False)
    ax.set_ylim(max(len(marks), 1) - 0.5, -0.5)
    ax.grid(visible=True, axis="x", alpha=0.3)
    _title(ax, shown.title, shown.notes)
    _times(shown, scale, ax)
    _legend(ax)


def _times(shown: Lanes, scale: TimeScale, ax: Axes) -> None:
    """Writes the times of day beside the marks of lanes that have room for all, and the numbers of runs."""
    room = (scale.until - scale.since) * (_TIME_WIDTH / _size(ax)[0])
    for place, lane in enumerate(shown.lanes):
        ends = [*lane.marks, scale.until][1:]
        if len(lane.marks) == lane.runs and all(
            end - at >= room for at, end in zip(lane.marks[:-1], ends, strict=False)
        ):
            for at, end in zip(lane.marks, ends, strict=True):
                if end - at >= room:
                    beside = {"xytext": (3, 0), "textcoords": "offset points", "annotation_clip": True}
                    ax.annotate(
                        clock_text(in_zone(at, shown.zone)), (at, place), va="center", fontsize=7, **beside
                    )
        ax.text(
            1.005, place, brief(lane.runs), transform=ax.get_yaxis_transform(), va="center", fontsize="small"
        )


def _size(ax: Axes) -> tuple[float, float]:
    """Returns the present width and height of axes in points."""
    box = ax.get_window_extent()
    return max(box.width * 72 / ax.figure.dpi, 1), max(box.height * 72 / ax.figure.dpi, 1)


def _legend(ax: Axes, below: float = 46) -> None:
    """Gives the axes a legend, if there is something to explain: below the texts of the horizontal axis, so
    that it narrows nothing.

    Args:
        ax: The axes.
        below: The distance from the axes in points.
    """
    from matplotlib.transforms import offset_copy

    found = len(ax.get_legend_handles_labels()[0])
    if found:
        ax.legend(
            loc="upper left",
            bbox_to_anchor=(0, 0),
            bbox_transform=offset_copy(ax.transAxes, fig=ax.figure, y=-below, units="points"),
            borderaxespad=0,
            ncols=max(min(found, int(_size(ax)[0] // _ENTRY)), 1),
            fontsize="small",
            frameon=False,
        )


def _ink() -> str:
    """Returns the color of texts in the style that is used."""
    from matplotlib import rcParams

    return str(rcParams["text.color"])


def _heat(shown: Heat, ax: Axes) -> None:
    found = days(shown.since, shown.until, shown.zone)
    counts = [
        [shown.hours[day.date, hour].runs if (day.date, hour) in shown.hours else 0 for hour in range(24)]
        for day in found
    ]
    _cells(ax, counts, "runs an hour")
    ax.set_xticks(range(24), labels=[f"{hour:02}" for hour in range(24)])
    ax.set_yticks(range(len(found)), labels=[day_text(day.date) for day in found])
    ax.set_xlabel(f"hour, {zone_text(shown.zone, shown.since, shown.until)}", parse_math=False)
    _title(ax, shown.title, shown.notes)


def _cells(ax: Axes, counts: Sequence[Sequence[int]], label: str) -> None:
    """Draws numbers as colored cells with their texts, and a scale of colors."""
    most = max(map(max, counts)) if counts else 0
    image = ax.imshow(
        [[count or float("nan") for count in row] for row in counts],
        aspect="auto",
        cmap="Blues",
        vmin=0,
        vmax=max(most, 1),
        interpolation="nearest",
    )
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            if count:
                color = "white" if count > 0.55 * most else "black"
                ax.text(column, row, brief(count), ha="center", va="center", fontsize=7, color=color)
    _color_bar(ax, image, {count for row in counts for count in row if count}, label)


def _color_bar(ax: Axes, image: ScalarMappable, counts: Collection[int], label: str) -> None:
    """Explains colors, if there are several."""
    if len(counts) > 1:
        from matplotlib.ticker import MaxNLocator

        ticks = MaxNLocator(nbins=6, integer=True)
        ax.figure.colorbar(image, ax=ax, label=label, fraction=0.03, pad=0.01, ticks=ticks)


def _months(shown: Months, ax: Axes) -> None:
    """Draws the days as cells, a week a column."""
    found = [day for month in shown.months for day in days_of(month, shown.zone)]
    before = found[0].date.weekday()
    places = [divmod(before + number, 7) for number in range(len(found))]
    rows: list[list[float]] = [[float("nan")] * (places[-1][0] + 1) for _ in range(7)]
    for (week, weekday), day in zip(places, found, strict=True):
        rows[weekday][week] = shown.runs[day.date].runs if day.date in shown.runs else 0
    most = max((each.runs for each in shown.runs.values()), default=0)
    grid = {"edgecolors": ax.get_facecolor(), "linewidth": 1.5}
    image = ax.pcolormesh(rows, cmap="Blues", vmin=0, vmax=max(most, 1), **grid)
    _color_bar(ax, image, {each.runs for each in shown.runs.values() if each.runs}, "runs a day")
    for (week, weekday), day in zip(places, found, strict=True):
        is_dark = rows[weekday][week] > 0.55 * max(most, 1)
        color = "white" if is_dark else "black"
        middle = {"ha": "center", "va": "center", "fontsize": 5.5}
        ax.text(week + 0.5, weekday + 0.5, str(day.date.day), color=color, **middle)
        if day.date.day == 1 and week:
            ends = [week + 1, week + 1, week, week] if weekday else [week, week]
            ax.plot(ends, [0, weekday, weekday, 7] if weekday else [0, 7], color=_ink(), linewidth=0.8)
    firsts = [(week, day) for (week, _), day in zip(places, found, strict=True) if day.date.day == 1]
    ax.set_xticks(
        [week + 0.5 for week, _ in firsts], labels=[MONTHS[day.date.month - 1] for _, day in firsts]
    )
    ax.set_yticks([number + 0.5 for number in range(7)], labels=WEEKDAYS)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    _marked_changes(shown, found, places, ax)
    total = sum(shown.runs[day.date].runs for day in found if day.date in shown.runs)
    _title(ax, shown.title, [f"{shown.span}: {counted(total, 'run')}", *shown.notes])


def _marked_changes(shown: Months, found: Sequence[Day], places: Sequence[tuple[int, int]], ax: Axes) -> None:
    by_date = dict(zip((day.date for day in found), places, strict=True))
    moved = [by_date[change.day] for change in changes(found, shown.zone)]
    if moved:
        at = [week + 0.5 for week, _ in moved], [weekday + 0.5 for _, weekday in moved]
        frame = {"marker": "s", "markersize": 12, "markerfacecolor": "none", "markeredgewidth": 1.5}
        ax.plot(*at, linestyle="none", color=WARN, label="clock change", **frame)
        _legend(ax, 26)


def _load(shown: Load, ax: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    parts = shown.parts
    times = [later_by(parts.since, parts.part * number) for number in range(len(parts.peaks) + 1)]
    length = length_text(parts.part)
    for values, alpha, label in (
        (parts.peaks, 0.35, f"most runs in one minute of each {length}"),
        (parts.averages, 1.0, "average of its minutes"),
    ):
        ax.fill_between(
            times, [*values, values[-1]], step="post", color=BUSY, alpha=alpha, label=label, linewidth=0
        )
    peaks = shown.peaks[:NUMBERED]
    if peaks:
        minutes, runs = [peak.minute for peak in peaks], [peak.runs for peak in peaks]
        ax.plot(minutes, runs, linestyle="none", marker="v", color=_ink(), label="busiest minutes")
    axis = TimeScale(times[0], times[-1], shown.zone, 0, 1)
    signs = spread([axis.x(peak.minute) for peak in peaks], _SIGN / _size(ax)[0], 0.01, 0.99)
    stem = {"arrowstyle": "-", "linewidth": 0.6, "color": _ink()}
    for number, (peak, x) in enumerate(zip(peaks, signs, strict=True), 1):
        sign = {"xytext": (x, 0.93), "textcoords": "axes fraction", "arrowprops": stem}
        ax.annotate(str(number), (peak.minute, peak.runs), ha="center", fontsize="small", **sign)
    highest = float(max(parts.peaks))
    if shown.limit is not None and shown.has_line:
        highest = max(highest, shown.limit.runs)
        ax.axhline(shown.limit.runs, color=BAD, linestyle="--", label=f"quota {shown.limit.name}")
    _time_axis(ax, times[0], times[-1], shown.zone)
    ax.set_ylim(0, max(highest, 1) * (1.25 if peaks else 1.12))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel("runs in a minute")
    ax.grid(visible=True, alpha=0.3)
    _legend(ax)
    _title(ax, shown.title, shown.notes)


def _lateness(shown: Lateness, ax: Axes) -> None:
    counts = Counter(point.state for point in shown.points)
    for state, marker in _MARKERS.items():
        color = COLORS[state]
        found = [point for point in shown.points if point.state is state]
        if found:
            face = {"facecolors": "none", "edgecolors": color} if state in _HOLLOW else {"color": color}
            ax.scatter(
                [point.scheduled_for for point in found],
                [_seconds(point) for point in found],
                marker=marker,
                s=18 if state is State.SUCCEEDED else 34,
                alpha=0.35 if len(found) > 1_000 else 1,
                label=f"{counts[state]:,} {state}",
                zorder=2 if state is State.SUCCEEDED else 3,
                **face,
            )
    _late_axis(ax, shown.points)
    _time_axis(ax, *shown.axis, shown.zone)
    ax.grid(visible=True, alpha=0.3)
    _title(ax, shown.title, shown.notes)
    _legend(ax)


def _late_axis(ax: Axes, points: Sequence[Point]) -> None:
    """Gives the axes a logarithmic axis of seconds, with a line below which runs have not started."""
    ax.set_yscale("log")
    latest = max((point.late or 1.0 for point in points), default=1.0)
    marks = [(at, text) for at, text in LATE_MARKS if at <= max(latest * 10, 60)]
    ax.set_yticks(
        [_NOT_STARTED, *(at for at, _ in marks)],
        labels=["not started", "≤ 1 s late", *(text for _, text in marks[1:])],
    )
    ax.set_yticks([], minor=True)
    ax.set_ylim(_NOT_STARTED / 1.6, max(latest * 2, 60))
    ax.axhline(0.65, color="0.5", linewidth=0.8)


def _seconds(point: Point) -> float:
    return _NOT_STARTED if point.late is None else max(point.late, 1.0)
