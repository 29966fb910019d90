"""What templates hold besides the schedules: identifiers, roles, limits, and what they refuse."""

from __future__ import annotations

import json
import re
import subprocess
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

import stepsched as ss
from stepsched.cli.wording import visible_json
from stepsched.deploy import jobs_to_cloudformation, jobs_to_terraform
from stepsched.deploy.exports.labels import label, logical_id
from stepsched.targets import EcsTaskTarget, Placement, TemplateTarget
from tests.parts.environments import python_of
from tests.unit.exports.generated import NOW, PLACE, generated
from tests.unit.exports.readers import evaluated, resolved

ROLE = "arn:aws:iam::123456789012:role/scheduler"
LAMBDA = ss.LambdaTarget(f"arn:aws:lambda:{PLACE}:function:report")
DAILY = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
JOB = ss.Job(name="daily", schedule=DAILY, target=LAMBDA)
TASK = EcsTaskTarget(
    f"arn:aws:ecs:{PLACE}:cluster/main", task_definition_arn=f"arn:aws:ecs:{PLACE}:task-definition/report"
)
Make = Callable[..., dict[str, Any]]
MAKERS = {"cloudformation": jobs_to_cloudformation, "terraform": jobs_to_terraform}
each_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
pytestmark = pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


def kept(jobs: list[ss.Job]) -> list[ss.Job]:
    return [job.replace(completion=ss.Completion.KEEP) if job.is_one_time else job for job in jobs]


def resources_of(made: dict[str, Any]) -> dict[str, Any]:
    """The resources of either form, by identifier."""
    if "Resources" in made:
        return dict(made["Resources"])
    return {f"{kind}.{name}": body for kind, each in made["resource"].items() for name, body in each.items()}


# -- Identifiers ------------------------------------------------------------------------------------------


def test_identifiers_of_different_jobs_differ_whatever_their_names() -> None:
    random = Random(1)
    names = {"".join(random.choice("aAbB-_.019") for _ in range(random.randint(1, 5))) for _ in range(4000)}
    names |= {"a-schedule", "a", "aschedule", "a-group", "nightly-report", "Nightly-Report", "nightlyreport"}
    places = [(name, group) for name in sorted(names) for group in ("default", "a", "a-b")]
    ids = [logical_id(name, "Schedule", group=group) for name, group in places]
    labels = [label(name, group=group) for name, group in places]
    groups = [logical_id(name, "Group") for name in names]
    assert len({*ids, *groups, "SchedulerRole"}) == len(ids) + len(groups) + 1
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch("[A-Za-z0-9]{1,255}", each) for each in (*ids, *groups))
    assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", each) for each in labels)


@each_maker
def test_the_order_of_jobs_and_the_day_change_no_byte(make: Make) -> None:
    jobs = kept(generated(40, seed=4))
    made = json.dumps(make(jobs, now=NOW))
    assert json.dumps(make(list(reversed(jobs)), now=NOW)) == made
    assert json.dumps(make(jobs, now=NOW - timedelta(days=1000, microseconds=3))) == made
    assert make(jobs, now=NOW, next_runs=1) != make(jobs, now=NOW - timedelta(days=1), next_runs=1)


@each_maker
def test_a_changed_job_changes_its_own_resource_and_no_other(make: Make) -> None:
    jobs = kept(generated(20, seed=5))
    before = resources_of(make(jobs, role_arn=ROLE, now=NOW))
    for index, job in enumerate(jobs):
        changed = [*jobs[:index], job.replace(jitter=timedelta(minutes=1439)), *jobs[index + 1 :]]
        after = resources_of(make(changed, role_arn=ROLE, now=NOW))
        assert before.keys() == after.keys()
        assert sum(before[id_] != after[id_] for id_ in before) == 1
    other = JOB.replace(name="z-new")
    more = resources_of(make([other, *jobs], role_arn=ROLE, now=NOW))
    assert {id_: more[id_] for id_ in before} == before
    assert len(more) == len(before) + 1


@each_maker
def test_a_job_in_another_group_is_another_resource(make: Make) -> None:
    first, second = (resources_of(make([JOB.replace(group=group)], role_arn=ROLE)) for group in ("a", "b"))
    assert not first.keys() & second.keys()


def test_without_names_no_resource_has_one_and_with_names_every_one_has() -> None:
    jobs = [JOB, JOB.replace(name="b", group="shop")]
    made = jobs_to_cloudformation(jobs)["Resources"]
    assert not any("Name" in each.get("Properties", {}) for each in made.values())
    assert not any("DeletionPolicy" in each for each in made.values())
    named = jobs_to_cloudformation(jobs, names=True)["Resources"]
    assert named["ShopGroup"] == {
        "Type": "AWS::Scheduler::ScheduleGroup",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {"Name": "shop"},
    }
    assert named["DailySchedule"]["Properties"]["Name"] == "daily"
    bodies = jobs_to_terraform(jobs)["resource"]
    assert bodies["aws_scheduler_schedule_group"] == {"shop": {"name_prefix": "shop-"}}
    assert bodies["aws_scheduler_schedule"]["daily"]["name_prefix"] == "daily-"
    long = jobs_to_terraform([JOB.replace(name="x" * 64)])["resource"]["aws_scheduler_schedule"]
    assert long["x" * 64]["name_prefix"] == "x" * 37 + "-"


@each_maker
def test_existing_groups_are_not_made(make: Make) -> None:
    job = JOB.replace(group="shop")
    made = resources_of(make([job], role_arn=ROLE, existing_groups=["shop"]))
    assert len(made) == 1
    assert '"shop"' in json.dumps(made)
    with pytest.raises(
        ValueError, match=r"expected groups of the jobs \(shop\) in existing_groups, got 'shpo'"
    ):
        make([job], existing_groups=["shpo"])
    with pytest.raises(TypeError, match="expected a list such as"):
        make([job], existing_groups="shop")


# -- What they say ----------------------------------------------------------------------------------------


@each_maker
def test_next_runs_are_listed_with_the_moment_of_their_computation(make: Make) -> None:
    made = make([JOB, JOB.replace(name="rate", schedule=ss.Rate(timedelta(days=1)))], now=NOW, next_runs=2)
    notes = made["Metadata"]["stepsched"] if "Metadata" in made else made["//"]
    assert notes == {
        "computed_at": "2030-01-07T06:00:00+00:00",
        "next_runs": {
            "daily": ["2030-01-07T09:00:00+01:00", "2030-01-08T09:00:00+01:00"],
            "rate": ["2030-01-08T06:00:00+00:00", "2030-01-09T06:00:00+00:00"],
        },
    }


def test_a_description_says_the_schedule_in_words_if_there_is_room() -> None:
    texts = [
        jobs_to_cloudformation([JOB.replace(description=text)], role_arn=ROLE)["Resources"]["DailySchedule"][
            "Properties"
        ]["Description"]
        for text in ("At nine", "d" * 448)
    ]
    assert texts[0].startswith("At nine [stepsched 1 ")
    assert texts[0].endswith('"when":"At 09:00, Europe/Paris"}]')
    assert '"when"' not in texts[1]
    assert len(texts[1]) <= 512


# -- The role ---------------------------------------------------------------------------------------------


def documents_of(form: str, jobs: list[ss.Job], **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The trust policy and the policy of the role that a template makes, as a tool sends them."""
    if form == "cloudformation":
        resources = jobs_to_cloudformation(jobs, **options)["Resources"]
        role = resolved(resources["SchedulerRole"]["Properties"], resources)
        (policy,) = role["Policies"]
        return role["AssumeRolePolicyDocument"], policy["PolicyDocument"]
    found = jobs_to_terraform(jobs, **options)["resource"]
    trust = evaluated(found["aws_iam_role"]["stepsched"]["assume_role_policy"], found)
    policy = evaluated(found["aws_iam_role_policy"]["stepsched"]["policy"], found)
    return json.loads(trust), json.loads(policy)


@pytest.mark.parametrize("form", MAKERS)
def test_the_role_may_do_what_the_jobs_need_and_only_their_groups_use_it(form: str) -> None:
    jobs = [
        JOB,
        JOB.replace(name="b", group="shop", target=ss.BatchTarget("report", job_queue="nightly")),
        JOB.replace(name="c", target=TASK),
    ]
    worker = "arn:aws:iam::123456789012:role/worker"
    trust, policy = documents_of(form, jobs, task_roles=[worker], names=True)
    assert policy == ss.iam.policy_for(jobs, task_roles=[worker], account="123456789012", region="eu-west-1")
    (statement,) = trust["Statement"]
    wanted = ss.iam.trust_policy(account="123456789012", region="eu-west-1", group="shop")["Statement"][0]
    sources = statement["Condition"]["StringEquals"].pop("aws:SourceArn")
    shop = wanted["Condition"]["StringEquals"].pop("aws:SourceArn")
    assert sources == [shop.replace("/shop", "/default"), shop]
    assert statement == wanted


@pytest.mark.parametrize("form", MAKERS)
def test_no_text_of_a_user_is_an_expression_in_a_policy(form: str) -> None:
    bucket = "arn:aws:s3:::${AWS::Region}%{if}${x}"
    put = JOB.replace(target=ss.ApiTarget("s3", "putObject", {"Bucket": "b", "Key": "k"}))
    _, policy = documents_of(form, [put], resources={"s3:putObject": [bucket]})
    assert policy["Statement"][0]["Resource"] == [bucket]


def test_a_boundary_and_terraforms_order() -> None:
    boundary = "arn:aws:iam::123456789012:policy/limit"
    role = jobs_to_cloudformation([JOB], permissions_boundary=boundary)["Resources"]["SchedulerRole"]
    assert role["Properties"]["PermissionsBoundary"] == boundary
    found = jobs_to_terraform([JOB], permissions_boundary=boundary)["resource"]
    assert found["aws_iam_role"]["stepsched"]["permissions_boundary"] == boundary
    assert found["aws_scheduler_schedule"]["daily"]["depends_on"] == ["aws_iam_role_policy.stepsched"]
    with pytest.raises(ValueError, match=r"permissions_boundary to be .*, got 'limit'"):
        jobs_to_terraform([JOB], permissions_boundary="limit")


# -- Refusals ---------------------------------------------------------------------------------------------


@each_maker
def test_what_has_passed_is_refused_by_name_or_left_out(make: Make) -> None:
    past = NOW - timedelta(days=3)
    once = JOB.replace(name="once", schedule=ss.OneTime(at=past), completion=ss.Completion.KEEP)
    over = JOB.replace(
        name="over", schedule=ss.Rate(timedelta(days=1), start=past - timedelta(days=9), end=past)
    )
    late = JOB.replace(name="late", schedule=DAILY.replace(start=past))
    rate = JOB.replace(name="rate", schedule=ss.Rate(timedelta(hours=7), start=past))
    for job in (once, over):
        with pytest.raises(ss.InvalidScheduleError, match=f"{job.name}.*use passed='omit'"):
            make([JOB, job], now=NOW)
    for job in (late, rate):
        with pytest.raises(ss.InvalidScheduleError, match=f"start of job '{job.name}'.*use passed='omit'"):
            make([JOB, job], now=NOW)
    made = resources_of(make([JOB, once, over, late, rate], role_arn=ROLE, now=NOW, passed="omit"))
    assert len(made) == 3
    text = json.dumps(made)
    assert [*re.findall(r'"(?:StartDate|start_date)": "([^"]*)"', text)] in (
        ["2030-01-07T11:00:00.000Z"],
        ["2030-01-07T11:00:00Z"],
    )
    with pytest.raises(ValueError, match="the last run of all 2 jobs has passed"):
        make([once, over], now=NOW, passed="omit")
    never = JOB.replace(schedule=ss.Cron("0 0 30 2 ? *"))
    with pytest.raises(ss.InvalidScheduleError, match="no date matches the schedule"):
        make([JOB.replace(name="a"), never], passed="omit")


@each_maker
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"passed": "ignore"}, ValueError, "expected 'refuse' or 'omit' for passed, got 'ignore'"),
        ({"next_runs": 101}, ValueError, "expected an integer from 0 to 100 for next_runs"),
        ({"next_runs": True}, ValueError, "expected an integer from 0 to 100 for next_runs"),
        ({"role_arn": "scheduler"}, ValueError, "for role_arn, got 'scheduler'"),
        ({"role_arn": ROLE, "task_roles": [ROLE]}, ValueError, "task_roles is for the role that a template"),
        ({"names": "no"}, TypeError, "expected True or False for names, got 'no'"),
        ({"group": "a b"}, ValueError, "'a b' is not a name of a group"),
        ({"now": NOW.replace(tzinfo=None)}, ValueError, "now"),
        ({"resources": {"s3:putObjet": ["*"]}}, ValueError, "expected resources of calls of the jobs"),
    ],
)
def test_arguments_are_checked(
    make: Make, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        make([JOB], **options)


@each_maker
def test_lists_may_be_iterated_once(make: Make) -> None:
    jobs = [JOB.replace(group="reports"), JOB.replace(name="task", target=TASK)]
    lists: dict[str, list[str]] = {"existing_groups": ["reports"], "task_roles": [ROLE]}
    once: dict[str, Any] = {key: iter(value) for key, value in lists.items()}
    assert make(iter(jobs), **once) == make(jobs, **lists)


@each_maker
def test_jobs_are_checked(make: Make) -> None:
    with pytest.raises(ValueError, match="expected at least one job"):
        make([])
    with pytest.raises(TypeError, match=r"use \[job\]"):
        make(JOB)
    with pytest.raises(ValueError, match="duplicate job names: daily"):
        make([JOB, JOB])
    far = JOB.replace(name="far", target=ss.LambdaTarget("arn:aws:lambda:us-east-1:123456789012:function:f"))
    with pytest.raises(
        ValueError, match="'daily' in eu-west-1 of aws and 'far' in us-east-1 of aws; use one"
    ):
        make([JOB, far])
    with pytest.raises(ss.UnsupportedError, match="overlap 'skip'"):
        make([JOB.replace(overlap=ss.Overlap.SKIP)])
    bus = TemplateTarget(
        f"arn:aws:events:{PLACE}:event-bus/main",
        parameters={"EventBridgePutRawEventsParameters": {"Metadata": {"source": "shop"}}},
    )
    with pytest.raises(ss.RenderError, match=r"has no EventBridgePutRawEventsParameters .* client\.apply"):
        make([JOB.replace(target=bus)], role_arn=ROLE)


def test_cloudformation_refuses_what_it_has_no_words_for() -> None:
    once = JOB.replace(schedule=ss.OneTime(at="2060-01-01T09:00"))
    with pytest.raises(ss.RenderError, match=r"after its run; use Completion\.KEEP, jobs_to_terraform"):
        jobs_to_cloudformation([once])
    for secret in (
        JOB.replace(input={"a": "{{resolve:ssm:password}}"}),
        JOB.replace(description="{{resolve:ssm:password}}"),
        JOB.replace(tags={"{{resolve:": "x"}),
        JOB.replace(group="shop", input={"{{resolve:ssm:a}}": 1}),
    ):
        with pytest.raises(ss.RenderError, match=r"text with '\{\{resolve:', which CloudFormation would"):
            jobs_to_cloudformation([secret])


def test_terraform_refuses_what_it_would_change() -> None:
    accent = unicodedata.normalize("NFD", "é")
    with pytest.raises(ss.RenderError, match=r"Unicode's form NFC"):
        jobs_to_terraform([JOB.replace(input={"a": accent})])
    jobs_to_terraform([JOB.replace(input={"a": "é"})])
    task = TASK.replace(
        placement=[Placement(type="spread", value="zone"), Placement(type="binpack", value="cpu")]
    )
    with pytest.raises(ss.RenderError, match="order of several placement strategies; use one"):
        jobs_to_terraform([JOB.replace(target=task)])
    jobs_to_cloudformation([JOB.replace(target=task)])


def test_templates_that_are_too_large_name_the_cure() -> None:
    many = [JOB.replace(name=f"j-{number}") for number in range(501)]
    cure = r"use several templates, such as one for each group, or client\.apply"
    with pytest.raises(ValueError, match=f"at most 500 resources in a template, got 501; {cure}"):
        jobs_to_cloudformation(many, role_arn=ROLE)
    large = [JOB.replace(name=f"j-{number}", input={"a": "x" * 260_000}) for number in range(4)]
    with pytest.raises(ValueError, match=f"at most 1,000,000 bytes, got 1,04.*; {cure}"):
        jobs_to_cloudformation(large, role_arn=ROLE)
    targets = [ss.LambdaTarget(f"{LAMBDA.function_arn}-{'x' * 40}-{number}") for number in range(120)]
    wide = [JOB.replace(name=f"j-{number}", target=target) for number, target in enumerate(targets)]
    with pytest.raises(ValueError, match=r"at most 10,240 characters.*use several templates, or role_arn="):
        jobs_to_cloudformation(wide)


# -- The linter -------------------------------------------------------------------------------------------


def test_a_linter_of_templates_finds_nothing_and_would_find_a_fault(tmp_path: Path) -> None:
    jobs = kept(generated(30, seed=6))
    faulty = jobs_to_cloudformation([JOB.replace(target=TASK)])
    schedule = faulty["Resources"]["DailySchedule"]["Properties"]
    schedule["Target"]["EcsParameters"]["taskCount"] = schedule["Target"]["EcsParameters"].pop("TaskCount")
    paths = []
    for name, made in {
        "role": jobs_to_cloudformation(jobs, now=NOW, next_runs=3),
        "named": jobs_to_cloudformation(jobs, now=NOW, names=True, role_arn=ROLE),
        "faulty": faulty,
    }.items():
        paths.append(tmp_path / f"{name}.json")
        # As the command line writes it: the linter reads no pairs of surrogates.
        paths[-1].write_text(visible_json(json.dumps(made, ensure_ascii=False)), encoding="utf-8")
    status, found = lint(*paths)
    assert status != 0
    assert {line.partition(":")[0] for line in found.splitlines()} == {str(paths[-1])}
    assert "taskCount" in found


def lint(*paths: Path) -> tuple[int, str]:
    # The subnets and security groups of the jobs are made up.
    options = ["-i", "E1150", "-i", "E1154", "--format", "parseable", "--"]
    done = subprocess.run(
        [str(python_of("cfn-lint").with_name("cfn-lint")), *options, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


@each_maker
def test_an_arn_that_cloudformation_would_replace_is_refused(make: Make) -> None:
    job = JOB.replace(target=ss.ApiTarget("glue", "startJobRun", {"JobName": "a"}))
    given = {"glue:startJobRun": ["arn:aws:glue:eu-west-1:123456789012:job/{{resolve:ssm:/x}}"]}
    with pytest.raises(ValueError, match="expected an ARN or"):
        make([job], resources=given)
