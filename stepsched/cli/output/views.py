"""Results as a table, JSON, YAML and names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from stepsched.cli.output.tables import Column, render
from stepsched.cli.output.times import distance_text, instant_text
from stepsched.cli.wording import visible_json, visible_yaml
from stepsched.jobs.shown import record_cells, when_cell

if TYPE_CHECKING:  # the commands have loaded them
    import stepsched as ss
    from stepsched.display.table import Cell

NAME = Column("NAME", is_whole=True)


@dataclass(frozen=True, kw_only=True)
class View:
    """A result of a command."""

    document: Callable[[], Any]
    """Returns what JSON and YAML show: values of JSON."""
    names: Iterable[str] = ()
    """What ``-o name`` prints, one a line: what the next command takes as an argument."""
    columns: Sequence[Column] = ()
    rows: Iterable[Sequence[str]] = ()
    """The cells below the columns."""
    text: str | None = None
    """What a terminal shows in place of a table. None: the table."""
    empty: str = field(default="nothing is there")
    """What a terminal shows in place of a table without rows."""

    def to_json(self, *, is_ascii: bool = False) -> str:
        """Returns the document as JSON.

        Args:
            is_ascii: Whether all other characters are written as escapes.
        """
        return visible_json(
            f"{json.dumps(self.document(), indent=2, ensure_ascii=is_ascii, allow_nan=False)}\n"
        )

    def to_yaml(self, *, is_ascii: bool = False) -> str:
        """Returns the document as YAML.

        Args:
            is_ascii: As for JSON.

        Raises:
            UsageError: YAML needs an extra that is not installed.
        """
        try:
            from stepsched.jobs.yaml_text import write_yaml
        except ModuleNotFoundError as error:
            raise click.UsageError("YAML needs the extra: pip install 'stepsched[yaml]'") from error
        return visible_yaml(write_yaml(self.document(), is_ascii=is_ascii))

    def to_table(self, *, width: int, is_colored: bool) -> str:
        """Returns what a terminal shows."""
        if self.text is not None:
            return self.text if self.text.endswith("\n") else f"{self.text}\n"
        rows = list(self.rows)
        if not rows:
            return f"{self.empty}\n"
        return render(self.columns, rows, width=width, is_colored=is_colored)


def jobs_view(records: Sequence[ss.JobRecord], now: datetime) -> View:
    """Returns the view of stored jobs. Its JSON is a file of jobs: ``stepsched apply`` takes it."""
    has_reasons = any(record.pause_reason for record in records)
    has_groups = len({record.job.group for record in records}) > 1
    distances = ["", *(distance_text(record.next_run, now) for record in records)]
    columns = [
        NAME,
        *([Column("GROUP", is_whole=True)] if has_groups else []),
        Column("STATUS", is_whole=True),
        Column("SCHEDULE", least=len("At 09:00,…"), leaves=2),
        Column("NEXT", least=max(map(_length_with_offset, records), default=0)),
        # What is late is not cut before its "ago": it would read as what is to come.
        Column("IN", least=max(len("in 23 h…"), *(len(each) * each.endswith("ago") for each in distances))),
        Column("LAST", leaves=1),
        Column("OUTCOME", is_whole=True),
        *([Column("REASON", leaves=3)] if has_reasons else []),
    ]
    return View(
        document=lambda: [record.model_dump(mode="json") for record in records],
        names=[record.name for record in records],
        columns=columns,
        rows=[texts_of(columns, record_cells(record, now)) for record in records],
        empty="no job is stored here",
    )


def texts_of(columns: Sequence[Column], cells: Mapping[str, Cell]) -> list[str]:
    """Returns the texts of a row, of which the cells are known by their titles in a notebook."""
    return [cells[column.title.lower()].text for column in columns]


def _length_with_offset(record: ss.JobRecord) -> int:
    """Returns the width at which the next run is cut after its offset."""
    return len(instant_text(record.next_run and record.next_run.astimezone(timezone.utc))) - len("UTC") + 1


def runs_of_view(instants: Sequence[datetime], now: datetime, zone: str | None = None) -> View:
    """Returns the view of the runs of one schedule, in its zone."""
    return View(
        document=lambda: [instant.isoformat() for instant in instants],
        names=[instant.isoformat() for instant in instants],
        columns=[Column("RUN", is_whole=True), Column("IN", is_whole=True)],
        rows=([when_cell(each, zone).text, distance_text(each, now)] for each in instants),
        empty="no run is left",
    )


def jobs_file_view(jobs: Sequence[ss.Job], *, is_table: bool) -> View:
    """Returns the view of jobs as a file of jobs, which ``stepsched apply`` takes: a terminal shows YAML, or
    JSON if the extra for YAML is not installed.

    Args:
        jobs: The jobs.
        is_table: Whether the form of the output is that of a terminal.

    Raises:
        JobFileError: A job cannot be written to a file.
    """
    from stepsched.jobs import write_jobs

    documents = json.loads(write_jobs(jobs, source="standard output"))
    view = View(document=lambda: documents, names=[job.name for job in jobs])
    if not is_table:
        return view
    try:
        text = view.to_yaml()
    except click.UsageError:
        text = view.to_json()
    return replace(view, text=text)
