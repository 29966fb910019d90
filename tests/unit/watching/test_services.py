"""A watch of a table in AWS: it costs few calls, since what was read is kept for a while."""

from __future__ import annotations

import pytest

import stepsched as ss
from stepsched.watching.pictures import tables_of
from stepsched.watching.reading import Reader
from tests.unit.stepfunctions.workflow_cloud import cloud
from tests.unit.watching.conftest import DAILY

FUNCTION = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")


def test_a_table_is_watched_without_flooding_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with cloud() as account:
        client = ss.SchedulerClient(account.backend())
        client.create(ss.Job(name="report", schedule=DAILY, target=FUNCTION))
        client.run_now("report")
        reader = Reader(client.backend, client.iterate)
        seen = reader.read()
        account.session.calls.clear()
        for _ in range(10):
            reader.read()
        calls = len(account.session.calls)
    shown = {row[0].text for table in tables_of(seen) for row in table.rows}
    assert shown == {"report"}
    assert [run.job for run in (*seen.running, *seen.waiting)] == ["report"]
    assert calls == 0
