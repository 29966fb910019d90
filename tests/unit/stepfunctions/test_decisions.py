"""Tests the decisions about jobs and runs whose execution ended unexpectedly."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions import decisions
from stepsched.backends.stepfunctions.decisions import PendingAction, RecordEnd, StartAgain
from stepsched.backends.stepfunctions.histories import Ending, Outcome
from stepsched.backends.stepfunctions.rows import Claim, Row, RunRow, run_key
from stepsched.backends.stepfunctions.service import Execution
from stepsched.jobs import Problem

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
PREFIX = "arn:aws:states:eu-west-1:123456789012:execution:runner:job"
TOKEN, OTHER_TOKEN = "a" * 12, "b" * 12
FIRST = f"{PREFIX}-{TOKEN}"
SECOND_ONE = f"{FIRST}-2"
FOREIGN = f"{PREFIX}-{OTHER_TOKEN}"
CLAIM = Claim(run_key(NOON), FIRST, NOON)


def row(schedule: ss.Schedule | None = None, **changes: Any) -> Row:
    fields = {name: changes.pop(name) for name in ("catch_up", "completion") if name in changes}
    return Row(
        job=ss.Job(
            name="job",
            schedule=ss.Cron("0 * * * ? *") if schedule is None else schedule,
            target=ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f"),
            **fields,
        ),
        status=ss.JobStatus.ACTIVE,
        version=1,
        created_at=NOON,
        updated_at=NOON,
        anchor=NOON,
        cursor=NOON,
        token=TOKEN,
    )._replace(**changes)


def execution(arn: str = FIRST, status: str = "RUNNING", started_at: datetime | None = NOON) -> Execution:
    return Execution(arn, status, started_at=started_at)


def run(status: ss.RunStatus) -> RunRow:
    return RunRow(ss.Run(id=1, job="job", scheduled_for=NOON, status=status), run_key(NOON))


# -- suspects ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "age", "expected"),
    [
        (execution(), HOUR, True),
        (execution(status="FAILED"), SECOND, False),
        (None, 5 * MINUTE - SECOND, True),
        (None, 5 * MINUTE, False),
    ],
)
def test_a_claimed_run_is_running_while_its_execution_runs_or_is_not_visible_yet(
    found: Execution | None, age: timedelta, expected: bool
) -> None:
    assert decisions.is_running(CLAIM, found, NOON + age) is expected


@pytest.mark.parametrize(
    ("seen", "running_tokens", "running", "expected"),
    [
        (row(), {TOKEN}, {FIRST}, False),
        (row(), set(), set(), True),
        (row(token=None), {TOKEN}, set(), True),
        (row(claim=CLAIM), {TOKEN}, {FIRST}, False),
        (row(claim=CLAIM), {TOKEN}, set(), True),
        (row(status=ss.JobStatus.PAUSED, token=None), set(), set(), False),
        (row(status=ss.JobStatus.PAUSED, token=None, claim=CLAIM), set(), {FIRST}, False),
        (row(status=ss.JobStatus.PAUSED, token=None, claim=CLAIM), set(), set(), True),
        (row(status=ss.JobStatus.ENDED, token=None), set(), set(), False),
        (row(owned=False), set(), set(), False),
    ],
)
def test_a_job_without_execution_or_with_an_interrupted_run_is_suspect(
    seen: Row, running_tokens: set[str | None], running: set[str], expected: bool
) -> None:
    assert decisions.is_suspect(seen, running_tokens, running) is expected


# -- runs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job_is_gone", [False, True])
def test_a_run_that_ended_by_its_history_is_recorded(job_is_gone: bool) -> None:
    failed = Ending(Outcome.FAILED, "E", "why")
    action = decisions.run_action(failed, job_is_gone=job_is_gone)
    assert isinstance(action, RecordEnd)
    assert (action.status, action.ending) == (ss.RunStatus.FAILED, failed)
    action = decisions.run_action(Ending(Outcome.DONE), job_is_gone=job_is_gone)
    assert isinstance(action, RecordEnd)
    assert action.status is ss.RunStatus.SUCCEEDED


def test_any_other_run_is_started_again_and_says_whether_it_may_have_begun() -> None:
    assert decisions.run_action(Ending(Outcome.UNKNOWN)) == StartAgain(may_have_begun=True)
    assert decisions.run_action(Ending(Outcome.NOT_BEGUN)) == StartAgain(may_have_begun=False)


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.NOT_BEGUN])
def test_any_other_run_has_failed_if_its_job_is_gone(outcome: Outcome) -> None:
    action = decisions.run_action(Ending(outcome), job_is_gone=True)
    assert isinstance(action, RecordEnd)
    assert action.status is ss.RunStatus.FAILED
    assert (action.ending.error, action.ending.cause) == ("Stepsched.Cancelled", "the job was cancelled")


def test_every_outcome_is_decided() -> None:
    assert all(
        isinstance(decisions.run_action(Ending(outcome)), RecordEnd | StartAgain) for outcome in Outcome
    )


def test_what_is_recorded_says_why() -> None:
    done, failed = Ending(Outcome.DONE), Ending(Outcome.FAILED, "E", "why")
    cancelled = Ending(Outcome.FAILED, "Stepsched.Cancelled", "the job was cancelled")
    assert decisions.run_action(done) == RecordEnd(
        ss.RunStatus.SUCCEEDED, done, "its history says that the target was invoked: recorded as succeeded"
    )
    assert decisions.run_action(failed) == RecordEnd(
        ss.RunStatus.FAILED, failed, "its history says that no attempt was left: recorded as failed"
    )
    assert decisions.run_action(Ending(Outcome.UNKNOWN), job_is_gone=True) == RecordEnd(
        ss.RunStatus.FAILED, cancelled, "recorded as failed: the job is gone"
    )


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (None, PendingAction.CLOSE),
        (row(), PendingAction.START),
        (row(ss.OneTime(NOON)), PendingAction.START_EACH),
    ],
)
def test_pending_runs_are_started_or_closed_with_their_job(job: Row | None, expected: PendingAction) -> None:
    assert decisions.pending_action(job) is expected


# -- jobs -----------------------------------------------------------------------------------------------

ONCE = ss.OneTime(NOON)


@pytest.mark.parametrize(
    ("seen", "last", "expected"),
    [
        (row(ONCE), run(ss.RunStatus.SUCCEEDED), True),
        (row(ONCE), run(ss.RunStatus.FAILED), False),
        (row(ONCE), run(ss.RunStatus.RUNNING), False),
        (row(ONCE), None, False),
        (row(ONCE, completion=ss.Completion.KEEP), run(ss.RunStatus.SUCCEEDED), False),
        (row(ONCE, cursor=NOON - HOUR), run(ss.RunStatus.SUCCEEDED), False),
        (row(), run(ss.RunStatus.SUCCEEDED), False),
    ],
)
def test_a_one_time_job_that_has_run_is_finished(seen: Row, last: RunRow | None, expected: bool) -> None:
    assert decisions.is_finished(seen, last) is expected


@pytest.mark.parametrize(
    ("catch_up", "late", "following", "missed"),
    [
        (ss.CatchUp.ALL, 3.5, 1, []),
        (ss.CatchUp.ONE, 3.5, 3, [1, 2]),
        (ss.CatchUp.SKIP, 3.5, 4, [1, 2, 3]),
        (ss.CatchUp.ONE, 1, 1, []),
        (ss.CatchUp.SKIP, 1, 2, [1]),
        (ss.CatchUp.ONE, 0.5, 1, []),
        (ss.CatchUp.SKIP, 0.5, 1, []),
        (ss.CatchUp.SKIP, 0, 1, []),
    ],
)
def test_a_job_without_an_execution_continues_as_its_catch_up_says(
    catch_up: ss.CatchUp, late: float, following: int, missed: list[int]
) -> None:
    seen = row(catch_up=catch_up)
    found = decisions.continuation_of(seen, NOON + late * HOUR)
    assert seen._replace(cursor=found.cursor).next_run == NOON + following * HOUR
    assert found.missed == [NOON + each * HOUR for each in missed]
    assert found.cursor >= seen.cursor


def test_the_grid_of_a_rate_without_start_goes_on_from_its_anchor() -> None:
    anchor = NOON - 7 * MINUTE
    seen = row(ss.Rate(HOUR), catch_up=ss.CatchUp.SKIP, anchor=anchor)
    assert decisions.continuation_of(seen, NOON + 2 * HOUR).missed == [anchor + HOUR, anchor + 2 * HOUR]


@pytest.mark.parametrize("catch_up", [ss.CatchUp.ONE, ss.CatchUp.SKIP])
def test_of_very_many_missed_runs_the_latest_ones_are_recorded(catch_up: ss.CatchUp) -> None:
    seen = row(ss.Rate(MINUTE, start=NOON), catch_up=catch_up)
    count = 3 * decisions.MAX_MISSED
    found = decisions.continuation_of(seen, NOON + count * MINUTE)
    last = count - (catch_up is ss.CatchUp.ONE)
    assert len(found.missed) == decisions.MAX_MISSED
    assert (found.missed[0], found.missed[-1]) == (
        NOON + (last - decisions.MAX_MISSED + 1) * MINUTE,
        NOON + last * MINUTE,
    )


# -- executions -----------------------------------------------------------------------------------------

LONG_AGO = NOON - HOUR


@pytest.mark.parametrize(
    ("running", "job", "owner", "expected"),
    [
        pytest.param(execution(), None, None, Problem.ORPHANED, id="the job is gone"),
        pytest.param(execution(), row(), None, None, id="nobody has begun"),
        pytest.param(execution(), row(), execution(), None, id="the owner"),
        pytest.param(execution(FOREIGN), row(), execution(), Problem.ORPHANED, id="another token"),
        pytest.param(
            execution(), row(status=ss.JobStatus.PAUSED, token=None), None, Problem.ORPHANED, id="paused"
        ),
        pytest.param(
            execution(), row(status=ss.JobStatus.PAUSED, token=None, claim=CLAIM), None, None, id="in a run"
        ),
        pytest.param(
            execution(),
            row(execution=SECOND_ONE),
            execution(SECOND_ONE, started_at=LONG_AGO),
            Problem.DUPLICATE,
            id="it has handed over long ago",
        ),
        pytest.param(
            execution(),
            row(execution=SECOND_ONE),
            execution(SECOND_ONE, started_at=NOON - 5 * MINUTE + SECOND),
            None,
            id="it has just handed over",
        ),
        pytest.param(
            execution(),
            row(execution=SECOND_ONE),
            execution(SECOND_ONE, started_at=NOON - 5 * MINUTE),
            Problem.DUPLICATE,
            id="five minutes after it has handed over",
        ),
        pytest.param(
            execution(),
            row(execution=SECOND_ONE),
            execution(SECOND_ONE, started_at=None),
            None,
            id="nobody knows since when",
        ),
        pytest.param(
            execution(SECOND_ONE), row(), execution(started_at=LONG_AGO), None, id="the owner hands over"
        ),
        pytest.param(
            execution(), row(), execution(SECOND_ONE, "SUCCEEDED", LONG_AGO), None, id="the owner has ended"
        ),
        pytest.param(
            execution(), row(), execution(FOREIGN, started_at=LONG_AGO), None, id="the owner is of before"
        ),
    ],
)
def test_an_execution_is_stopped_only_if_it_is_orphaned_or_duplicate(
    running: Execution, job: Row | None, owner: Execution | None, expected: Problem | None
) -> None:
    found = decisions.why_stop(running, job, owner, NOON)
    assert (None if found is None else found[0]) is expected


def test_an_execution_without_a_job_is_stopped_for_it_is_gone() -> None:
    assert decisions.why_stop(execution(), None, None, NOON) == (Problem.ORPHANED, "is gone")
