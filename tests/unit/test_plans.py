"""Plans: what is wanted against what is stored."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.jobs import Change, JobRecord, Plan
from stepsched.jobs.plans import make_plan, refuse_repeats

T0 = datetime(2030, 1, 1, tzinfo=timezone.utc)


def job(name: str, **changes: object) -> ss.Job:
    schedule = ss.Cron("0 2 * * ? *")
    return ss.Job(name=name, schedule=schedule, target=ss.HandlerTarget("m:f")).replace(**changes)


def record(job: ss.Job, **changes: Any) -> JobRecord:
    given: dict[str, Any] = {"status": ss.JobStatus.ACTIVE, "version": 3, "next_run": None}
    return JobRecord(job=job, created_at=T0, updated_at=T0, **(given | changes))


def test_what_is_not_there_is_created_what_differs_updated_and_what_is_equal_left() -> None:
    wanted = [job("new"), job("same"), job("other", description="b"), job("older")]
    stored = [
        None,
        record(wanted[1]),
        record(job("other", description="a")),
        record(wanted[3], current=False),
    ]
    plan = make_plan(wanted, stored)
    assert plan.create == (wanted[0],)
    assert [(each.before, each.after, each.version) for each in plan.update] == [
        (job("other", description="a"), wanted[2], 3),
        (wanted[3], wanted[3], 3),
    ]
    assert plan.unchanged == ("same",)
    assert (plan.cancel, plan.is_empty) == ((), False)


def test_only_what_stepsched_made_and_nobody_wants_is_cancelled() -> None:
    kept = record(job("kept"))
    others = [
        kept,
        record(job("gone")),
        record(job("foreign"), owned=False),
        record(job("kept", group="elsewhere")),
    ]
    plan = make_plan([kept.job], [kept], prune=others)
    assert plan.cancel == (others[1], others[3])


def test_a_plan_is_a_line_a_job() -> None:
    plan = Plan(
        create=(job("a"), job("b")),
        update=(
            Change(before=job("c"), after=job("c", description="x", group="g"), version=1),
            Change(before=job("d"), after=job("d"), version=1),
        ),
        cancel=(record(job("e")),),
        unchanged=("f", "g"),
    )
    assert str(plan).splitlines() == [
        "+ a  At 02:00, UTC",
        "+ b  At 02:00, UTC",
        "~ c  description, group",
        "~ d  the backend's settings",
        "- e",
        "2 to create, 2 to update, 1 to cancel, 2 unchanged",
    ]


def test_names_that_occur_twice_are_refused() -> None:
    refuse_repeats([job("a"), job("b")])
    with pytest.raises(ValueError, match=r"^duplicate job names: a, c$"):
        refuse_repeats([job(name) for name in "cabcaa"])
    with pytest.raises(ValueError, match=r"^duplicate job names: a$"):
        make_plan([job("a"), job("a")], [None, None])
