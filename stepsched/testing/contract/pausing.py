"""Tests the reason of a pause, and which jobs ``pause_many`` pauses. No run has to start."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.testing.contract.fixtures import MakeJob, refused, same

ACTIVE, PAUSED = ss.JobStatus.ACTIVE, ss.JobStatus.PAUSED
WHY = "month-end closing, see OPS-17"
LONGEST = "Wartung – 保守 [x] {\"a\":1}] \\ 'n' <b>" + "é" * 164 + "."


class TestTheReasonOfAPause:
    def test_is_in_every_record_until_the_job_is_resumed(
        self, client: ss.SchedulerClient, job: MakeJob, tolerance: timedelta
    ) -> None:
        assert client.create(job()).pause_reason is None
        record = client.pause("job", reason=WHY)
        assert (record.status, record.pause_reason, record.version) == (PAUSED, WHY, 1)
        assert same(client.get("job"), record, tolerance)
        assert [each.pause_reason for each in client.list(status="paused")] == [WHY]
        assert client.get("job").job == job()
        assert client.plan([job()]).is_empty
        assert client.resume("job").pause_reason is None
        assert client.get("job").pause_reason is None
        assert client.pause("job").pause_reason is None
        assert client.get("job").pause_reason is None

    @pytest.mark.parametrize("reason", ["x", " x ", LONGEST, "line 1\\nline 2", "🦉" * 200])
    def test_comes_back_as_it_was_given(self, client: ss.SchedulerClient, job: MakeJob, reason: str) -> None:
        client.create(job(description="Closes the books.", tags={"team": "a"}))
        before = client.get("job").job
        assert client.pause("job", reason=reason).pause_reason == reason
        assert (client.get("job").pause_reason, client.get("job").job) == (reason, before)

    def test_is_replaced_by_a_new_one_and_kept_without_one(
        self, client: ss.SchedulerClient, job: MakeJob, tolerance: timedelta
    ) -> None:
        client.create(job())
        client.pause("job")
        assert client.pause("job", reason="first").pause_reason == "first"
        assert client.pause("job").pause_reason == "first"
        record = client.pause("job", reason=WHY)
        assert (record.pause_reason, record.status, record.version) == (WHY, PAUSED, 1)
        assert same(client.get("job"), record, tolerance)
        assert same(client.pause("job", reason=WHY), record, tolerance)

    def test_is_kept_by_updates_and_plans(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        client.pause("job", reason=WHY)
        assert client.update(job(input=1)).pause_reason == WHY
        client.apply([job(input=2, schedule=ss.Rate(timedelta(hours=2)))])
        client.update(job(input=3, enabled=False))
        record = client.get("job")
        assert (record.pause_reason, record.version, record.status) == (WHY, 4, PAUSED)

    def test_is_kept_by_a_move_to_another_group(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create_many([job(group="x"), job("other", group="y")])
        client.pause("job", reason=WHY)
        client.apply([job(group="y"), job("other", group="y")], prune=True)
        record = client.get("job")
        assert (record.job.group, record.pause_reason, record.status) == ("y", WHY, PAUSED)

    def test_is_gone_when_an_update_enables_the_job(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job(enabled=False))
        assert client.pause("job", reason=WHY).pause_reason == WHY
        assert client.update(job()).pause_reason is None
        assert client.pause("job").pause_reason is None
        assert client.get("job").pause_reason is None

    def test_is_not_that_of_a_pause_by_an_update(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        client.pause("job", reason=WHY)
        client.resume("job")
        record = client.update(job(enabled=False))
        assert (record.status, record.pause_reason) == (PAUSED, None)
        assert client.get("job").pause_reason is None

    def test_goes_with_the_job(self, client: ss.SchedulerClient, job: MakeJob) -> None:
        client.create(job())
        client.pause("job", reason=WHY)
        assert client.cancel("job").pause_reason is None
        assert client.create(job()).pause_reason is None
        assert client.pause("job").pause_reason is None

    @pytest.mark.parametrize(
        ("reason", "expected"),
        [
            pytest.param("", ValueError, id="empty"),
            pytest.param("  \t", ValueError, id="blank"),
            pytest.param("x" * 201, ValueError, id="too long"),
            pytest.param("two\nlines", ValueError, id="two lines"),
            pytest.param("two\u2028lines", ValueError, id="two lines of Unicode"),
            pytest.param("\x1b[2J", ValueError, id="a control"),
            pytest.param("a\u202eb", ValueError, id="text to the left"),
            pytest.param("\ud800", ValueError, id="half a character"),
            pytest.param(b"x", TypeError, id="bytes"),
            pytest.param(7, TypeError, id="number"),
            pytest.param(True, TypeError, id="bool"),
        ],
    )
    def test_that_is_no_line_of_text_is_refused_and_pauses_nothing(
        self, client: ss.SchedulerClient, job: MakeJob, reason: Any, expected: type[Exception]
    ) -> None:
        client.create(job())
        for pause in (lambda: client.pause("job", reason=reason), lambda: client.pause_many(reason=reason)):
            with pytest.raises(expected, match="for reason, got"):
                pause()
        assert client.get("job").status is ACTIVE

    @pytest.mark.parametrize("reason", ["x", LONGEST])
    def test_is_kept_beside_the_longest_description_or_refused_by_name(
        self, client: ss.SchedulerClient, job: MakeJob, backend: Backend, reason: str
    ) -> None:
        long = "d" * 512
        while long:
            try:
                client.create(job(description=long))
                break
            except ss.UnsupportedError:
                long = long[:-1]
        expected: tuple[ss.JobStatus, str | None] = (PAUSED, reason)
        try:
            client.pause("job", reason=reason)
        except ss.UnsupportedError:
            with refused(backend, "job"):
                client.pause("job", reason=reason)
            expected = (ACTIVE, None)
        record = client.get("job")
        assert (record.status, record.pause_reason) == expected
        assert record.job == job(description=long)


class TestPauseMany:
    def test_pauses_the_active_jobs_alone_and_returns_only_those(
        self, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create_many([job("a"), job("b"), job("c"), job("off", enabled=False), job("e", group="x")])
        client.pause("b", reason="broken")
        client.pause("c")
        progress = list[tuple[int, int]]()
        paused = client.pause_many(reason=WHY, progress=lambda at, of: progress.append((at, of)))
        assert progress[-1] == (2, 2)
        assert [(each.name, each.status, each.pause_reason) for each in paused] == [
            ("a", PAUSED, WHY),
            ("e", PAUSED, WHY),
        ]
        assert client.pause_many(reason="again") == []
        assert {each.name: each.pause_reason for each in client.list()} == {
            "a": WHY,
            "b": "broken",
            "c": None,
            "off": None,
            "e": WHY,
        }
        for each in paused:
            client.resume(each.name, group=each.job.group)
        assert [each.name for each in client.list(status="active")] == ["a", "e"]

    def test_refuses_a_job_that_another_caller_has_paused_meanwhile(
        self, backend: Backend, client: ss.SchedulerClient, job: MakeJob
    ) -> None:
        client.create(job())
        backend.pause("job", reason="theirs", only_active=True)
        with pytest.raises(ss.InvalidTransitionError, match="cannot pause job 'job': it is paused"):
            backend.pause("job", reason="mine", only_active=True)
        assert client.get("job").pause_reason == "theirs"
