"""No statement of a turn reads the history: its cost must not grow with the file."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.testing import TimeTravel
from tests.unit.local.test_engine import HOUR, job


@pytest.mark.parametrize("overlap", list(ss.Overlap))
def test_no_statement_of_a_turn_scans_the_runs(overlap: ss.Overlap) -> None:
    statements = set[str]()
    with TimeTravel() as travel:
        db = travel.backend._store._db
        db.set_trace_callback(statements.add)
        retry = ss.Retry(max_attempts=1)
        travel.client.create(job(lambda: 1 / 0, "bad", schedule=ss.Rate(HOUR), overlap=overlap, retry=retry))
        travel.client.create(job(print, "once", schedule=ss.OneTime("2030-01-01T01:00"), overlap=overlap))
        travel.advance(3 * HOUR)
        travel.client.run_now("bad")
        travel.client.dead_letters("bad")
        travel.client.cancel("bad")
        travel.advance(timedelta(minutes=1))
        db.set_trace_callback(None)
        asked = [sql for sql in statements if sql.startswith(("SELECT", "UPDATE", "DELETE"))]
        plans = {
            sql: [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
            for sql in asked
            if "count(*)" not in sql  # of the history itself, once a minute
        }
    scans = {
        sql: step
        for sql, steps in plans.items()
        for step in steps
        if step.startswith(("SCAN r", "SCAN runs", "SCAN e")) and "INDEX runs_" not in step
    }
    assert len(plans) > 15
    assert scans == {}


def closing(statements: list[str]) -> list[str]:
    return [sql for sql in statements if sql.startswith("UPDATE runs SET status = CASE")]


def test_closing_a_job_reads_its_open_runs_only() -> None:
    with TimeTravel() as travel:
        db = travel.backend._store._db
        statements = list[str]()
        travel.client.create(job(print))
        db.set_trace_callback(statements.append)
        travel.client.cancel("job")
        db.set_trace_callback(None)
        (sql,) = closing(statements)
        (plan,) = (row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}"))
    assert plan == "SEARCH runs USING INDEX runs_open (job_id=?)"


def test_the_end_of_a_job_reads_no_waiting_runs() -> None:
    with TimeTravel() as travel:
        db = travel.backend._store._db
        statements = list[str]()
        db.set_trace_callback(statements.append)
        travel.client.create(job(print, "once", schedule=ss.OneTime("2030-01-01T01:00")))
        travel.advance(2 * HOUR)
        db.set_trace_callback(None)
        assert travel.client.list() == []
    assert any(sql.startswith("DELETE FROM jobs") for sql in statements)
    assert closing(statements) == []
