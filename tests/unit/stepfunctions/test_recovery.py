"""Tests recovery without an emulator of executions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.backends.stepfunctions.executions import JobExecutions
from stepsched.backends.stepfunctions.recovery import Recovery
from stepsched.backends.stepfunctions.rows import Claim, Row, key, run_key, write_instant, write_row
from stepsched.backends.stepfunctions.table import Table
from stepsched.machines.shared import table_schema
from tests.sessions import new_session

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
ME = "arn:of:me"
CLAIM = Claim(run_key(NOON), ME, NOON)


class StoppedExecutions:
    """Records the stopped executions, each with the status of the run in the table at that moment."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.seen: list[tuple[str, str]] = []

    def history(self, _arn: str) -> Iterator[dict[str, Any]]:
        return iter(())

    def stop(self, arn: str, _error: str, _cause: str) -> None:
        item = self.table.item("job", CLAIM.key)
        self.seen.append((arn, "nothing" if item is None else item["status"]["S"]))


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client: Any = new_session(region_name="eu-west-1").client("dynamodb")
        client.create_table(**table_schema.creation("jobs"))
        yield Table(client, "jobs")


def row(claim: Claim | None = None) -> Row:
    return Row(
        job=ss.Job(
            name="job",
            schedule=ss.Cron("0 * * * ? *"),
            target=ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f"),
        ),
        status=ss.JobStatus.ACTIVE,
        version=1,
        created_at=NOON,
        updated_at=NOON,
        anchor=NOON,
        cursor=NOON,
        token="a" * 12,
        claim=claim,
    )


def recovery(table: Table, executions: Any) -> Recovery:
    return Recovery(JobExecutions(table, executions), timedelta(days=1))


def test_runs_are_recorded_as_failed_before_their_executions_are_stopped(table: Table) -> None:
    """A run that is stopped and not recorded would be started again."""
    seen = row(claim=CLAIM)
    claim = {
        "claimed": {"S": CLAIM.key},
        "claimed_by": {"S": ME},
        "started_at": {"S": write_instant(NOON)},
    }
    table.put_new({**key("job"), **write_row(seen), **claim})
    executions = StoppedExecutions(table)
    cancelled = list[tuple[str, str | None, bool]]()

    def cancel(_job: Row, run: str, child: str | None) -> None:
        found = table.run("job", run)
        cancelled.append((run, child, found is not None and found.run.ended_at is not None))

    recovery(table, executions).stop_runs(seen, NOON + HOUR, "Mine", "because", cancel)
    assert executions.seen == [(ME, "failed")]
    # Before the end, after which a repetition would not find the run; and again, as it may just have begun.
    assert cancelled == [(CLAIM.key, None, False), (CLAIM.key, None, True)]
    assert table.read("job").claim is None
