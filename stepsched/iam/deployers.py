"""The permissions of who deploys a stack, such as a pipeline. The functions are pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from stepsched.aws.stacks import MAX_INLINE_TEMPLATE_BYTES, validate_stack_name
from stepsched.core.quoting import quoted
from stepsched.iam.grants import Condition, Place, allow

_ROLE_ARN = re.compile(r"arn:[^:]+:iam::\d{12}:role/.+")
_RANDOM = 13
"""The maximum number of characters with which CloudFormation ends a name that it makes."""

STACK_ACTIONS = (
    *("CreateChangeSet", "DeleteChangeSet", "DeleteStack", "DescribeChangeSet", "DescribeStackEvents"),
    *("DescribeStacks", "ExecuteChangeSet", "ListChangeSets", "ListStackResources"),
)
"""What the functions of ``stepsched.deploy`` call on the stack itself.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html"""


class _Kind(NamedTuple):
    """What CloudFormation does to create, read, change and delete a resource of a type."""

    service: str
    resource: str
    """The resource in its ARN, with ``{name}``."""
    name: str
    """The property that names the resource."""
    actions: str
    """The actions on the resource, without the service."""
    longest: int
    """The maximum length of a name."""
    made: str = "{stack}-{id}-*"
    """The names that CloudFormation makes if the template gives none."""
    is_regional: bool = True
    has_account: bool = True
    """Whether its ARN names the account."""
    conditions: tuple[Condition, ...] = ()
    """The conditions of the actions."""
    own_actions: str = ""
    """What ``stepsched.deploy`` calls besides: to see what would be lost, to pause jobs, and to write time
    zones."""


_BY_CLOUDFORMATION = ("ForAnyValue:StringEquals", "aws:CalledVia", "cloudformation.amazonaws.com")
"""The condition of actions that cannot be restricted to resources of the stack: only CloudFormation calls
them, on behalf of the caller.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""

_KINDS: dict[str, _Kind] = {
    "AWS::DynamoDB::Table": _Kind(
        "dynamodb",
        "table/{name}",
        "TableName",
        """CreateTable DeleteTable DescribeContinuousBackups DescribeContributorInsights
        DescribeKinesisStreamingDestination DescribeTable DescribeTimeToLive GetResourcePolicy
        ListTagsOfResource TagResource UntagResource UpdateContinuousBackups UpdateTable UpdateTimeToLive""",
        255,
        own_actions="BatchGetItem GetItem PutItem Query UpdateItem",
    ),
    "AWS::StepFunctions::StateMachine": _Kind(
        "states",
        "stateMachine:{name}",
        "StateMachineName",
        """CreateStateMachine DeleteStateMachine DescribeStateMachine ListTagsForResource TagResource
        UntagResource UpdateStateMachine""",
        80,
        made="{id}-*",
        own_actions="ListExecutions",
    ),
    "AWS::IAM::Role": _Kind(
        "iam",
        "role/{name}",
        "RoleName",
        """CreateRole DeleteRole DeleteRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies
        ListRolePolicies PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole
        UpdateRoleDescription""",
        64,
        is_regional=False,
    ),
    "AWS::Scheduler::ScheduleGroup": _Kind(
        "scheduler",
        "schedule-group/{name}",
        "Name",
        "CreateScheduleGroup DeleteScheduleGroup GetScheduleGroup ListTagsForResource TagResource "
        "UntagResource",
        64,
    ),
    "AWS::Scheduler::Schedule": _Kind(
        "scheduler",
        "schedule/*/{name}",
        "Name",
        "CreateSchedule DeleteSchedule GetSchedule UpdateSchedule",
        64,
    ),
    "AWS::SQS::Queue": _Kind(
        "sqs",
        "{name}",
        "QueueName",
        "CreateQueue DeleteQueue GetQueueAttributes GetQueueUrl ListQueueTags SetQueueAttributes TagQueue "
        "UntagQueue",
        80,
    ),
    "AWS::SNS::Topic": _Kind(
        "sns",
        "{name}",
        "TopicName",
        """CreateTopic DeleteTopic GetDataProtectionPolicy GetTopicAttributes ListSubscriptionsByTopic
        ListTagsForResource SetTopicAttributes TagResource UntagResource""",
        256,
    ),
    "AWS::CloudWatch::Alarm": _Kind(
        "cloudwatch",
        "alarm:{name}",
        "AlarmName",
        "DeleteAlarms DescribeAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource",
        255,
    ),
    "AWS::CloudWatch::Dashboard": _Kind(
        "cloudwatch",
        "dashboard/{name}",
        "DashboardName",
        "DeleteDashboards GetDashboard PutDashboard",
        255,
        made="*{id}*",
        is_regional=False,
    ),
    "AWS::ApiGateway::RestApi": _Kind(
        "apigateway",
        "/restapis{name}",
        "",  # API Gateway makes the identifiers in its ARNs
        "DELETE GET PATCH POST PUT",
        255,
        made="*",
        has_account=False,
        conditions=(_BY_CLOUDFORMATION,),
    ),
}
"""The types of resources in templates of this package. The actions are those of the handlers in the schemas
of the types, less those of properties that these templates do not have, such as keys and streams.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-type-schemas.html"""
_OF_OTHERS = {
    "AWS::SQS::QueuePolicy": "AWS::SQS::Queue",
    "AWS::SNS::TopicPolicy": "AWS::SNS::Topic",
    **dict.fromkeys(
        (
            f"AWS::ApiGateway::{each}"
            for each in ("Deployment", "GatewayResponse", "Method", "Resource", "Stage")
        ),
        "AWS::ApiGateway::RestApi",
    ),
}
"""Types whose actions are among those of the type that they belong to."""
_BOUNDED = ("CreateRole", "PutRolePolicy")
"""What may be done only to roles with the permissions boundary, if the template gives one to all roles."""


class _Resource(NamedTuple):
    """A resource of a template."""

    id: str
    type: str
    properties: Mapping[str, Any]


def deployer_policy(
    template: Mapping[str, Any],
    *,
    stack_name: str,
    account: str,
    region: str,
    partition: str = "aws",
    bucket: str | None = None,
) -> dict[str, Any]:
    """The policy of who plans, applies and destroys one stack with ``stepsched.deploy``, such as a pipeline.

    It allows what CloudFormation does on behalf of the caller to the resources of the template, and what the
    functions of ``stepsched.deploy`` call themselves. The resources are restricted to the names that they
    have in this stack, and the roles that may be passed to those of the stack and to the service that takes
    them. A later template that adds resources needs the policy of that template.

    If all roles of the template have one permissions boundary, only roles with that boundary can be created
    and given permissions. Without a boundary, the deployer can give a role of the stack any permission.

    A managed policy has at most 6,144 characters without white space, and the inline policies of a role
    10,240. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

    Args:
        template: The template, such as of ``stepsched.deploy.template``.
        stack_name: The name of the stack.
        account: The account of the stack, 12 digits.
        region: The Region of the stack.
        partition: The partition of the Region.
        bucket: The bucket for templates of more than 51,200 bytes. None: the default bucket of
            ``stepsched.deploy.plan``, if the template is that long; it may be created too.

    Raises:
        TypeError: ``template`` is not a dict.
        ValueError: An argument is malformed, or the template has a resource of another type than those of
            templates of this package.

    >>> template = {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": {}}}}
    >>> policy = deployer_policy(template, stack_name="jobs", account="123456789012", region="eu-west-1")
    >>> policy["Statement"][1]["Resource"]
    ['arn:aws:dynamodb:eu-west-1:123456789012:table/jobs-Table-*']
    """
    resources = _resources_of(template)
    validate_stack_name(stack_name, "stack_name")
    place = Place(account, region, partition)
    place.validate()
    stack = place.arn("cloudformation", f"stack/{stack_name}/*")
    statements = [
        _statement("Stack", "cloudformation", STACK_ACTIONS, [stack]),
        *_resource_statements(template, resources, stack_name, place),
        *_role_statements(resources, stack_name, place),
        *_bucket_statements(template, bucket, place),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _resources_of(template: Any) -> list[_Resource]:
    found = template.get("Resources") if isinstance(template, Mapping) else None
    if not isinstance(found, Mapping):
        raise TypeError(
            f"expected template to be a dict with Resources, got {quoted(template)}; use "
            "stepsched.deploy.template([...])"
        )
    resources = [
        _Resource(name, each["Type"], each.get("Properties") or {}) for name, each in sorted(found.items())
    ]
    for each in resources:
        if each.type not in _KINDS and each.type not in _OF_OTHERS:
            raise ValueError(
                f"the permissions for {each.id} ({each.type}) are not known; leave the resource out, and add "
                "its statement by hand"
            )
    return resources


def _statement(
    sid: str,
    service: str,
    actions: Iterable[str],
    resources: Iterable[str],
    condition: Condition | None = None,
) -> dict[str, Any]:
    named = sorted(f"{service}:{action}" for action in actions)
    conditions = () if condition is None else (condition,)
    return allow(sid, named, sorted(set(resources)), *conditions)


# -- resources -----------------------------------------------------------------------------------------


def _resource_statements(
    template: Mapping[str, Any], resources: list[_Resource], stack: str, place: Place
) -> Iterator[dict[str, Any]]:
    boundary = _boundary_of(resources)
    for kind, of in _KINDS.items():
        arns = [_arn(each, stack, place) for each in resources if each.type == kind]
        if not arns:
            continue
        sid = "".join(kind.split("::")[1:])
        actions = {*of.actions.split(), *of.own_actions.split()}
        if kind == "AWS::IAM::Role" and boundary is not None:
            condition = ("ArnEquals", "iam:PermissionsBoundary", boundary)
            yield _statement(
                f"{sid}Bounded", "iam", [*_BOUNDED, "PutRolePermissionsBoundary"], arns, condition
            )
            actions -= {*_BOUNDED}
        yield _statement(sid, of.service, actions, arns, *of.conditions)
        yield from _further(kind, arns)
    yield from _subscription_statements(resources, stack, place)
    yield from _given_table_statements(template, place)


def _given_table_statements(template: Mapping[str, Any], place: Place) -> Iterator[dict[str, Any]]:
    """The statements for the jobs in a table that the stack uses and has not created."""
    outputs = template.get("Outputs", {})
    names = [each["Value"] for key, each in sorted(outputs.items()) if key.endswith("TableName")]
    arns = [place.arn("dynamodb", f"table/{name}") for name in names if isinstance(name, str)]
    if arns:
        actions = ["DescribeTable", *_KINDS["AWS::DynamoDB::Table"].own_actions.split()]
        yield _statement("GivenTable", "dynamodb", actions, arns)
        yield _statement("GivenIndex", "dynamodb", ["Query"], [f"{arn}/index/*" for arn in arns])


def _further(kind: str, arns: list[str]) -> Iterator[dict[str, Any]]:
    """The statements for what belongs to resources of a type: indexes, executions, schedules."""
    if kind == "AWS::DynamoDB::Table":
        yield _statement("DynamoDBIndex", "dynamodb", ["Query"], [f"{arn}/index/*" for arn in arns])
    if kind == "AWS::StepFunctions::StateMachine":
        ran = [f"{arn.replace(':stateMachine:', ':execution:', 1)}:*" for arn in arns]
        yield _statement(
            "StepFunctionsExecution",
            "states",
            ["DescribeExecution", "GetExecutionHistory", "StopExecution"],
            ran,
        )
    if kind == "AWS::ApiGateway::RestApi":
        tags = [f"{arn.partition('/')[0]}/tags/*" for arn in arns]
        yield _statement("ApiGatewayTags", "apigateway", ["DELETE", "PUT"], tags, _BY_CLOUDFORMATION)
    if kind == "AWS::Scheduler::ScheduleGroup":
        held = [f"{arn.replace(':schedule-group/', ':schedule/', 1)}/*" for arn in arns]
        yield _statement("SchedulerGroupSchedules", "scheduler", ["DeleteSchedule"], held)
        yield _statement("SchedulerList", "scheduler", ["ListSchedules"], ["*"])


def _subscription_statements(
    resources: list[_Resource], stack: str, place: Place
) -> Iterator[dict[str, Any]]:
    """The statements to subscribe who a topic of the template names. A subscription cannot be restricted to
    its topic when it ends."""
    kind = "AWS::SNS::Topic"
    arns = [
        _arn(each, stack, place)
        for each in resources
        if each.type == kind and each.properties.get("Subscription")
    ]
    if arns:
        yield _statement("SNSSubscribe", "sns", ["Subscribe"], arns)
        yield _statement("SNSUnsubscribe", "sns", ["Unsubscribe"], ["*"], _BY_CLOUDFORMATION)


def _arn(resource: _Resource, stack: str, place: Place) -> str:
    """The ARN of a resource, with ``*`` for what CloudFormation chooses."""
    kind = _KINDS[resource.type]
    name = _text(resource.properties.get(kind.name), stack)
    if name is None:
        name = kind.made.format(stack=stack, id=resource.id)
        if len(name) - 1 + _RANDOM > kind.longest:  # CloudFormation shortens both parts
            name = f"{name[: kind.longest // 4]}*"
    text = kind.resource.format(name=name)
    if not kind.has_account:
        return f"arn:{place.partition}:{kind.service}:{place.region}::{text}"
    if kind.is_regional:
        return place.arn(kind.service, text)
    return f"arn:{place.partition}:{kind.service}::{place.account}:{text}"


def _text(value: Any, stack: str) -> str | None:
    """The text of a property, with ``*`` for references to other resources. None: it is absent."""
    match value:
        case None:
            return None
        case {"Ref": "AWS::StackName"}:
            return stack
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{[^}]+\}", "*", text.replace("${AWS::StackName}", stack))
        case str():
            return value
    return "*"


# -- roles ---------------------------------------------------------------------------------------------


def _boundary_of(resources: list[_Resource]) -> str | None:
    """The permissions boundary that all roles have. None: one has none, or they differ."""
    found = {
        each.properties.get("PermissionsBoundary") if isinstance(each.properties, Mapping) else None
        for each in resources
        if each.type == "AWS::IAM::Role"
    }
    (only,) = found if len(found) == 1 else (None,)
    return only if isinstance(only, str) else None


def _role_statements(resources: list[_Resource], stack: str, place: Place) -> Iterator[dict[str, Any]]:
    """The statements to pass the roles of the stack, and given ones, each to the service that takes it."""
    roles = {each.id: _arn(each, stack, place) for each in resources if each.type == "AWS::IAM::Role"}
    passed: dict[str, set[str]] = {}
    for each in resources:
        match each.type:
            case "AWS::StepFunctions::StateMachine":
                service, value = "states", each.properties.get("RoleArn")
            case "AWS::Scheduler::Schedule":
                service, value = "scheduler", each.properties.get("Target", {}).get("RoleArn")
            case "AWS::ApiGateway::Method" if "Credentials" in each.properties.get("Integration", {}):
                service, value = "apigateway", each.properties["Integration"]["Credentials"]
            case _:
                continue
        passed.setdefault(service, set()).add(_role_arn(each, value, roles))
    for service, arns in sorted(passed.items()):
        condition = ("StringEquals", "iam:PassedToService", f"{service}.amazonaws.com")
        yield _statement(f"PassRoleTo{service.capitalize()}", "iam", ["PassRole"], arns, condition)


def _role_arn(resource: _Resource, value: Any, roles: Mapping[str, str]) -> str:
    match value:
        case {"Fn::GetAtt": [str(name), "Arn"]} if name in roles:
            return roles[name]
        case str() if _ROLE_ARN.fullmatch(value):
            return value
    raise ValueError(
        f"the role of {resource.id} is neither of the template nor an ARN, got {quoted(value)}; use role_arn="
    )


# -- the bucket ----------------------------------------------------------------------------------------


def _bucket_statements(
    template: Mapping[str, Any], bucket: str | None, place: Place
) -> Iterator[dict[str, Any]]:
    size = len(json.dumps(template, separators=(",", ":"), ensure_ascii=False).encode())
    if bucket is None and size <= MAX_INLINE_TEMPLATE_BYTES:
        return
    name = bucket or f"stepsched-{place.account}-{place.region}"
    arn = f"arn:{place.partition}:s3:::{name}"
    made = (
        ()
        if bucket
        else (
            "CreateBucket",
            "PutBucketPublicAccessBlock",
            "PutEncryptionConfiguration",
        )
    )
    yield _statement("Bucket", "s3", ["ListBucket", *made], [arn])
    yield _statement("BucketTemplates", "s3", ["GetObject", "PutObject"], [f"{arn}/*.json"])
