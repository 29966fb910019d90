"""What a watch shows, as tables: pure functions of what was seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import zip_longest

from stepsched.display.markup import to_html
from stepsched.display.plain_text import cut_to, to_text, width_of
from stepsched.display.table import Cell, Table, one_line, table_of
from stepsched.display.times import distance_text, instant_text, length_text, took_text
from stepsched.jobs import Run, RunStatus
from stepsched.jobs.shown import error_text, scheduled_cell, status_cell
from stepsched.watching.reading import MOST, Seen

_DISTANCE = len("in 59 min 59 s")
"""The least width of the column of distances: it does not change while they do."""
_STATUS = len("running")
"""The least width of the column of statuses."""
READING = "reading the jobs ..."
"""What is shown until they have been read for the first time."""
_OLD = timedelta(seconds=15)
"""The age from which it is said how old the picture is."""


def tables_of(seen: Seen, *, most: int = MOST) -> list[Table]:
    """Returns the parts of the picture: totals, what runs, what is next, and what failed.

    Args:
        seen: What is shown.
        most: The maximum number of rows of each part.
    """
    if not seen.is_known:
        return [_summary(seen)]
    parts = [_summary(seen), _now(seen, most), _next(seen, most), _troubled(seen, most)]
    return [part for part in parts if part is not None]


def html_of(seen: Seen) -> str:
    """Returns the picture as HTML for a notebook."""
    parts = (to_html(table, is_sortable=False) for table in tables_of(seen))
    return f'<div style="font-variant-numeric:tabular-nums">{"".join(parts)}</div>'


@dataclass
class Layout:
    """What stays where it is while the rest of a text changes: it grows, and never shrinks by itself."""

    name: int = 16
    """The width of the column of names."""
    heights: list[int] = field(default_factory=list)
    """The numbers of lines of the parts."""


def text_of(seen: Seen, rows: int, columns: int, layout: Layout) -> str:
    """Returns the picture as text that fits a terminal.

    Args:
        seen: What is shown.
        rows: The maximum number of lines.
        columns: The maximum number of columns.
        layout: The layout of the picture before, which is updated.
    """
    # Each of three parts has a caption, titles and an empty line; others tell the totals, and how many more.
    tables = tables_of(seen, most=max(1, min(MOST, (rows - 12) // 3)))
    layout.name = max(layout.name, *(width_of(row[0].text) for table in tables for row in table.rows), 0)
    least = (min(layout.name, columns // 3), _DISTANCE, _STATUS)
    drawn = [_lines(table, least, columns) for table in tables]
    heights = [max(pair) for pair in zip_longest(map(len, drawn), layout.heights[: len(drawn)], fillvalue=0)]
    if sum(heights) + len(drawn) - 1 > rows:  # such as of a terminal that has become lower
        heights = [len(part) for part in drawn]
    layout.heights = heights
    padded = ([*part, *[""] * (height - len(part)), ""] for part, height in zip(drawn, heights, strict=True))
    return "\n".join([line for part in padded for line in part][:rows]).rstrip()


def _lines(table: Table, least: tuple[int, ...], columns: int) -> list[str]:
    """Returns the lines of a table, each cut at the end of the terminal, and names at a third of it."""
    named = [
        [row[0]._replace(text=cut_to(row[0].text, max(columns // 3, 1))), *row[1:]] for row in table.rows
    ]
    text = to_text(replace(table, rows=named), least=least)
    return [cut_to(line, columns) for line in text.split("\n")]


def _summary(seen: Seen) -> Table:
    counts = seen.counts
    total = sum(number for word, number in counts.items() if word != "failing")
    words = [
        f"{counts[word]:,} {word}" for word in ("active", "paused", "ended", "failing") if counts.get(word)
    ]
    notes = []
    if seen.outage is not None:
        notes.append(f"! cannot be read at present, trying again: {seen.outage}")
    if not seen.is_served:
        notes.append("! no process runs these jobs at present; use `stepsched serve`, or a with block")
    if seen.without_runs is not None:
        notes.append(f"! what runs and what failed is not shown: {seen.without_runs}")
    if seen.is_known and seen.age > _OLD:
        notes.append(f"read {length_text(seen.age)} ago")
    jobs = "1 job" if total == 1 else f"{total:,} jobs" if total else "no jobs"
    if not seen.is_known:
        jobs = READING
    caption = f"{seen.now:%H:%M:%S} UTC  {jobs}{': ' if words else ''}{', '.join(words)}"
    return Table((), [], one_line(caption), 0, [one_line(note) for note in notes])


def _now(seen: Seen, most: int) -> Table | None:
    if seen.without_runs is not None:
        return None
    waiting = f", {len(seen.waiting):,} waiting" if seen.waiting else ""
    return table_of(
        [*seen.running, *seen.waiting],
        ["job", "for", "status", "details"] if seen.running or seen.waiting else [],
        lambda run: [run.job, _length(run, seen.now), _status(run), _details(run, seen.now)],
        caption=f"now: {f'{len(seen.running):,}' if seen.running else 'nothing'} running{waiting}",
        total=len(seen.running) + len(seen.waiting),
        most=most,
    )


def _next(seen: Seen, most: int) -> Table:
    has_groups = len({record.job.group for record in seen.upcoming}) > 1
    return table_of(
        seen.upcoming[:most],
        ["job", "in", "at", *(["group"] if has_groups else [])] if seen.upcoming else [],
        lambda record: [
            record.name,
            distance_text(record.next_run, seen.now),
            scheduled_cell(record.next_run, record.job.schedule),
            *([record.job.group] if has_groups else []),
        ],
        caption="next" if seen.upcoming else "next: no run is left",
    )


def _troubled(seen: Seen, most: int) -> Table | None:
    if seen.without_runs is not None:
        return None
    return table_of(
        seen.troubled[:most],
        ["job", "when", "status", "error"] if seen.troubled else [],
        lambda run: [
            run.job,
            distance_text(run.ended_at or run.scheduled_for, seen.now),
            _status(run),
            error_text(run.error),
        ],
        caption="failed, skipped or missed" if seen.troubled else "failed, skipped or missed: none",
    )


def _length(run: Run, now: datetime) -> str:
    """Returns how long a run has been running, or has been due."""
    begun = run.started_at if run.status is RunStatus.RUNNING else run.scheduled_for
    return length_text(max(now - begun, timedelta(0))) if begun is not None else "-"


def _status(run: Run) -> Cell:
    return status_cell(run.status.value)


def _details(run: Run, now: datetime) -> str:
    if run.status is RunStatus.RUNNING and run.started_at is not None:
        begun = run.started_at.astimezone(run.scheduled_for.tzinfo).replace(microsecond=0)
        return f"since {instant_text(begun)}{f', attempt {run.attempt}' if run.attempt > 1 else ''}"
    if run.pending_reason is not None:
        return run.pending_reason
    if run.attempt:
        return f"attempt {run.attempt + 1} follows{f', {run.error}' if run.error else ''}"
    return "waits for its turn" if run.scheduled_for <= now else "comes due"


# -- as lines ------------------------------------------------------------------------------------------


def lines_of(before: Seen | None, seen: Seen) -> Iterator[str]:
    """Yields a line for each change, for where no picture can be shown.

    Args:
        before: What was seen before. None: nothing. Until the backend has been read there is only its
            outage; then the lines say what there is.
        seen: What is seen now.
    """
    known = _summary(before).notes if before is not None else ()
    summary = _summary(seen._replace(age=timedelta(0)))
    notes = [note for note in summary.notes if note not in known]
    runs: Sequence[Run]
    if before is None or (seen.is_known and not before.is_known):
        yield from (summary.caption, *notes)
        runs = seen.running
    else:
        yield from (f"{seen.now:%H:%M:%S} UTC {note}" for note in notes)
        runs = [run for key, run in seen.latest.items() if run != before.latest.get(key)]
        if before.latest:  # a run that is older than all of then was read only because others have ended
            oldest = min(before.latest)
            runs = [run for run in runs if run.id >= oldest]
    for run in sorted(runs, key=lambda run: (run.ended_at or run.started_at or run.scheduled_for, run.id)):
        words = _words(run)
        if words is not None:
            at = run.ended_at or (run.started_at if run.status is RunStatus.RUNNING else None) or seen.now
            yield one_line(f"{at:%H:%M:%S} UTC  {run.job}  run {run.id} {words}")


def _words(run: Run) -> str | None:
    """Returns what has happened to a run; None if nothing has yet."""
    reason = f": {run.error}" if run.error else ""
    if run.status is RunStatus.RUNNING:
        return "started" if run.attempt <= 1 else f"started, attempt {run.attempt}"
    if run.status is RunStatus.PENDING:
        if run.pending_reason is not None:
            return f"waits: {run.pending_reason}"
        return f"attempt {run.attempt} failed, the next one follows{reason}" if run.attempt else None
    took = f" after {took_text(run.ended_at - run.started_at)}" if run.started_at and run.ended_at else ""
    return f"{run.status.value}{took}{reason}"
