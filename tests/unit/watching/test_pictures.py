"""What a watch shows, as a function of what was seen."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest

import stepsched as ss
from stepsched.display.plain_text import width_of
from stepsched.jobs import JobRecord, Run
from stepsched.watching.pictures import Layout, html_of, lines_of, tables_of, text_of
from stepsched.watching.reading import Seen
from tests.unit.watching.conftest import NOW, job

SECOND = timedelta(seconds=1)


def run(number: int, name: str = "report", status: str = "running", **changes: object) -> Run:
    made = Run(id=number, job=name, scheduled_for=NOW - 9 * SECOND, status=ss.RunStatus(status), attempt=1)
    return made.replace(started_at=NOW - 8 * SECOND).replace(**changes)


def record(name: str, next_run: datetime) -> JobRecord:
    return JobRecord(
        job=job(name),
        status=ss.JobStatus.ACTIVE,
        version=1,
        created_at=NOW,
        updated_at=NOW,
        next_run=next_run,
    )


FAILED = run(3, "backup", "failed", ended_at=NOW - 60 * SECOND, error="ValueError: full\n\x1b[2J")
PENDING = run(2, "import", "pending", error="OSError: gone", started_at=NOW - 30 * SECOND)
SEEN = Seen(
    now=NOW,
    counts={"active": 3, "paused": 1, "failing": 1},
    upcoming=[record("report", NOW + 2 * timedelta(hours=1)), record("x" * 60, NOW + timedelta(days=2))],
    running=[run(1)],
    waiting=[PENDING],
    troubled=[FAILED],
)
TEXT = """\
06:00:00 UTC 4 jobs: 3 active, 1 paused, 1 failing

now: 1 running, 1 waiting
JOB                                 FOR             STATUS   DETAILS
report                              8 s             running  since 2030-01-07 05:59:52 +00:00 UTC
import                              9 s             pending  attempt 2 follows, OSError: gone

next
JOB                                 IN              AT
report                              in 2 h          2030-01-07 09:00 +01:00 Europe/Paris
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  in 2 d          2030-01-09 07:00 +01:00 Europe/Paris

failed, skipped or missed
JOB                                 WHEN            STATUS   ERROR
backup                              1 min ago       failed   ValueError: full \\x1b[2J"""


def text(seen: Seen, rows: int = 40, columns: int = 104, layout: Layout | None = None) -> str:
    return text_of(seen, rows, columns, layout or Layout())


def test_it_shows_what_runs_what_is_next_what_failed_and_totals() -> None:
    assert text(SEEN) == TEXT


@pytest.mark.parametrize("columns", [10, 20, 39, 79, 200])
@pytest.mark.parametrize("rows", [3, 10, 22, 60])
def test_it_fits_every_terminal(rows: int, columns: int) -> None:
    many = SEEN._replace(
        running=[run(number, "日本語" * 20) for number in range(30)],
        troubled=[FAILED] * 10,
        upcoming=[record("job", NOW)] * 10,
    )
    lines = text(many, rows, columns).split("\n")
    assert len(lines) <= rows
    assert all(width_of(line) <= columns for line in lines)
    assert "06:00:00"[: columns - 1] in lines[0]


def test_rows_do_not_jump_when_a_run_has_ended_or_a_name_is_gone() -> None:
    layout = Layout()
    before = text(SEEN, layout=layout).split("\n")
    after = text(SEEN._replace(running=[], waiting=[], counts={"active": 4}), layout=layout).split("\n")
    assert len(before) == len(after)
    assert [line for line in before if "in 2 h" in line] == [line for line in after if "in 2 h" in line]
    assert before.index("next") == after.index("next")


def test_a_terminal_that_becomes_lower_shows_every_part_still() -> None:
    layout = Layout()
    full = SEEN._replace(running=[run(number) for number in range(10)], upcoming=[SEEN.upcoming[0]] * 10)
    text(full, 60, layout=layout)
    shown = text(full, 22, layout=layout).split("\n")
    assert len(shown) <= 22
    assert [line for line in shown if line.startswith(("now", "next", "failed"))] == [
        "now: 10 running, 1 waiting",
        "next",
        "failed, skipped or missed",
    ]


def test_what_is_left_out_is_said() -> None:
    shown = text(SEEN._replace(running=[run(number) for number in range(1_200)]))
    assert "now: 1,200 running, 1 waiting" in shown
    assert "... 1,192 more" in shown


class Texts(HTMLParser):
    """The cells and remarks of tables."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found = list[str]()
        self._in_style = False
        self.tags = set[str]()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.found.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False


def test_the_html_has_the_same_cells_and_nothing_to_click() -> None:
    page = Texts(html_of(SEEN))
    expected = [
        each
        for table in tables_of(SEEN)
        for each in (
            table.caption,
            *table.head,
            *(cell.text for row in table.rows for cell in row),
            *table.remarks,
        )
    ]
    assert page.found == expected
    assert not {"script", "input"} & page.tags


def test_an_empty_store_is_told_in_words() -> None:
    assert text(Seen(NOW)).split("\n\n") == [
        "06:00:00 UTC no jobs",
        "now: nothing running",
        "next: no run is left",
        "failed, skipped or missed: none",
    ]


def test_a_backend_without_runs_shows_the_jobs_and_says_so() -> None:
    seen = SEEN._replace(without_runs="this backend keeps no record of runs", age=timedelta(seconds=70))
    shown = text(seen)
    assert "! what runs and what failed is not shown: this backend keeps no record of runs" in shown
    assert "read 1 min 10 s ago" in shown
    assert "backup" not in shown
    assert "in 2 h" in shown


def test_an_outage_and_jobs_that_nobody_runs_are_told() -> None:
    shown = text(SEEN._replace(outage="throttled", is_served=False))
    assert "! cannot be read at present, trying again: throttled" in shown
    assert "! no process runs these jobs at present" in shown
    assert "backup" in shown  # what was seen stays


def test_groups_are_shown_where_there_are_several() -> None:
    twin = SEEN.upcoming[0].replace(job=job("report", group="other"))
    table = tables_of(SEEN._replace(upcoming=[*SEEN.upcoming, twin]))[2]
    assert table.head[-1] == "group"
    assert [row[-1].text for row in table.rows] == ["default", "default", "other"]


def test_what_waits_says_for_what() -> None:
    def details(changed: Run) -> str:
        return tables_of(Seen(NOW, waiting=[changed]))[1].rows[0][3].text

    assert details(PENDING.replace(pending_reason="no worker has its handler")) == "no worker has its handler"
    assert details(PENDING.replace(error=None)) == "attempt 2 follows"
    assert details(PENDING.replace(attempt=0)) == "waits for its turn"
    assert details(PENDING.replace(attempt=0, scheduled_for=NOW + SECOND)) == "comes due"


# -- as lines ------------------------------------------------------------------------------------------


def seen_of(*runs: Run) -> Seen:
    return Seen(NOW, counts={"active": 1}, latest={each.id: each for each in runs})


def test_after_an_outage_at_the_beginning_only_what_runs_then_is_told() -> None:
    unknown = Seen(NOW, outage="slow down", is_known=False)
    ended = seen_of(*(run(number, status="succeeded", ended_at=NOW) for number in range(10, 20)))
    shown = [*lines_of(None, unknown), *lines_of(unknown, unknown), *lines_of(unknown, ended)]
    assert shown == [
        "06:00:00 UTC reading the jobs ...",
        "! cannot be read at present, trying again: slow down",
        "06:00:00 UTC 1 job: 1 active",
    ]


def test_the_first_lines_say_what_there_is() -> None:
    assert list(lines_of(None, SEEN._replace(is_served=False))) == [
        "06:00:00 UTC 4 jobs: 3 active, 1 paused, 1 failing",
        "! no process runs these jobs at present; use `stepsched serve`, or a with block",
        "05:59:52 UTC report run 1 started",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "started"),
        ({"attempt": 2}, "started, attempt 2"),
        ({"status": "succeeded", "ended_at": NOW}, "succeeded after 8.0 s"),
        ({"status": "failed", "ended_at": NOW, "error": "a\nb"}, "failed after 8.0 s: a b"),
        ({"status": "missed", "started_at": None, "error": "late"}, "missed: late"),
        ({"status": "pending", "error": "no"}, "attempt 1 failed, the next one follows: no"),
        ({"status": "pending", "pending_reason": "why"}, "waits: why"),
    ],
)
def test_a_line_tells_each_change(change: dict[str, object], words: str) -> None:
    (line,) = lines_of(seen_of(), seen_of(run(7).replace(**change)))
    assert line.endswith(f" UTC report run 7 {words}")


def test_what_has_not_changed_or_not_happened_yet_is_no_line() -> None:
    waiting = run(8, status="pending", attempt=0, started_at=None)
    assert list(lines_of(seen_of(run(7)), seen_of(run(7), waiting))) == []


def test_a_run_that_is_only_older_than_those_of_then_is_no_news() -> None:
    assert list(lines_of(seen_of(run(7)), seen_of(run(7), run(3)))) == []


def test_an_outage_is_one_line() -> None:
    broken = seen_of()._replace(outage="throttled")
    assert list(lines_of(seen_of(), broken)) == [
        "06:00:00 UTC ! cannot be read at present, trying again: throttled"
    ]
    assert list(lines_of(broken, broken)) == []
    assert list(lines_of(broken, seen_of())) == []


def test_times_are_in_utc_in_lines_wherever_the_schedule_is() -> None:
    paris = run(1, scheduled_for=NOW.astimezone(timezone(timedelta(hours=1))))
    (line,) = lines_of(seen_of(), seen_of(paris))
    assert line.startswith("05:59:52 UTC")
