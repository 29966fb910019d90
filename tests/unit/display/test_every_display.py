"""Whatever shows itself: the same cells in every form, all text escaped, nothing loaded, bounded."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from itertools import count, islice
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.values import Value
from stepsched.display.results import Displayed
from stepsched.display.table import MOST
from tests.parts.displayed import EVIL, T0, displayed_classes, sample_of

CLASSES = [pytest.param(kind, id=kind.__name__) for kind in displayed_classes()]
VOID = {"input"}
ALLOWED = {"form", "style", "table", "caption", "thead", "tbody", "tr", "th", "td", "p", "input"}
ATTRIBUTES = {"class", "hidden", "method", "style", "type", "name", "value", "aria-label"}


class Page(HTMLParser):
    """The texts of an element, and every tag with its attributes, without pictures. Tags must be balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.caption, self.style = "", ""
        self.remarks: list[str] = []
        self.tags: dict[str, list[dict[str, str | None]]] = {}
        self._open: list[str] = []
        self.feed(without_pictures(text))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).append(dict(attrs))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "p":
            self.remarks.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        match self._open[-1]:
            case "td" | "th":
                self.rows[-1][-1] += data
            case "caption":
                self.caption += data
            case "p":
                self.remarks[-1] += data
            case "style":
                self.style += data
            case other:
                raise AssertionError(f"{data!r} in {other}")


def markdown_rows(text: str) -> list[list[str]]:
    """The cells of the table in a Markdown text, as a reader sees them."""
    lines = [line for line in text.split("\n") if line.startswith("| ")]
    rows = [re.split(r" (?<!\\)\| ?", line[2:])[:-1] for line in lines]
    shown = [[read_back(cell).strip() for cell in row] for row in rows]
    return [row for row in shown if set(row) != {"---"}]


def read_back(cell: str) -> str:
    """The text that Markdown in a cell shows."""

    def plain(found: re.Match[str]) -> str:
        if found["code"]:
            return found["code"].replace("\\|", "|")
        return found["escaped"] or html.unescape(found["entity"])

    return re.sub(
        r"(?P<fence>`+)(?P<code>.+?)(?P=fence)|\\(?P<escaped>[*_\[\]|~#+=.)-])|(?P<entity>&[#\w]+;)",
        plain,
        cell,
    )


def words(cells: list[str]) -> str:
    return " ".join(" ".join(cells).split()).casefold()


@pytest.mark.parametrize("kind", CLASSES)
def test_html_markdown_and_text_hold_the_same_cells(kind: type[Any]) -> None:
    value = sample_of(kind)
    page = Page(value.to_html())
    assert page.rows
    marked = markdown_rows(value.to_markdown())
    rows = page.rows if "thead" in page.tags else [["", ""], *page.rows]
    assert [row[: len(rows[0])] for row in marked] == rows
    lines = value.to_text().split("\n")
    caption = [page.caption] if page.caption else []
    assert [words([line]) for line in lines] == [
        words(row) for row in [caption, *page.rows, *([each] for each in page.remarks)] if row
    ]


@pytest.mark.parametrize("kind", CLASSES)
def test_html_is_one_element_that_loads_and_runs_nothing(kind: type[Any]) -> None:
    text = sample_of(kind).to_html()
    page = Page(text)
    assert page.tags.keys() <= ALLOWED
    attributes = [each for tag in page.tags.values() for each in tag]
    assert {name for each in attributes for name in each} <= ATTRIBUTES
    assert len(page.tags["form"]) == len(page.tags["style"]) == 1
    assert page.tags["form"] == [{"class": "stepsched", "method": "dialog"}]
    for each in [page.style, *(str(each.get("style", "")) for each in attributes)]:
        assert not re.search(r"url\(|@|https?:|expression", each)
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", page.style)
    assert all(each.startswith(".stepsched") for each in selectors)
    assert re.sub(r"([^{}]+)\{[^{}]*\}", "", page.style) == ""


@pytest.mark.parametrize("kind", CLASSES)
def test_pictures_load_and_run_nothing_either(kind: type[Any]) -> None:
    for picture in re.findall(r"<svg.*?</svg>", sample_of(kind).to_html(), re.DOTALL):
        assert not re.search(
            r"<(script|image|use|foreignObject|a|style)\b|\bon\w+=|\bid=|href=|url\(", picture
        )


def without_pictures(text: str) -> str:
    return re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("kind", CLASSES)
def test_no_form_holds_a_character_that_steers_a_terminal(kind: type[Any]) -> None:
    value = sample_of(kind)
    for text in (value.to_text(), value.to_markdown(), value.to_html(), str(value), repr(value)):
        assert all(each.isprintable() or each == "\n" for each in text)
    assert "\n" not in repr(value)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_form_is_bounded_and_has_no_secret(kind: type[Any]) -> None:
    value = sample_of(kind)
    assert max(len(cell) for row in Page(value.to_html()).rows for cell in row) <= 200
    assert len(repr(value)) <= (120 if isinstance(value, Value | ss.jobs.Event) else 200)
    assert "sesame" not in value.to_html() + value.to_text() + value.to_markdown() + repr(value)


@pytest.mark.parametrize("kind", CLASSES)
def test_notebooks_find_the_forms(kind: type[Any]) -> None:
    value = sample_of(kind)
    assert value._repr_html_() == value.to_html()
    assert value._repr_markdown_() == value.to_markdown()
    assert value._display_()._mime_() == ("text/html", value.to_html())
    assert pretty(value) == value.to_text()
    assert pretty(value, depth=2) == repr(value)
    assert "_repr_pretty_" in next(vars(each) for each in kind.__mro__ if vars(each).keys() & FORMS)


FORMS = {"__repr__", "_repr_pretty_"}
"""What IPython looks for in each base in turn; the second is preferred to the first of the same base."""


def pretty(value: Displayed, *, depth: int = 1) -> str:
    """What IPython prints of a value, perhaps inside of a list."""

    class Printer:
        stack = tuple(range(depth))
        written = ""

        def text(self, text: str) -> None:
            self.written += text

    printer = Printer()
    value._repr_pretty_(printer, False)
    return printer.written


def job(name: str = EVIL, **fields: Any) -> ss.Job:
    given = {"schedule": ss.Rate(timedelta(minutes=1)), "target": ss.CommandTarget(["true"]), **fields}
    return ss.Job(name=name, **given)


def record(number: int) -> ss.JobRecord:
    morning = ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris")
    stored = job(f"nightly-report-of-the-department-{number}", schedule=morning)
    return ss.JobRecord(
        job=stored,
        status=ss.JobStatus.ACTIVE,
        version=1,
        created_at=T0,
        updated_at=T0,
        next_run=morning.next_run(after=T0),
        last_run=run(number),
    )


def run(number: int) -> ss.Run:
    return ss.Run(
        id=number,
        job="nightly",
        scheduled_for=T0,
        status=ss.RunStatus.FAILED,
        attempt=4,
        started_at=T0 + timedelta(seconds=90),
        ended_at=T0 + timedelta(seconds=92),
        error=f"KeyError: 'missing {number}'",
        traceback="Traceback (most recent call last):\n",
    )


def work_of(action: Callable[[], object]) -> int:
    """The number of functions that are called."""
    calls = count()

    def note(_frame: object, event: str, _argument: object) -> None:
        if event == "call":
            next(calls)

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return next(calls)


LISTS = [
    pytest.param(ss.jobs.Runs, run, id="runs"),
    pytest.param(ss.jobs.JobRecords, record, id="jobs"),
    pytest.param(
        ss.jobs.JobVersions,
        lambda number: ss.jobs.JobVersion(version=number, job=job(description=str(number)), replaced_at=T0),
        id="versions",
    ),
]


@pytest.mark.parametrize(("kind", "item"), LISTS)
def test_a_hundred_thousand_cost_no_more_than_a_thousand(kind: type[Any], item: Callable[[int], Any]) -> None:
    items = [item(number) for number in range(100)]
    few, many = kind(items * 10, now=T0), kind(items * 1_000, now=T0)
    for form in ("to_html", "to_text", "to_markdown", "__repr__"):
        work_of(getattr(few, form))  # so that all is loaded
        assert work_of(getattr(many, form)) <= 1.05 * work_of(getattr(few, form))
    assert "... 99,940 more" in many.to_text().split("\n")
    assert len(Page(without_pictures(many.to_html())).rows) == MOST + 1


def test_a_hundred_jobs_are_thirty_kilobytes() -> None:
    jobs = ss.jobs.JobRecords(map(record, range(100)), now=T0)
    assert len(jobs.to_html().encode()) <= 30_000
    assert "... 40 more" in jobs.to_text().split("\n")


def test_of_many_runs_the_latest_are_shown() -> None:
    shown = ss.jobs.Runs(map(run, range(100)), now=T0)
    assert [row[0] for row in Page(without_pictures(shown.to_html())).rows[1:]] == [
        str(number) for number in range(40, 100)
    ]
    assert shown.to_text().split("\n")[-2:] == ["... 40 more", "the latest are shown"]


def test_endless_runs_are_computed_as_far_as_they_are_shown() -> None:
    client = ss.SchedulerClient(ss.LocalBackend(clock=ss.testing.FakeClock(T0)))
    client.create(job(schedule=ss.Rate(timedelta(minutes=1), start=T0)))
    upcoming = client.upcoming(until=datetime(9000, 1, 1, tzinfo=timezone.utc))
    few = client.upcoming(limit=MOST + 1)
    assert upcoming.to_text().split("\n")[1:MOST] == few.to_text().split("\n")[1:MOST]
    assert work_of(upcoming.to_text) <= 1.05 * work_of(few.to_text)
    upcoming.to_html()
    other = client.upcoming(until=datetime(8000, 1, 1, tzinfo=timezone.utc))
    assert work_of(upcoming.to_html) < 1.05 * work_of(other.to_html)
    assert upcoming.to_text().split("\n")[-1] == "... more"
    assert len(upcoming.to_text().split("\n")) == MOST + 3


def test_showing_a_timeline_reads_nothing_of_it() -> None:
    hourly = ss.Rate(timedelta(hours=1), start=T0)
    shown, other = (ss.timeline([hourly], after=T0) for _ in range(2))
    assert next(shown) == next(other)
    assert shown.to_text() == str(shown)
    shown.to_html()
    assert list(islice(shown, 200)) == list(islice(other, 200))
    assert iter(shown) is shown


def test_a_run_that_ended_before_it_started_took_no_time() -> None:
    """By the clocks of two machines."""
    turned = run(1).replace(ended_at=T0)
    assert "took       0 ms" in turned.to_text()


def test_a_traceback_is_in_no_table() -> None:
    assert "Traceback" not in run(1).to_text() + ss.jobs.Runs([run(1)]).to_html()


def test_each_status_says_what_it_is_by_a_word_and_some_by_a_sign_too() -> None:
    from stepsched.jobs.shown import TONES

    known = {status.value for kind in (ss.JobStatus, ss.RunStatus) for status in kind}
    assert TONES.keys() < known
    assert known - TONES.keys() == {"ended", "cancelled", "pending"}
