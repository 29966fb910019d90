"""Lists of results show themselves, and are lists in every other way."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter

import stepsched as ss
from stepsched.testing import FakeClock

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
MORNING = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")


@pytest.fixture
def client() -> ss.SchedulerClient:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(T0)))
    jobs = [ss.Job(name=name, schedule=MORNING, target=ss.CommandTarget(["true"])) for name in "abc"]
    client.create_many(jobs)
    return client


def test_a_list_of_jobs_is_a_list(client: ss.SchedulerClient) -> None:
    shown = client.list()
    plain = [client.get(name) for name in "abc"]
    assert isinstance(shown, list)
    assert shown == plain
    assert plain == shown
    assert shown + plain == plain + plain
    assert sorted(shown, key=lambda record: record.name, reverse=True) == plain[::-1]
    assert [*shown] == plain
    assert TypeAdapter(list[ss.JobRecord]).validate_python(shown) == plain
    assert TypeAdapter(list[ss.JobRecord]).dump_json(shown) == TypeAdapter(list[ss.JobRecord]).dump_json(
        plain
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_copy_shows_itself_too(client: ss.SchedulerClient, protocol: int) -> None:
    shown = client.list()
    for other in (pickle.loads(pickle.dumps(shown, protocol)), copy.copy(shown), copy.deepcopy(shown)):
        assert other == shown
        assert other.to_text() == shown.to_text()


def test_a_slice_shows_itself_by_the_same_clock(client: ss.SchedulerClient) -> None:
    part = client.list()[1:]
    assert type(part) is ss.jobs.JobRecords
    assert [record.name for record in part] == ["b", "c"]
    assert "in 8 h" in part.to_text()
    assert client.list()[0] == client.get("a")


def test_every_verb_that_returns_many_returns_a_list_that_shows_itself(client: ss.SchedulerClient) -> None:
    client.update(client.get("a").job.replace(description="new"))
    since = T0 - timedelta(days=2)
    assert type(client.create_many([])) is ss.jobs.JobRecords
    assert type(client.pause_many(name_prefix="b")) is ss.jobs.JobRecords
    assert type(client.resume_many(name_prefix="b")) is ss.jobs.JobRecords
    assert type(client.versions("a")) is ss.jobs.JobVersions
    assert type(client.backfill("a", since=since, until=T0)) is ss.jobs.Runs
    assert type(client.runs()) is ss.jobs.Runs
    assert type(client.dead_letters()) is ss.jobs.Runs
    assert type(client.dead_letters("not a name " * 99)) is ss.jobs.Runs
    assert type(client.repair()) is ss.jobs.Repairs
    assert type(client.cancel_many(name_prefix="c")) is ss.jobs.JobRecords


def test_a_list_is_one_line_inside_of_others(client: ss.SchedulerClient) -> None:
    assert repr(client.list()) == "<3 jobs: a, b, c>"
    assert repr(ss.jobs.JobRecords()) == "<no jobs>"
    job = client.get("a").job.replace(name="n" * 256)
    assert repr(client.create_many([job])) == f"<1 job: {'n' * 37}...>"
    many = repr(ss.jobs.JobRecords(client.list() * 100))
    assert many.endswith(", ...>")
    assert len(many) <= 120


def test_an_empty_list_says_so() -> None:
    assert str(ss.jobs.Runs()) == "no runs"
    assert "no runs" in ss.jobs.Runs().to_html()
    assert ss.jobs.Runs().to_markdown() == "**no runs**\n"


def test_the_changes_between_versions_are_shown(client: ss.SchedulerClient) -> None:
    for number in range(2):
        client.update(client.get("a").job.replace(description=f"text {number}"))
    lines = client.versions("a").to_text().split("\n")
    assert lines[2].endswith('description: "" -> "text 0"')
    assert lines[3].startswith("2 ")


def test_upcoming_runs_of_a_schedule_are_a_list_in_its_zone() -> None:
    runs = MORNING.upcoming(2, after=T0)
    assert isinstance(runs, list)
    assert runs == [datetime(2030, 1, day, 8, tzinfo=timezone.utc) for day in (7, 8)]
    assert json.loads(TypeAdapter(list[datetime]).dump_json(runs))[0] == "2030-01-07T09:00:00+01:00"
    assert str(runs[:1]).split("\n") == [
        "1 run",
        "RUN                                       UTC",
        "Mon 2030-01-07 09:00 +01:00 Europe/Paris  2030-01-07 08:00 +00:00 UTC",
    ]
    assert pickle.loads(pickle.dumps(runs)).to_text() == runs.to_text()
    assert "no run is left" in str(ss.OneTime("2001-01-01T00:00").upcoming(3))


def test_the_text_of_a_schedule_stays_its_expression() -> None:
    assert str(MORNING) == "cron(0 9 * * ? *)"
    assert MORNING.to_text().startswith("At 09:00, Europe/Paris\nRUN ")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def columns(number: int) -> Iterator[None]:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(number)
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def test_print_fits_the_terminal_and_writes_whole_lines_elsewhere(client: ss.SchedulerClient) -> None:
    terminal, file = Terminal(), io.StringIO()
    with columns(60):
        for output in (terminal, file):
            with redirect_stdout(output):
                print(client.list())
    assert max(map(len, terminal.getvalue().split("\n"))) <= 80
    assert len(file.getvalue().split("\n")) == 6
    assert terminal.getvalue() != file.getvalue()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "absent"])
def test_without_an_output_a_text_is_made_all_the_same(client: ss.SchedulerClient, closed: bool) -> None:
    output, before = io.StringIO(), sys.stdout
    output.close()
    sys.stdout = output if closed else None
    try:
        text = str(client.list())
    finally:
        sys.stdout = before
    assert text == client.list().to_text()


@pytest.mark.parametrize("other", ["x", None, 5, {"password": "hidden"}])
def test_a_list_that_was_given_something_else_is_represented(
    client: ss.SchedulerClient, other: object
) -> None:
    shown = client.list()
    shown.append(other)  # type: ignore[arg-type]
    assert repr(shown).startswith("<4 jobs: a, b, c, ")
    assert "hidden" not in repr(shown)
    assert repr(ss.jobs.Runs([other])).startswith("<1 run: ")  # type: ignore[list-item]


def test_the_hook_collides_with_no_attribute_of_a_backend_that_somebody_wrote() -> None:
    class Mine(ss.LocalBackend):
        def __init__(self) -> None:
            super().__init__(clock=FakeClock(T0))
            self._table = "jobs"

    assert Mine().to_text().startswith("backend  Mine")
