"""Plans: what is wanted against what is stored."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.jobs import Change, JobRecord, JobVersion, Plan
from stepsched.jobs.plans import make_plan, refuse_repeats
from stepsched.schedules.stored import reading_stored

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
        cancel=(record(job("e")), record(job("e", group="g"))),
        unchanged=("f", "g"),
        namesakes=(record(job("a", group="g")),),
        unsearched=tuple(f"g{number:02}" for number in range(12)),
        empty_groups=("reprots", "slaes"),
    )
    ten = ", ".join(plan.unsearched[:10])
    assert str(plan).splitlines() == [
        "+ a  At 02:00, UTC",
        "+ b  At 02:00, UTC",
        '> c  description: "" -> "x"; group: default -> g',
        "~ d  the backend's settings",
        "- e",
        "- e  group: g",
        "! a  group g has a job of this name too; use prune to move it",
        f"! not searched for jobs to cancel: groups {ten} and 2 more; use prune=[...]",
        "! no job in groups reprots, slaes; correct prune=[...] if a name is misspelt",
        "2 to create, 2 to update (1 to another group), 2 to cancel, 2 unchanged",
    ]


PARIS, UTC = ss.Cron("0 0 * * ? *", timezone="Europe/Paris"), ss.Cron("0 5 * * ? *")
LONG = "x" * 500


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            {"schedule": PARIS},
            {"schedule": UTC},
            "schedule: At 00:00, Europe/Paris -> At 05:00, UTC",
            id="schedule",
        ),
        pytest.param(
            {"schedule": ss.Rate(timedelta(hours=1))},
            {"schedule": ss.OneTime("2030-02-01T09:00", timezone="Asia/Tokyo")},
            "schedule: Every hour -> Once, on Friday 1 February 2030 at 09:00, Asia/Tokyo",
            id="schedule of another kind",
        ),
        pytest.param(
            {"target": ss.HandlerTarget("m:f")},
            {"target": ss.HandlerTarget("m:g")},
            'target.handler: "m:f" -> "m:g"',
            id="target",
        ),
        pytest.param(
            {},
            {"target": ss.CommandTarget(["true"])},
            "target: HandlerTarget(handler='m:f') -> CommandTarget(command=('true',))",
            id="target of another kind",
        ),
        pytest.param({"input": {"a": 1}}, {"input": {"a": True}}, "input.a: 1 -> true", id="number and flag"),
        pytest.param(
            {"input": {"a": 1, "b": {"c": [1], "d": 0}}},
            {"input": {"b": {"c": [2], "d": 0}, "e": None}},
            "input.a: 1 -> absent; input.b.c: [1] -> [2]; input.e: absent -> none",
            id="parts of the input",
        ),
        pytest.param({"tags": {"team": "a"}}, {"tags": {}}, 'tags.team: "a" -> absent', id="a tag less"),
        pytest.param(
            {"retry": ss.Retry(max_attempts=3)},
            {"retry": ss.Retry(max_attempts=5, interval=timedelta(minutes=1))},
            "retry.max_attempts: 3 -> 5; retry.interval: 1 second -> 1 minute",
            id="policy",
        ),
        pytest.param(
            {"overlap": ss.Overlap.SKIP}, {"overlap": ss.Overlap.QUEUE}, "overlap: skip -> queue", id="word"
        ),
        pytest.param(
            {"jitter": timedelta(0)},
            {"jitter": timedelta(hours=1)},
            "jitter: 0 seconds -> 1 hour",
            id="duration",
        ),
        pytest.param({}, {"max_run_time": timedelta(hours=1)}, "max_run_time: none -> 1 hour", id="absent"),
        pytest.param(
            {"description": LONG},
            {"description": "y" * 500},
            f'description: "{"x" * 58}… -> "{"y" * 58}…',
            id="long",
        ),
        pytest.param(
            {"description": f"{LONG}1"},
            {"description": f"{LONG}2"},
            f'description: …{"x" * 15}1" -> …{"x" * 15}2"',
            id="a difference at the end",
        ),
        pytest.param(
            {"input": {str(number): 0 for number in range(20)}},
            {"input": {str(number): 1 for number in range(20)}},
            "; ".join(f"input.{number}: 0 -> 1" for number in range(8)) + "; 12 more",
            id="many",
        ),
        pytest.param(
            {"input": {"password": "old", "db": {"api_key": "old", "AccessKeyId": None}}},
            {"input": {"password": "new", "db": {"api_key": "new", "AccessKeyId": "new"}}},
            'input.password: "***" (the difference is not shown); '
            'input.db.api_key: "***" (the difference is not shown); input.db.AccessKeyId: none -> "***"',
            id="secrets",
        ),
        pytest.param(
            {"input": 1},
            {"input": {"a": [{"token": "new", "n": 1}]}},
            'input: 1 -> {"a": [{"token": "***", "n": 1}]}',
            id="a secret inside",
        ),
        pytest.param(
            {"description": "a\nb"},
            {"description": "é\u202e\x1b[2J"},
            r'description: "a\nb" -> "\u00e9\u202e\u001b[2J"',
            id="control characters",
        ),
    ],
)
def test_a_change_shows_the_old_and_the_new_values(
    before: dict[str, object], after: dict[str, object], expected: str
) -> None:
    change = Change(before=job("j", **before), after=job("j", **after), version=1)
    assert str(change) == expected
    assert str(Plan(update=(change,))).splitlines()[0] == f"~ j  {expected}"


def test_a_function_that_has_no_name_is_named_as_changed_at_least() -> None:
    change = Change(
        before=job("j", target=ss.HandlerTarget(lambda: 1)),
        after=job("j", target=ss.HandlerTarget(lambda: 2)),
        version=1,
    )
    assert str(change) == "target"


def test_values_are_text_in_html() -> None:
    change = Change(before=job("j"), after=job("j", description="<b>&</b>"), version=1)
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in Plan(update=(change,))._repr_html_()
    assert "<b>" not in Plan(update=(change,))._repr_html_()


def test_names_that_occur_twice_are_refused() -> None:
    refuse_repeats([job("a"), job("b")])
    with pytest.raises(ValueError, match=r"^duplicate job names: a, c$"):
        refuse_repeats([job(name) for name in "cabcaa"])
    with pytest.raises(ValueError, match=r"^duplicate job names: a$"):
        make_plan([job("a"), job("a")], [None, None])


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"crontab": "0 0 */2 * 1"}, id="a line that is refused now"),
        pytest.param({"expression": "0 9 ? * 1-5 *"}, id="a line that is warned of"),
    ],
)
def test_records_and_plans_of_stored_jobs_are_read_back(fields: dict[str, Any]) -> None:
    with reading_stored():
        old = job("old", schedule=ss.Cron(**fields))
    stored = record(old)
    assert JobRecord.model_validate_json(stored.model_dump_json()) == stored
    version = JobVersion(version=1, job=old, replaced_at=T0)
    assert JobVersion.model_validate_json(version.model_dump_json()) == version
    plan = make_plan([old.replace(description="new")], [stored])
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


# -- paused jobs -------------------------------------------------------------------------------------

PAUSED = ss.JobStatus.PAUSED


def test_a_plan_says_which_jobs_are_paused_and_stay_so() -> None:
    wanted = [job("a"), job("b", description="new"), job("c"), job("d", enabled=False), job("e")]
    stored = [
        record(job("a"), status=PAUSED),
        record(job("b"), status=PAUSED),
        record(job("c", enabled=False), status=PAUSED),  # the update resumes it
        record(job("d", enabled=False), status=PAUSED),  # as its definition says
        record(job("e")),
    ]
    plan = make_plan(wanted, stored)
    assert plan.paused == ("a", "b")
    assert str(plan).splitlines() == [
        '~ b  description: "" -> "new"; paused, stays paused',
        "~ c  enabled: false -> true",
        "= a  paused, stays paused",
        "0 to create, 2 to update, 0 to cancel, 3 unchanged",
    ]
    assert ">keep</td>" in plan._repr_html_()
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


# -- without a backend -------------------------------------------------------------------------------


def test_a_plan_against_nothing_creates_everything() -> None:
    assert Plan.between([], [job("a"), job("b")]) == Plan(create=(job("a"), job("b")))


def test_a_plan_against_records_is_the_plan_that_a_backend_makes() -> None:
    client = ss.SchedulerClient()
    target = ss.CommandTarget(["true"])
    wanted = [job(name, target=target) for name in ("same", "old", "gone", "moved", "paused")]
    for each in wanted:
        client.create(each)
    client.pause("paused")
    wanted[1:4] = [wanted[1].replace(description="new"), wanted[3].replace(group="g")]
    wanted.append(job("new", target=target))
    for prune in (False, True, ["default"]):
        assert Plan.between(client.list(), wanted, prune=prune) == client.plan(wanted, prune=prune)
    assert Plan.between(client.list(), wanted, prune=["g"]).unsearched == ("default",)
    client.backend.close()


def test_a_plan_against_jobs_takes_them_as_stored_and_not_paused() -> None:
    plan = Plan.between([job("a"), job("b")], [job("a"), job("b", description="x")], prune=True)
    assert (plan.unchanged, [each.name for each in plan.update]) == (("a",), ["b"])


def test_a_name_in_several_groups_is_not_moved() -> None:
    stored = [record(job("a", group="x")), record(job("a", group="y"))]
    plan = Plan.between(stored, [job("a")])
    assert (plan.create, plan.namesakes) == ((job("a"),), tuple(stored))
    assert Plan.between(stored, [job("a", group="x")]).unchanged == ("a",)


def test_a_job_that_stepsched_did_not_create_is_not_moved() -> None:
    foreign = record(job("a", group="x"), owned=False)
    plan = Plan.between([foreign], [job("a")])
    assert (plan.create, plan.update, plan.namesakes) == ((job("a"),), (), ())


def test_groups_of_a_plan_are_a_list_of_names() -> None:
    with pytest.raises(TypeError, match="expected True, False or a list of groups for prune, got 'reports'"):
        Plan.between([], [job("a")], prune="reports")
    with pytest.raises(ValueError, match="expected names of groups for prune, got 'a b'"):
        Plan.between([], [job("a")], prune=["a b"])


def test_only_jobs_are_compared() -> None:
    with pytest.raises(TypeError, match="expected a Job, got str"):
        Plan.between(["a"], [])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="duplicate job names: a"):
        Plan.between([], [job("a"), job("a")])
