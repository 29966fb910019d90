"""What a notebook shows: whole tables, every text escaped, nothing loaded from anywhere."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest

import stepsched as ss
from stepsched.display.notebook import table
from stepsched.testing import FakeClock

NEW_YEAR = datetime(2030, 1, 1, tzinfo=timezone.utc)
EVIL = "<script src='x'>alert(1)</script>"


class Page(HTMLParser):
    """The rows of a table as text, and every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.caption = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        else:
            self.caption += data


def page(value: object) -> Page:
    shown = Page(value._repr_html_())  # type: ignore[attr-defined]  # what a notebook asks for
    assert shown.tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert shown.attributes <= {"style", "colspan"}
    return shown


def test_a_table_escapes_every_text() -> None:
    shown = Page(table([(EVIL, 1)], head=(EVIL, "n"), caption=EVIL))
    assert shown.rows == [[EVIL, "n"], [EVIL, "1"]]
    assert shown.caption == EVIL
    assert "script" not in shown.tags


def test_the_name_of_a_job_is_text_wherever_it_is_shown() -> None:
    with ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(NEW_YEAR))) as client:
        wanted = ss.Job(name=EVIL, schedule=ss.Rate("PT1H"), target=ss.CommandTarget(["true"]))
        plan = client.plan([wanted])
        for value in (plan, client.create(wanted), client.upcoming(limit=1)):
            assert EVIL in [cell for row in page(value).rows for cell in row]
        shown = page(ss.estimate([wanted, wanted.replace(name="other")], NEW_YEAR, NEW_YEAR))
        assert any(EVIL in cell for row in shown.rows for cell in row)


def test_the_last_cell_of_a_short_row_reaches_to_the_end() -> None:
    assert 'colspan="3"' in table([("a", "b", "c"), ("all",)])


def test_a_schedule_shows_its_next_runs_in_its_own_zone_and_in_utc() -> None:
    shown = page(ss.Cron("0 9 * * ? 2031-2099", timezone="Asia/Tokyo"))
    assert shown.caption.startswith("At 09:00")
    assert shown.rows[0] == ["next runs", "UTC"]
    assert shown.rows[1] == ["Wed 2031-01-01 09:00:00 +0900", "2031-01-01 00:00:00"]
    assert len(shown.rows) == 6


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(ss.Cron("0 0 30 2 ? *"), id="cron"),
        pytest.param(ss.OneTime("2001-01-01T00:00"), id="once"),
    ],
)
def test_a_schedule_without_a_run_says_so(schedule: ss.Schedule) -> None:
    assert page(schedule).rows[1] == ["no run is left"]


def test_a_plan_shows_what_would_be_done_to_which_job() -> None:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(NEW_YEAR)))
    old = ss.Job(name="old", schedule=ss.Rate(timedelta(days=1)), target=ss.CommandTarget(["true"]))
    client.create_many([old, old.replace(name="gone")])
    plan = client.plan([old.replace(input=1), old.replace(name="new")], prune=True)
    assert page(plan).rows[1:] == [
        ["create", "new", "Every day"],
        ["update", "old", "input: {} -> 1"],
        ["cancel", "gone", "Every day"],
        ["1 to create, 1 to update, 1 to cancel, 0 unchanged"],
    ]


def test_a_record_shows_its_status_and_its_next_run() -> None:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(NEW_YEAR)))
    job = ss.Job(
        name="j", schedule=ss.Cron("0 9 * * ? *"), target=ss.CommandTarget(["echo", EVIL]), group="g"
    )
    rows = dict(page(client.create(job)).rows)
    assert rows["status"] == "active"
    assert rows["next run"] == "2030-01-01 09:00:00+00:00"
    assert EVIL in rows["target"]
    assert dict(page(client.pause("j")).rows)["next run"] == "none"
    assert "paused because" not in dict(page(client.get("j")).rows)
    assert dict(page(client.pause("j", reason=EVIL)).rows)["paused because"] == EVIL
