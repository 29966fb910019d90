"""The optional parts of the template, its prefix, its roles and its size."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest

import stepsched as ss
from stepsched import asl
from stepsched.deploy import Part, client_policy, runner_policy, template
from stepsched.deploy.parts.names import max_stack_name
from stepsched.iam import policy_for
from stepsched.machines.shared.runner import event_limit, events, runner
from stepsched.machines.shared.watch import watch
from stepsched.targets import Target
from tests.parts.iam_checks import parliament
from tests.unit.test_deploy import (
    ACCOUNT,
    LAMBDA,
    OTHER,
    OWN,
    QUEUE,
    RESOURCES,
    ROLE,
    TABLE,
    TARGETS,
    TOPIC,
    linted,
)

PLAIN: list[Target] = [ss.LambdaTarget(LAMBDA)]
USUAL: list[Target] = [*PLAIN, ss.StateMachineTarget(OTHER), ss.QueueTarget(QUEUE), ss.TopicTarget(TOPIC)]
STANDARD = [part for part in Part if part not in (Part.EXPRESS_REGISTER, Part.FIFO_QUEUE, Part.HTTP)]
OBSERVED = [Part.ALARMS, Part.DASHBOARD]
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/limits"
OF_TABLE = ("Table", "RunnerRole", "Runner")
"""The resources of every stack."""


def of_kind(made: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: each["Properties"] for name, each in made["Resources"].items() if each["Type"].endswith(kind)
    }


def resolved(value: Any, prefix: str = "") -> Any:
    """What CloudFormation makes of the references in the template of a stack ``jobs``."""

    def attribute(name: str) -> str:
        name = name.removeprefix(prefix)
        known = {
            "AWS::Partition": "aws",
            "AWS::Region": "eu-west-1",
            "AWS::AccountId": ACCOUNT,
            "AWS::StackName": "jobs",
            "Table.Arn": TABLE,
        }
        return known.get(name, f"<{name}>")

    match value:
        case {"Ref": name}:
            return attribute(name)
        case {"Fn::GetAtt": [name, part]}:
            return attribute(f"{name}.{part}")
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^!}]+)\}", lambda match: attribute(match[1]), text)
        case dict():
            return {key: resolved(item, prefix) for key, item in value.items()}
        case list():
            return [resolved(item, prefix) for item in value]
    return value


def statements(made: dict[str, Any], role: str) -> list[dict[str, Any]]:
    (policy,) = made["Resources"][role]["Properties"]["Policies"]
    return list(resolved(policy["PolicyDocument"]["Statement"]))


def allowed(made: dict[str, Any], role: str) -> dict[str, set[str]]:
    return {action: set(each["Resource"]) for each in statements(made, role) for action in each["Action"]}


def length(made: dict[str, Any]) -> int:
    """The length of a template in bytes, without white space."""
    return len(json.dumps(made, separators=(",", ":")).encode())


# -- Stacks of before -----------------------------------------------------------------------------------


def test_a_template_without_parts_has_the_names_of_before() -> None:
    """A stack that exists is updated without a replacement."""
    made = template(PLAIN)
    assert tuple(made["Resources"]) == OF_TABLE
    assert list(made["Outputs"]) == ["TableName", "TableArn", "StateMachineArn"]
    assert "TableName" not in made["Resources"]["Table"]["Properties"]
    machine = made["Resources"]["Runner"]["Properties"]
    assert machine["StateMachineName"] == {"Ref": "AWS::StackName"}
    assert machine["DefinitionSubstitutions"] == {"TableName": {"Ref": "Table"}}
    assert set(made["Resources"]["RunnerRole"]["Properties"]) == {
        "Description",
        "AssumeRolePolicyDocument",
        "Policies",
    }
    assert "Count failure" not in machine["Definition"]["States"]


def test_parts_add_resources_and_change_no_name() -> None:
    before, after = template(PLAIN), template(PLAIN, parts=STANDARD)
    for name in OF_TABLE:
        one, other = (each["Resources"][name]["Properties"] for each in (before, after))
        for field in ("TableName", "StateMachineName", "StateMachineType", "RoleName", "KeySchema"):
            assert one.get(field) == other.get(field)
    assert before["Resources"]["Table"] == after["Resources"]["Table"]
    assert before["Outputs"].items() <= after["Outputs"].items()
    text = json.dumps(template(PLAIN, parts=reversed(STANDARD)))
    assert text == json.dumps(template(PLAIN, parts=[part.value for part in STANDARD]))
    assert text == json.dumps(after)


# -- The prefix -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [STANDARD, [Part.EXPRESS_REGISTER, Part.FIFO_QUEUE]], ids=["one", "two"])
def test_every_name_begins_with_the_prefix(parts: list[Part]) -> None:
    made, plain = (template(PLAIN, parts=parts, prefix=prefix) for prefix in ("team-blue", None))
    assert set(made["Resources"]) == {f"TeamBlue{name}" for name in plain["Resources"]}
    assert set(made["Outputs"]) == {f"TeamBlue{name}" for name in plain["Outputs"]}
    assert "AWS::StackName" not in json.dumps(made)
    names = [
        (each["Type"], each["Properties"][key])
        for each in made["Resources"].values()
        for key in each["Properties"]
        if key == "Name" or key in {f"{kind}Name" for kind in KINDS}
    ]
    assert len(names) == sum(not name.endswith("Role") for name in plain["Resources"])
    assert len(set(names)) == len(names)
    assert all(name.startswith("team-blue-") for _, name in names)
    for name in _references(made):
        assert name.startswith(("TeamBlue", "AWS::")), name


KINDS = ("Table", "StateMachine", "Queue", "Topic", "Alarm", "Dashboard")


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": name}:
            yield name
        case {"Fn::GetAtt": [name, _]}:
            yield name
        case {"Fn::Sub": text}:
            yield from re.findall(r"\$\{([^!}]+)\}", text)
        case dict():
            for item in value.values():
                yield from _references(item)
        case list():
            for item in value:
                yield from _references(item)


@pytest.mark.parametrize(
    "prefix", ["", "Blue", "1a", "a_b", "a-", "-a", "a--b", "a-1", "a b", "${x}", 3, "é"]
)
def test_a_malformed_prefix_is_refused(prefix: Any) -> None:
    with pytest.raises(
        ValueError, match=r"expected a prefix of words of a-z and 0-9.*use one such as 'blue'"
    ):
        template(PLAIN, prefix=prefix)


@pytest.mark.parametrize(
    ("parts", "most", "words"),
    [
        pytest.param([], 73, "state machine is <prefix>-runner and has at most 80, got 74", id="runner"),
        pytest.param(["register"], 71, "state machine is <prefix>-register and has", id="register"),
        pytest.param(["workflows"], 70, "state machine is <prefix>-workflows and has", id="workflows"),
        pytest.param(["group"], 59, "schedule group is <prefix>-jobs and has at most 64, got 60", id="group"),
        pytest.param(["dead-letters"], 62, "queue is <prefix>-dead-letters and has at most 75", id="letters"),
        pytest.param(["fifo-queue"], 56, "queue is <prefix>-queue-dead-letters and has", id="fifo"),
    ],
)
def test_a_prefix_that_is_too_long_for_a_name_is_refused(parts: list[str], most: int, words: str) -> None:
    made = template(PLAIN, parts=parts, prefix="p" * most)
    for kind, limit in {"StateMachineName": 80, "QueueName": 80, "Name": 64, "TableName": 255}.items():
        for each in made["Resources"].values():
            assert len(each["Properties"].get(kind, "")) <= limit
    with pytest.raises(ValueError, match=f"prefix of at most {most} characters.*{re.escape(words)}"):
        template(PLAIN, parts=parts, prefix="p" * (most + 1))


@pytest.mark.parametrize(
    ("parts", "most"), [([], 80), ([Part.ALARMS], 74), ([Part.REGISTER], 71), (STANDARD, 70)]
)
def test_the_name_of_a_stack_has_room_in_the_names_of_its_machines(parts: list[Part], most: int) -> None:
    assert max_stack_name(parts) == most
    names = of_kind(template(PLAIN, parts=parts), "::StateMachine")
    longest = max(
        len(resolved(each["StateMachineName"]).replace("jobs", "s" * most)) for each in names.values()
    )
    assert longest == 80


# -- The roles ------------------------------------------------------------------------------------------


def test_every_role_has_the_boundary_and_trusts_one_source_of_this_account() -> None:
    made = template(PLAIN, parts=STANDARD, permissions_boundary=BOUNDARY)
    roles = of_kind(made, "::Role")
    assert set(roles) == {
        *("RunnerRole", "RegisterRole", "WorkflowsRole", "SchedulerRole", "WatchRole", "WatchScheduleRole")
    }
    for role in roles.values():
        assert role["PermissionsBoundary"] == BOUNDARY
        assert "RoleName" not in role  # a stack of CAPABILITY_IAM
        (trust,) = resolved(role["AssumeRolePolicyDocument"])["Statement"]
        assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT
        sources = [each["aws:SourceArn"] for each in trust["Condition"].values() if "aws:SourceArn" in each]
        assert len(sources) == 1
        assert "*" not in sources[0]


@pytest.mark.parametrize("arn", ["limits", f"arn:aws:iam::{ACCOUNT}:role/limits", "${x}", 3, ""])
def test_a_boundary_is_the_arn_of_a_policy(arn: Any) -> None:
    with pytest.raises(ValueError, match="expected permissions_boundary to be the ARN of a managed policy"):
        template(PLAIN, permissions_boundary=arn)


def test_a_role_that_is_given_is_used_and_what_it_must_allow_is_known() -> None:
    made = template(USUAL, role_arn=ROLE, parts=[Part.ALARMS])
    assert "RunnerRole" not in made["Resources"]
    assert made["Resources"]["Runner"]["Properties"]["RoleArn"] == ROLE
    policy = runner_policy(USUAL, table_arn=TABLE, state_machine_arn=OWN, metrics=True)
    assert policy["Statement"] == statements(template(USUAL, parts=[Part.ALARMS]), "RunnerRole")
    with pytest.raises(ValueError, match="role_arn: expected the ARN of one role"):
        template(USUAL, role_arn="worker")
    with pytest.raises(ValueError, match="in one account and Region"):
        runner_policy(USUAL, table_arn=TABLE, state_machine_arn=OWN.replace("west", "north"))


@pytest.mark.parametrize(
    "target",
    [each for each, _ in TARGETS.values() if not isinstance(each, (ss.ParallelTarget, ss.HttpTarget))],
)
def test_schedules_of_the_group_may_do_what_jobs_with_these_targets_need(target: Target) -> None:
    letters = ss.QueueTarget(QUEUE)
    job = ss.Job(name="job", schedule=ss.Rate(timedelta(hours=1)), target=target, dead_letter=letters)
    resources = RESOURCES if isinstance(target, ss.ApiTarget) and target.service == "s3" else None
    made = template(
        [target], dead_letters=[letters], task_roles=[ROLE], resources=resources, parts=[Part.GROUP]
    )
    known = {"account": ACCOUNT, "region": "eu-west-1", "task_roles": [ROLE]}
    needed = policy_for([job], resources=resources, **known)["Statement"]  # type: ignore[arg-type]
    if isinstance(target, ss.ApiTarget) and target.service == "firehose":
        needed[0]["Resource"] = [TARGETS["call that tells"][1].copy().pop()[1]]  # its request names it
    for each in (found := statements(made, "SchedulerRole")) + needed:
        each["Resource"] = set(each["Resource"])  # the order is that of placeholders
    assert found == needed


def test_schedules_of_the_group_call_no_urls() -> None:
    url = TARGETS["URL"][0]
    made = template([*PLAIN, url], parts=[Part.GROUP])
    assert set(allowed(made, "SchedulerRole")) == {"lambda:InvokeFunction"}
    assert "states:InvokeHTTPEndpoint" in allowed(made, "RunnerRole")
    with pytest.raises(ValueError, match="group: EventBridge Scheduler calls no URL; leave the part out"):
        template([url], parts=[Part.GROUP])


def test_schedules_of_the_group_do_not_publish_the_notifications() -> None:
    made = template(PLAIN, topics=[ss.TopicTarget(TOPIC)], parts=[Part.GROUP, Part.TOPIC])
    assert set(allowed(made, "SchedulerRole")) == {"lambda:InvokeFunction"}
    assert allowed(made, "RunnerRole")["sns:Publish"] == {TOPIC, "<Topic>"}


def test_the_machines_of_the_stack_may_use_the_table_the_runner_and_their_metrics_only() -> None:
    made = template(PLAIN, parts=[Part.REGISTER, Part.DASHBOARD])
    executions = {OWN.replace("stateMachine", "execution") + ":*"}
    items = {f"dynamodb:{verb}Item": {TABLE} for verb in ("Delete", "Get", "Put", "Update")}
    assert allowed(made, "RegisterRole") == {
        **items,
        "dynamodb:Query": {TABLE},
        "states:StartExecution": {OWN},
        "states:DescribeExecution": executions,
        "states:StopExecution": executions,
        "cloudwatch:PutMetricData": {"*"},
    }
    assert allowed(made, "WatchRole") == {
        "dynamodb:Query": {f"{TABLE}/index/by_status"},
        "dynamodb:BatchGetItem": {TABLE},
        "cloudwatch:PutMetricData": {"*"},
    }
    assert allowed(made, "WatchScheduleRole") == {"states:StartExecution": {f"{OWN}-watch"}}
    for role in ("RunnerRole", "RegisterRole", "WatchRole"):
        (metrics,) = [each for each in statements(made, role) if each["Resource"] == ["*"]]
        assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": "stepsched"}}


def test_without_alarms_and_dashboard_nothing_writes_metrics() -> None:
    made = template(PLAIN, parts=[part for part in STANDARD if part not in OBSERVED])
    assert "cloudwatch" not in json.dumps(made).lower()
    assert "MetricNamespace" not in made["Outputs"]


def test_the_client_s_policy_grows_by_its_metrics() -> None:
    plain, grown = (
        client_policy(table_arn=TABLE, state_machine_arn=OWN, metrics=metrics)["Statement"]
        for metrics in (False, True)
    )
    assert grown[:-1] == plain
    assert grown[-1] == {
        "Sid": "Metrics",
        "Effect": "Allow",
        "Action": ["cloudwatch:PutMetricData"],
        "Resource": ["*"],
        "Condition": {"StringEquals": {"cloudwatch:namespace": "stepsched"}},
    }


def test_a_linter_of_policies_finds_nothing_and_would_find_a_fault() -> None:
    made = [
        template(USUAL, parts=STANDARD, dead_letters=[ss.QueueTarget(QUEUE)], topics=[ss.TopicTarget(TOPIC)]),
        template(PLAIN, parts=[Part.EXPRESS_REGISTER, Part.FIFO_QUEUE, *OBSERVED], prefix="blue"),
        template([each for each, _ in TARGETS.values()], resources=RESOURCES, task_roles=[ROLE]),
    ]
    policies = [
        _with_plain_arns(resolved(policy["PolicyDocument"], "Blue"))
        for each in made
        for role in of_kind(each, "::Role").values()
        for policy in role["Policies"]
    ]
    assert len(policies) == 11
    given = client_policy(table_arn=TABLE, state_machine_arn=OWN, metrics=True)
    asked = [*policies, given, runner_policy(USUAL, table_arn=TABLE, state_machine_arn=OWN, metrics=True)]
    faulty = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["dynamodb:ReadItem"], "Resource": [TABLE]},
            {"Effect": "Allow", "Action": ["states:StartExecution"], "Resource": [TABLE]},
        ],
    }
    *found, faults = parliament([*asked, faulty])
    assert {fault for faults in found for fault in faults} == {
        f"RESOURCE_MISMATCH: [{{'action': '{action}', 'required_format': '{form}'}}]"
        for action, form in ALTERNATIVES.items()
    } | {
        f"UNKNOWN_CONDITION_FOR_ACTION: Unknown condition states:{key} for action states:InvokeHTTPEndpoint"
        for key in ("HTTPEndpoint", "HTTPMethod")  # its table of actions lacks them; that of keys has them
    }
    assert {fault.split(":")[0] for fault in faults} == {"UNKNOWN_ACTION", "RESOURCE_MISMATCH"}


ALTERNATIVES = {
    "batch:SubmitJob": "arn:*:batch:*:*:job/*",
    "states:DescribeExecution": "arn:*:states:*:*:express:*:*:*",
    "states:ListExecutions": "arn:*:states:*:*:mapRun:*/*:*",
}
"""Resources that parliament asks for besides those of the policy, although AWS lists them as alternatives: a
job is submitted to a queue with a definition, and Standard executions have no ARN of these forms."""


def _with_plain_arns(value: Any) -> Any:
    """A policy with ARNs in the place of references to queues and topics."""
    known = {"<Topic>": TOPIC, "<Queue.Arn>": QUEUE, "<DeadLetters.Arn>": QUEUE}
    text = json.dumps(value)
    for reference, arn in known.items():
        text = text.replace(reference, arn)
    assert "<" not in text
    return json.loads(text)


# -- The rules of a good stack --------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [None, "blue"])
def test_data_is_kept_encrypted_and_never_lost_at_once(prefix: str | None) -> None:
    for parts in (STANDARD, [Part.FIFO_QUEUE, Part.DEAD_LETTERS]):
        made = template(PLAIN, parts=parts, prefix=prefix)
        (table,) = [each for each in made["Resources"].values() if each["Type"] == "AWS::DynamoDB::Table"]
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert "SSESpecification" not in table["Properties"]  # then AWS encrypts with a key of its own
        queues = of_kind(made, "::Queue")
        assert len(queues) == 3
        targets = set()
        for queue in queues.values():
            assert queue["SqsManagedSseEnabled"] is True
            assert queue["MessageRetentionPeriod"] >= 4 * 86_400
            if "RedrivePolicy" in queue:
                targets.add(queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0])
                assert queue["VisibilityTimeout"] >= 6 * 60
        for name, queue in queues.items():
            assert ("RedrivePolicy" in queue) == name.endswith("Queue")
            if "RedrivePolicy" not in queue:
                assert queue["MessageRetentionPeriod"] == 14 * 86_400
        assert targets < set(queues)


def test_a_stack_may_have_only_its_own_queue_as_target() -> None:
    made = template([], parts=[Part.FIFO_QUEUE])
    assert allowed(made, "RunnerRole")["sqs:SendMessage"] == {"<Queue.Arn>"}
    assert "sqs:sendMessage" in made["Resources"]["Runner"]["Properties"]["Definition"]["States"]
    with pytest.raises(ValueError, match="expected at least one target"):
        template([], parts=[Part.DEAD_LETTERS])


def test_a_linter_of_templates_finds_nothing_in_any_part() -> None:
    """As its user runs it: the command line without options."""
    express = [Part.HTTP, Part.FIFO_QUEUE, Part.TOPIC, *OBSERVED]
    made = [
        template(PLAIN, parts=STANDARD, permissions_boundary=BOUNDARY),
        template(PLAIN, parts=express, prefix="blue", role_arn=ROLE),
    ]
    assert linted(*made) == (0, "")


def test_the_machines_are_sound() -> None:
    made = template(PLAIN, parts=STANDARD)
    machines = of_kind(made, "::StateMachine")
    for name, machine in machines.items():
        kind = machine["StateMachineType"]
        assert asl.check(machine["Definition"], type=kind) == [], name
    assert {name: each["StateMachineType"] for name, each in machines.items()} == {
        "Runner": "STANDARD",
        "Register": "STANDARD",
        "Workflows": "STANDARD",
        "Watch": "EXPRESS",
    }


# -- The size -------------------------------------------------------------------------------------------

SIZES: dict[str, tuple[list[Target], Sequence[Part], bool]] = {
    "one target": (PLAIN, [], True),
    "four targets": (USUAL, [], True),
    "one target, alarms": (PLAIN, [Part.ALARMS], True),
    "one target, alarms and dashboard": (PLAIN, OBSERVED, True),
    "one target, alarms, dashboard, topic, dead letters": (
        PLAIN,
        [*OBSERVED, Part.TOPIC, Part.DEAD_LETTERS],
        True,
    ),
    "only a FIFO queue, dead letters": ([], [Part.FIFO_QUEUE, Part.DEAD_LETTERS], True),
    "one target, group, dead letters": (PLAIN, [Part.GROUP, Part.DEAD_LETTERS], True),
    "four targets, alarms and dashboard": (USUAL, OBSERVED, False),
    "one target, register": (PLAIN, [Part.REGISTER], False),
    "one target, http": (PLAIN, [Part.HTTP], False),
    "one target, workflows": (PLAIN, [Part.WORKFLOWS], False),
    "four targets, every part": (USUAL, STANDARD, False),
}
"""Combinations of targets and parts, and whether the template fits into a request of CloudFormation."""


@pytest.mark.parametrize(("targets", "parts", "fits"), SIZES.values(), ids=SIZES)
def test_which_templates_fit_into_a_request(targets: list[Target], parts: Sequence[Part], fits: bool) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    made = template(targets, parts=parts)
    assert (length(made) <= 51_200) is fits
    _fits_when_uploaded(made)


def _fits_when_uploaded(made: dict[str, Any]) -> None:
    assert length(made) < 1_000_000
    assert len(made["Resources"]) < 500
    assert len(made["Outputs"]) < 200
    for machine in of_kind(made, "::StateMachine").values():
        assert len(json.dumps(machine["Definition"])) < 1_000_000


def test_everything_at_once_fits_when_it_is_uploaded() -> None:
    everything = [target for target, _ in TARGETS.values()]
    _fits_when_uploaded(template(everything, parts=STANDARD, task_roles=[ROLE], resources=RESOURCES))


# -- The parts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        pytest.param("alarms", TypeError, "expected parts to be a list, got 'alarms'; use", id="text"),
        pytest.param(Part.ALARMS, TypeError, "expected parts to be a list", id="one part"),
        pytest.param(7, TypeError, "expected parts to be a list, got 7", id="number"),
        pytest.param(["alarm"], ValueError, "expected a part of 'register', .*got 'alarm'", id="unknown"),
        pytest.param([None], ValueError, "expected a part of .*got None", id="none"),
        pytest.param(
            ["register", "express-register"], ValueError, "one of 'register' and 'express-", id="registers"
        ),
        pytest.param(["queue", "fifo-queue"], ValueError, "one of 'queue' and 'fifo-queue'", id="queues"),
    ],
)
def test_wrong_parts_are_refused(parts: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        template(PLAIN, parts=parts)


# -- The metrics ----------------------------------------------------------------------------------------


def test_a_failed_run_is_counted_whatever_happens_and_its_events_are_reserved() -> None:
    plain, counting = (runner("jobs", metrics=metrics).to_dict()["States"] for metrics in (False, True))
    assert set(counting) - set(plain) == {"Count failure"}
    state = counting["Count failure"]
    assert counting["Given up"]["Next"] == "Count failure"
    assert {catcher["Next"] for catcher in state["Catch"]} == {state["Next"]} == {plain["Given up"]["Next"]}
    caught = {error for catcher in state["Catch"] for error in catcher["ErrorEquals"]}
    assert caught == {"States.ALL", "States.DataLimitExceeded"}
    tries = 1 + sum(each["MaxAttempts"] for each in state["Retry"])
    most = 2 + 3 * tries  # entered and exited; each attempt is scheduled, started, and ends
    assert events(metrics=True).notification - events().notification == most
    assert events(metrics=True)._replace(notification=0) == events()._replace(notification=0)
    assert event_limit(3) < 25_000 - events(metrics=True).notification


def test_the_watch_reads_its_table_and_nothing_of_it_is_code() -> None:
    machine = watch("my.table", "my-runner")
    assert machine.check(type="EXPRESS") == []
    text = machine.to_json()
    assert text.count("my.table") == 4
    assert fnmatchcase(text, "*'my.table'*")
    assert text.count("my-runner") == 1
