"""IAM policy documents for jobs on EventBridge Scheduler.

Three functions are pure and return documents to hand to any tool that makes roles:
:func:`trust_policy` says who may take the execution role, :func:`policy_for` what that role may do,
and :func:`caller_policy` what whoever uses the client may do. :func:`ensure_role` alone calls AWS.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import assert_never

from stepsched.errors import AccessDeniedError, BackendError, BackendUnavailableError, ThrottledError
from stepsched.jobs import Job, is_name
from stepsched.targets import (
    ApiTarget,
    BatchTarget,
    CodeBuildTarget,
    CodePipelineTarget,
    CommandTarget,
    EcsTaskTarget,
    EventBusTarget,
    FirehoseTarget,
    HandlerTarget,
    KinesisTarget,
    LambdaTarget,
    QueueTarget,
    SageMakerPipelineTarget,
    StateMachineTarget,
    TemplateTarget,
    TopicTarget,
)
from stepsched.targets.arns import ARN, checked_arn

if TYPE_CHECKING:
    from boto3.session import Session

__all__ = ["caller_policy", "ensure_role", "policy_for", "trust_policy"]

MAX_INLINE_CHARACTERS = 10_240
"""What IAM takes as the inline policies of one role together, white space not counted."""
_SERVICE = "scheduler.amazonaws.com"
_POLICY_NAME = "stepsched"
_WIDENING = re.compile(r"[*?]|\$\{")  # what IAM reads as a pattern or a variable

# -- The names that IAM has for what an SDK calls -----------------------------------------------------

# What a service's target is asked to do, by the service that its ARN names.
_TARGET_ACTIONS = {
    "codebuild": "codebuild:StartBuild",
    "codepipeline": "codepipeline:StartPipelineExecution",
    "events": "events:PutEvents",
    "firehose": "firehose:PutRecord",
    "inspector": "inspector:StartAssessmentRun",
    "kinesis": "kinesis:PutRecord",
    "lambda": "lambda:InvokeFunction",
    "sagemaker": "sagemaker:StartPipelineExecution",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
    "states": "states:StartExecution",
}

# IAM's prefix is the SDK's identifier of the service, but for these: with hyphens …
_HYPHENATED = """
    access-analyzer acm-pca app-integrations application-autoscaling application-cost-profiler
    application-signals arc-region-switch arc-zonal-shift autoscaling-plans backup-gateway backup-search
    bcm-data-exports bcm-pricing-calculator cleanrooms-ml cloudfront-keyvaluestore cloudtrail-data
    codeguru-profiler codeguru-reviewer codeguru-security codestar-connections codestar-notifications
    cognito-identity cognito-sync compute-optimizer connect-campaigns cost-optimization-hub devops-guru
    docdb-elastic ec2-instance-connect ecr-public eks-auth emr-containers emr-serverless geo-maps geo-places
    geo-routes inspector-scan kendra-ranking license-manager license-manager-linux-subscriptions
    license-manager-user-subscriptions managedblockchain-query mediapackage-vod medical-imaging
    migrationhub-orchestrator migrationhub-strategy neptune-graph network-firewall notifications-contacts
    payment-cryptography pca-connector-ad pca-connector-scep rds-data redshift-data redshift-serverless
    resource-explorer-2 resource-groups route53-recovery-cluster route53-recovery-control-config
    route53-recovery-readiness s3-outposts sagemaker-geospatial security-ir snow-device-management
    social-messaging ssm-contacts ssm-guiconnect ssm-incidents ssm-quicksetup ssm-sap timestream-influxdb
    vpc-lattice waf-regional workspaces-web
"""
# … and by another name: IAM's prefix, and the identifiers that go by it.
_RENAMED = {
    "airflow": "mwaa",
    "aoss": "opensearchserverless",
    "appconfig": "appconfigdata",
    "aps": "amp",
    "bedrock": "bedrockagent bedrockagentruntime bedrockdataautomation bedrockdataautomationruntime"
    " bedrockruntime",
    "bedrock-agentcore": "bedrockagentcore bedrockagentcorecontrol",
    "cases": "connectcases",
    "cassandra": "keyspaces",
    "ce": "costexplorer",
    "chime": "chimesdkidentity chimesdkmediapipelines chimesdkmeetings chimesdkmessaging chimesdkvoice",
    "cloudformation": "cloudcontrol",
    "cloudhsm": "cloudhsmv2",
    "cognito-idp": "cognitoidentityprovider",
    "config": "configservice",
    "connect-campaigns": "connectcampaignsv2",
    "cur": "costandusagereportservice",
    "discovery": "applicationdiscoveryservice",
    "dms": "databasemigrationservice",
    "ds": "directoryservice",
    "ds-data": "directoryservicedata",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elasticloadbalancingv2",
    "elasticmapreduce": "emr",
    "es": "elasticsearchservice opensearch",
    "events": "eventbridge cloudwatchevents",
    "forecast": "forecastquery",
    "geo": "location",
    "greengrass": "greengrassv2",
    "iot": "iotdataplane iotsecuretunneling",
    "iotjobsdata": "iotjobsdataplane",
    "ivs": "ivsrealtime",
    "kinesisanalytics": "kinesisanalyticsv2",
    "kinesisvideo": "kinesisvideosignaling kinesisvideowebrtcstorage",
    "lex": "lexmodelbuildingservice lexmodelsv2 lexruntimeservice lexruntimev2",
    "logs": "cloudwatchlogs",
    "mechanicalturk": "mturk",
    "mediastore": "mediastoredata",
    "mgh": "migrationhub migrationhubconfig",
    "mobiletargeting": "pinpoint",
    "neptune-db": "neptunedata",
    "payment-cryptography": "paymentcryptographydata",
    "personalize": "personalizeevents",
    "profile": "customerprofiles",
    "rds": "docdb neptune",
    "refactor-spaces": "migrationhubrefactorspaces",
    "s3": "s3control",
    "sagemaker": "sagemakera2iruntime sagemakeredge sagemakerfeaturestoreruntime sagemakermetrics"
    " sagemakerruntime",
    "scn": "supplychain",
    "sdb": "simpledb",
    "serverlessrepo": "serverlessapplicationrepository",
    "servicecatalog": "servicecatalogappregistry",
    "ses": "pinpointemail sesv2",
    "sms-voice": "pinpointsmsvoice pinpointsmsvoicev2",
    "sso": "ssoadmin",
    "states": "sfn",
    "tag": "resourcegroupstaggingapi",
    "tax": "taxsettings",
    "thinclient": "workspacesthinclient",
    "timestream": "timestreamquery timestreamwrite",
    "wisdom": "qconnect",
}
_PREFIXES = {prefix.replace("-", ""): prefix for prefix in _HYPHENATED.split()} | {
    service: prefix for prefix, services in _RENAMED.items() for service in services.split()
}

_PARTIQL = "dynamodb:PartiQLDelete dynamodb:PartiQLInsert dynamodb:PartiQLSelect dynamodb:PartiQLUpdate"
# The action is the call's own name, but for these calls: each with the actions that IAM asks for.
_IRREGULAR_CALLS = {
    "apigatewaymanagementapi:deleteConnection": "execute-api:ManageConnections",
    "apigatewaymanagementapi:postToConnection": "execute-api:ManageConnections",
    "bedrockruntime:converse": "bedrock:InvokeModel",
    "bedrockruntime:startAsyncInvoke": "bedrock:InvokeModel",
    "dynamodb:batchExecuteStatement": _PARTIQL,
    "dynamodb:executeStatement": _PARTIQL,
    "dynamodb:executeTransaction": _PARTIQL,
    "dynamodb:transactWriteItems": "dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:PutItem"
    " dynamodb:UpdateItem",
    "lambda:invoke": "lambda:InvokeFunction",
    "s3:completeMultipartUpload": "s3:PutObject",
    "s3:copyObject": "s3:GetObject s3:PutObject",
    "s3:createMultipartUpload": "s3:PutObject",
    "s3:deleteBucketCors": "s3:PutBucketCORS",
    "s3:deleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:deleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:deleteBucketReplication": "s3:PutReplicationConfiguration",
    "s3:deleteBucketTagging": "s3:PutBucketTagging",
    "s3:deleteObjects": "s3:DeleteObject",
    "s3:deletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:headBucket": "s3:ListBucket",
    "s3:headObject": "s3:GetObject",
    "s3:putBucketCors": "s3:PutBucketCORS",
    "s3:putBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:putBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:putBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:putBucketReplication": "s3:PutReplicationConfiguration",
    "s3:putPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:uploadPart": "s3:PutObject",
    "s3:uploadPartCopy": "s3:GetObject s3:PutObject",
    "sesv2:sendEmail": "ses:SendEmail ses:SendRawEmail",
    "sns:publishBatch": "sns:Publish",
    "sqs:changeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:deleteMessageBatch": "sqs:DeleteMessage",
    "sqs:sendMessageBatch": "sqs:SendMessage",
}
# These are authorised by HTTP verb and path, which a call's name does not tell.
_BY_PATH = ("apigateway", "apigatewayv2")


def _iam_actions(service: str, action: str) -> list[str]:
    """What IAM calls the SDK's call."""
    irregular = _IRREGULAR_CALLS.get(f"{service}:{action}")
    if irregular is not None:
        return irregular.split()
    return [f"{_PREFIXES.get(service.replace('-', ''), service)}:{action[:1].upper()}{action[1:]}"]


# -- The documents ------------------------------------------------------------------------------------


def trust_policy(*, account: str, region: str, group: str = "*", partition: str = "aws") -> dict[str, Any]:
    """Who may take the execution role: EventBridge Scheduler, for the account's schedules alone.

    The conditions keep other accounts from using the role through the service:
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html

    Args:
        account: 12 digits.
        region: Such as ``eu-west-1``.
        group: The schedule group whose jobs may use the role; ``*`` stands for any characters. A
            single schedule cannot be named, as the service does not support it.
        partition: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.

    Raises:
        ValueError: An argument is not of its form.
    """
    _check_place(account, region, partition)
    source = f"arn:{partition}:scheduler:{region}:{account}:schedule-group/{_checked_group(group)}"
    condition: dict[str, dict[str, str]] = {"StringEquals": {"aws:SourceAccount": account}}
    condition.setdefault("ArnLike" if "*" in group else "StringEquals", {})["aws:SourceArn"] = source
    statement = {
        "Sid": "SchedulerAssumesRole",
        "Effect": "Allow",
        "Principal": {"Service": _SERVICE},
        "Action": ["sts:AssumeRole"],
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy_for(
    jobs: Iterable[Job],
    *,
    dead_letter_arn: str | None = None,
    kms_key_arn: str | None = None,
    pass_roles: Sequence[str] = (),
    resources: Mapping[str, Sequence[str]] | None = None,
    account: str | None = None,
    region: str | None = None,
    partition: str = "aws",
) -> dict[str, Any]:
    """The least that an execution role must be allowed in order to run exactly these jobs.

    The same jobs give the same document, in whatever order they come: statements are sorted by
    action, their resources sorted and named once.

    - A function is named as its target names it. A permission on the plain name does not reach an
      alias or version, nor the other way round.
    - A state machine is named without its alias or version, which IAM does not take; the role may
      thus start any of that machine's versions.
    - A task or job definition without revision stands for all of its revisions.
    - Inspector's templates cannot be named in a policy; their resource is ``*``.

    What the resource itself asks for besides, such as the key of an encrypted queue, is not known
    here and stays to be added.

    Args:
        jobs: At least one. All of them must be invoked by AWS.
        dead_letter_arn: The standard queue of the jobs that name none themselves.
        kms_key_arn: The key with which the schedules are encrypted. None: AWS's own.
        pass_roles: The task and execution roles of the task definitions, and those that a job's
            input puts in their place. The jobs do not tell them, so without them a task whose
            definition has roles is refused by AWS. Left out where no job runs an ECS task.
        resources: What the calls of :class:`ApiTarget` act on, by ``"service:action"`` as the target
            writes it, such as ``{"dynamodb:putItem": ["arn:aws:dynamodb:…:table/orders"]}``. A call
            that is not named here is allowed on ``*``. IAM may ask for more than the call's own
            action, as for handing over a role; that too stays to be added.
        account: Where Batch's bare names live; needed only for those.
        region: As ``account``.
        partition: As ``account``.

    Raises:
        TypeError: ``jobs`` holds something that is no job, or a list is text.
        ValueError: No jobs; a job that AWS does not invoke, or whose permissions cannot be told from
            its target; or an argument that is not of its form. The job is named.

    >>> from datetime import timedelta
    >>> from stepsched import Job, LambdaTarget, Rate
    >>> report = LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
    >>> job = Job(name="report", schedule=Rate(timedelta(hours=1)), target=report)
    >>> policy_for([job])["Statement"][0]["Action"]
    ['lambda:InvokeFunction']
    """
    listed = _checked_jobs(jobs)
    place = _Place(account, region, partition)
    place.check()
    named = _checked_resources(resources or {}, listed)
    roles = _checked_roles("pass_roles", pass_roles)
    default_queue = None if dead_letter_arn is None else _checked_queue(dead_letter_arn)
    grants: list[_Grant] = []
    for job in listed:
        grants += _target_grants(job, place, named)
        queue = default_queue if job.dead_letter is None else job.dead_letter.queue_arn
        if queue is not None:
            grants.append(_Grant("sqs:SendMessage", queue))
    if kms_key_arn is not None:
        grants.append(_Grant("kms:Decrypt", _checked_key(kms_key_arn)))
    if any(grant.action == "ecs:RunTask" for grant in grants):
        passed = ("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com")
        grants += [_Grant("iam:PassRole", role, passed) for role in roles]
    return {"Version": "2012-10-17", "Statement": _statements(grants)}


def caller_policy(
    *,
    account: str,
    region: str,
    role_arns: Sequence[str],
    groups: Sequence[str] = ("*",),
    partition: str = "aws",
    dead_letter_arn: str | None = None,
    kms_key_arn: str | None = None,
) -> dict[str, Any]:
    """What whoever creates, lists, changes and cancels jobs through the client must be allowed.

    AWS does not narrow it further than to groups, and lists schedules only for those who may list
    them all.

    Args:
        account: 12 digits.
        region: Such as ``eu-west-1``.
        role_arns: The execution roles that jobs may be given; at least one.
        groups: The schedule groups; ``*`` stands for any characters. At least one.
        partition: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.
        dead_letter_arn: The queue whose failed runs are read and redriven. None: none is.
        kms_key_arn: The key with which the schedules are encrypted. None: AWS's own.

    Raises:
        TypeError: A list is text.
        ValueError: An argument is not of its form, or a list is empty.
    """
    _check_place(account, region, partition)
    _check_list("groups", groups)
    roles = _checked_roles("role_arns", role_arns)
    if not groups or not roles:
        raise ValueError(f"{'role_arns' if groups else 'groups'} is empty; give at least one")
    names = sorted({_checked_group(group) for group in groups})
    root = f"arn:{partition}:scheduler:{region}:{account}"
    verbs = ("Create", "Delete", "Get", "Update")
    group_actions = [f"scheduler:{verb}ScheduleGroup" for verb in ("Create", "Delete", "Get")]
    statements = [
        _allow(
            "Schedules", [f"scheduler:{v}Schedule" for v in verbs], [f"{root}:schedule/{n}/*" for n in names]
        ),
        _allow(
            "ScheduleGroups",
            [*group_actions, "scheduler:ListTagsForResource", "scheduler:TagResource"],
            [f"{root}:schedule-group/{name}" for name in names],
        ),
        # ListSchedules is authorised on every schedule even where a group is asked for.
        _allow("ListSchedules", ["scheduler:ListScheduleGroups", "scheduler:ListSchedules"], ["*"]),
        _allow("PassRole", ["iam:PassRole"], roles, ("StringEquals", "iam:PassedToService", _SERVICE)),
    ]
    if dead_letter_arn is not None:
        actions = [
            "ChangeMessageVisibility",
            "DeleteMessage",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ReceiveMessage",
        ]
        queue = _checked_queue(dead_letter_arn)
        statements.append(_allow("DeadLetters", [f"sqs:{action}" for action in actions], [queue]))
    if kms_key_arn is not None:
        keys = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        statements.append(_allow("EncryptedPayloads", keys, [_checked_key(kms_key_arn)]))
    return {"Version": "2012-10-17", "Statement": statements}


# -- What a job needs ---------------------------------------------------------------------------------

_Condition = tuple[str, str, str]
"""Operator, key and value."""


class _Grant(NamedTuple):
    action: str
    resource: str
    condition: _Condition | None = None


class _Place(NamedTuple):
    """Where bare names live."""

    account: str | None
    region: str | None
    partition: str

    def check(self) -> None:
        _check_place(self.account, self.region, self.partition)

    def arn(self, service: str, resource: str) -> str:
        if self.account is None or self.region is None:
            raise ValueError(f"{resource!r} has no account and Region; give account= and region=, or an ARN")
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def _target_grants(job: Job, place: _Place, named: Mapping[str, list[str]]) -> list[_Grant]:
    target = job.target
    match target:
        case LambdaTarget():
            return [_arn_grant(target.function_arn)]
        case StateMachineTarget():
            return [_arn_grant(target.state_machine_arn)]
        case QueueTarget():
            return [_arn_grant(target.queue_arn)]
        case TopicTarget():
            return [_arn_grant(target.topic_arn)]
        case EventBusTarget():
            return [_arn_grant(target.bus_arn)]
        case KinesisTarget():
            return [_arn_grant(target.stream_arn)]
        case FirehoseTarget():
            return [_arn_grant(target.delivery_stream_arn)]
        case CodeBuildTarget():
            return [_arn_grant(target.project_arn)]
        case CodePipelineTarget() | SageMakerPipelineTarget():
            return [_arn_grant(target.pipeline_arn)]
        case EcsTaskTarget():
            return _task_grants(target)
        case BatchTarget():
            return _batch_grants(job, target, place)
        case ApiTarget():
            return _call_grants(job, target.service, target.action, named)
        case TemplateTarget():
            return _template_grants(job, target, named)
        case HandlerTarget() | CommandTarget():
            raise _refusal(
                job,
                f"its {type(target).__name__} runs where the embedded backend runs, and nothing in AWS is "
                "invoked; leave it out",
            )
        case _:  # pragma: no cover
            assert_never(target)


def _arn_grant(arn: str) -> _Grant:
    match = ARN.fullmatch(arn)
    assert match is not None
    service = match["service"]
    if service == "inspector":
        arn = "*"
    elif service == "states":  # Step Functions authorises on the machine, whatever the qualifier.
        arn = ":".join(arn.split(":")[:7])
    return _Grant(_TARGET_ACTIONS[service], arn)


def _task_grants(target: EcsTaskTarget) -> list[_Grant]:
    # AWS resolves the revision before it authorises, so the plain family never matches.
    definition = _with_revision(target.task_definition_arn)
    grants = [_Grant("ecs:RunTask", definition, ("ArnEquals", "ecs:cluster", target.cluster_arn))]
    if target.tags or target.propagate_tags or target.ecs_managed_tags:
        tasks = f"{target.cluster_arn.replace(':cluster/', ':task/', 1)}/*"
        grants.append(_Grant("ecs:TagResource", tasks, ("StringEquals", "ecs:CreateAction", "RunTask")))
    return grants


def _with_revision(arn: str) -> str:
    return arn if re.search(r":\d+\Z", arn.partition("/")[2]) else f"{arn}:*"


def _batch_grants(job: Job, target: BatchTarget, place: _Place) -> list[_Grant]:
    definition = _batch_arn(job, "job-definition", target.job_definition, r"[\w-]{1,128}(:\d+)?", place)
    queue = _batch_arn(job, "job-queue", target.job_queue, r"[\w-]{1,128}", place)
    # AWS's pages differ on what a name without revision is authorised as; both forms mean the same jobs.
    arns = dict.fromkeys([definition, _with_revision(definition), queue])
    return [_Grant("batch:SubmitJob", arn) for arn in arns]


def _batch_arn(job: Job, resource: str, text: str, form: str, place: _Place) -> str:
    try:
        arn = text if text.startswith("arn:") else place.arn("batch", f"{resource}/{text}")
        return checked_arn(arn, "batch", f"{resource}/{form}", f"{resource}/<name>")
    except ValueError as error:
        raise _refusal(job, str(error)) from error


def _call_grants(job: Job, service: str, action: str, named: Mapping[str, list[str]]) -> list[_Grant]:
    if service in _BY_PATH:
        raise _refusal(
            job,
            f"what IAM asks for {service}:{action} hangs on a path that the call does not tell; "
            "leave the job out and write its statement by hand",
        )
    arns = named.get(f"{service}:{action}", ["*"])
    return [_Grant(name, arn) for name in _iam_actions(service, action) for arn in arns]


def _template_grants(job: Job, target: TemplateTarget, named: Mapping[str, list[str]]) -> list[_Grant]:
    arn = target.target_arn
    call = _universal_call(arn)
    if call is not None:
        return _call_grants(job, *call, named)
    match = ARN.fullmatch(arn)
    assert match is not None
    if match["service"] not in _TARGET_ACTIONS:
        raise _refusal(
            job,
            f"the permissions of {arn!r} cannot be told from its ARN; use the target's own class where there "
            "is one (EcsTaskTarget, ApiTarget), or leave the job out and write its statement by hand",
        )
    if _WIDENING.search(arn):
        raise _refusal(job, f"{arn!r} would allow more than one resource; name the one that is meant")
    return [_arn_grant(arn)]


def _universal_call(arn: str) -> tuple[str, str] | None:
    match = re.fullmatch(r"arn:[a-z-]+:scheduler:::aws-sdk:([a-z][a-z0-9-]*):([a-z][A-Za-z0-9]*)", arn)
    return None if match is None else (match[1], match[2])


def _refusal(job: Job, reason: str) -> ValueError:
    return ValueError(f"no policy for job {job.name!r}: {reason}")


def _statements(grants: Iterable[_Grant]) -> list[dict[str, Any]]:
    """One statement for each action under each condition."""
    resources: dict[tuple[str, _Condition | None], set[str]] = {}
    for grant in grants:
        resources.setdefault((grant.action, grant.condition), set()).add(grant.resource)
    statements: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for action, condition in sorted(resources, key=lambda key: (key[0], key[1] or ())):
        arns = resources[action, condition]
        seen[action] = seen.get(action, 0) + 1
        sid = _sid(action) + (str(seen[action]) if seen[action] > 1 else "")
        statements.append(_allow(sid, [action], ["*"] if "*" in arns else sorted(arns), condition))
    return statements


def _sid(action: str) -> str:
    """``cognito-idp:AdminCreateUser`` as ``CognitoIdpAdminCreateUser``."""
    prefix, _, name = action.partition(":")
    return "".join(part[:1].upper() + part[1:] for part in prefix.split("-")) + name


def _allow(
    sid: str, actions: list[str], resources: list[str], condition: _Condition | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    if condition is not None:
        operator, key, value = condition
        statement["Condition"] = {operator: {key: value}}
    return statement


# -- What is given ------------------------------------------------------------------------------------


def _check_place(account: str | None, region: str | None, partition: str) -> None:
    if account is not None and not re.fullmatch(r"[0-9]{12}", account):
        raise ValueError(f"account {account!r} is not an account's number; it has 12 digits")
    if region is not None and not re.fullmatch(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}", region):
        raise ValueError(f"region {region!r} is not a Region's name; write it such as 'eu-west-1'")
    if not re.fullmatch(r"aws[a-z-]*", partition):
        raise ValueError(f"partition {partition!r} is none; write it such as 'aws', 'aws-cn' or 'aws-us-gov'")


def _checked_group(group: str) -> str:
    if not is_name(group) and not ("*" in group and re.fullmatch(r"[0-9a-zA-Z_.*-]{1,64}", group)):
        raise ValueError(
            f"group {group!r} is not a schedule group: give its name, 1 to 64 of the characters "
            "A-Z a-z 0-9 - _ . with '*' for any others"
        )
    return group


def _checked_queue(arn: str) -> str:
    if arn.endswith(".fifo"):
        raise ValueError(f"dead_letter_arn {arn!r} is a FIFO queue; dead letters need a standard one")
    return checked_arn(arn, "sqs", r"[\w-]{1,80}", "<queue name>")


def _checked_key(arn: str) -> str:
    if ":alias/" in arn:
        raise ValueError(f"kms_key_arn {arn!r} is an alias, which IAM does not take; give the key's own ARN")
    return checked_arn(arn, "kms", r"key/[\w-]{1,256}", "key/<id>")


def _check_list(argument: str, values: Sequence[str]) -> None:
    if isinstance(values, str):
        raise TypeError(f"{argument} is text; give a list, such as [{values!r}]")


def _checked_roles(argument: str, arns: Sequence[str]) -> list[str]:
    _check_list(argument, arns)
    for arn in arns:
        if not re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]+:role/[\w+=,.@/-]{1,576}", arn, re.ASCII):
            raise ValueError(
                f"{argument}: {arn!r} is not the ARN of one role; "
                "the form is arn:aws:iam::<account>:role/<name>"
            )
    return sorted(set(arns))


def _checked_jobs(jobs: Iterable[Job]) -> list[Job]:
    if isinstance(jobs, Job):
        raise TypeError("jobs is one job; give a list, such as [job]")
    listed = list(jobs)
    for job in listed:
        if not isinstance(job, Job):
            raise TypeError(f"jobs holds a {type(job).__name__}; give Job values")
    if not listed:
        raise ValueError("jobs is empty; a role for nothing needs no policy")
    return listed


def _checked_resources(resources: Mapping[str, Sequence[str]], jobs: list[Job]) -> dict[str, list[str]]:
    """A name that no job calls is refused: misspelt, it would leave its call allowed on ``*``."""
    called = {call for job in jobs if (call := _call_name(job)) is not None}
    for name, arns in resources.items():
        _check_list(f"resources[{name!r}]", arns)
        if name not in called:
            known = ", ".join(sorted(called)) or "none at all"
            raise ValueError(f"resources names {name!r}, which no job calls; the jobs call {known}")
        if not arns:
            raise ValueError(f"resources[{name!r}] is empty; name what the call acts on, or leave it out")
        for arn in arns:
            if arn != "*" and not re.fullmatch(r"arn:[^:\s]+:[^:\s]+:[^:\s]*:[^:\s]*:\S+", arn):
                raise ValueError(f"resources[{name!r}]: {arn!r} is neither an ARN nor '*'")
    return {name: list(arns) for name, arns in resources.items()}


def _call_name(job: Job) -> str | None:
    match job.target:
        case ApiTarget(service=service, action=action):
            return f"{service}:{action}"
        case TemplateTarget(target_arn=arn):
            call = _universal_call(arn)
            return None if call is None else ":".join(call)
        case _:
            return None


# -- The one function that calls AWS ------------------------------------------------------------------


def ensure_role(
    name: str,
    *,
    jobs: Iterable[Job],
    group: str = "*",
    session: Session | None = None,
    endpoint_url: str | None = None,
    dead_letter_arn: str | None = None,
    kms_key_arn: str | None = None,
    pass_roles: Sequence[str] = (),
    resources: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Makes the execution role of these jobs, or brings it up to date. It calls AWS.

    The role is created where it does not exist. Its trust policy and its inline policy ``stepsched``
    are then set to :func:`trust_policy` and :func:`policy_for`; its other policies stay. Repeating
    the call changes nothing. AWS may refuse a new role for some seconds until it is known everywhere.

    Needs sts:GetCallerIdentity, iam:GetRole, iam:CreateRole, iam:UpdateAssumeRolePolicy and
    iam:PutRolePolicy.

    Args:
        name: 1 to 64 of ``A-Z a-z 0-9 _ + = , . @ -``.
        jobs: All the jobs that will use the role: what an earlier call allowed for others is lost.
        group: The schedule group whose jobs may use the role; ``*`` stands for any characters.
        session: Tells credentials and Region. None: those of the environment.
        endpoint_url: Where IAM and STS are, if not at AWS.
        dead_letter_arn: As in :func:`policy_for`.
        kms_key_arn: As in :func:`policy_for`.
        pass_roles: As in :func:`policy_for`.
        resources: As in :func:`policy_for`.

    Returns:
        The role's ARN.

    Raises:
        TypeError: As in :func:`policy_for`.
        ValueError: An argument is not of its form, the session has no Region, the policy is longer
            than IAM takes, or a role of that name is trusted by others, who would be locked out.
            Nothing has been changed.
        AccessDeniedError: The caller may not do this.
        ThrottledError: Too many requests.
        BackendUnavailableError: AWS cannot be reached, or no credentials were found.
        BackendError: Anything else that AWS answers.
    """
    if not re.fullmatch(r"[\w+=,.@-]{1,64}", name, re.ASCII):
        raise ValueError(
            f"{name!r} is not a role's name: 1 to 64 of the characters A-Z a-z 0-9 _ + = , . @ - "
            "(no path and no ARN)"
        )
    _checked_group(group)
    listed = _checked_jobs(jobs)
    import boto3

    with _translated("sts", "GetCallerIdentity"):
        session = boto3.session.Session() if session is None else session
        region = session.region_name
        if region is None:
            raise ValueError("the session has no Region; give session=boto3.Session(region_name=...)")
        partition = session.get_partition_for_region(region)
        account = str(session.client("sts", endpoint_url=endpoint_url).get_caller_identity()["Account"])
    trust = _compact(trust_policy(account=account, region=region, group=group, partition=partition))
    policy = _compact(
        policy_for(
            listed,
            dead_letter_arn=dead_letter_arn,
            kms_key_arn=kms_key_arn,
            pass_roles=pass_roles,
            resources=resources,
            account=account,
            region=region,
            partition=partition,
        )
    )
    if len(policy) > MAX_INLINE_CHARACTERS:
        raise ValueError(
            f"the policy of role {name!r} takes {len(policy):,} characters, and IAM takes "
            f"{MAX_INLINE_CHARACTERS:,}: give the jobs of each group a role of their own"
        )
    with _translated("iam", "GetRole"):
        iam = session.client("iam", endpoint_url=endpoint_url)
        arn = _role_with_trust(iam, name, trust)
        iam.put_role_policy(RoleName=name, PolicyName=_POLICY_NAME, PolicyDocument=policy)
    return arn


def _role_with_trust(iam: Any, name: str, trust: str) -> str:
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        try:
            created = iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=trust,
                Description="Lets EventBridge Scheduler run the jobs of stepsched",
            )
            return str(created["Role"]["Arn"])
        except iam.exceptions.EntityAlreadyExistsException:  # Somebody else was faster.
            role = iam.get_role(RoleName=name)["Role"]
    if not _trusts_scheduler_alone(role["AssumeRolePolicyDocument"]):
        raise ValueError(
            f"a role {name!r} exists and is trusted by others than {_SERVICE}, who would be locked out; "
            "choose another name"
        )
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    return str(role["Arn"])


def _trusts_scheduler_alone(document: Mapping[str, Any]) -> bool:
    statements = document.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return all(entry.get("Principal") in ({"Service": _SERVICE}, {"Service": [_SERVICE]}) for entry in listed)


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


# fmt: off
_DENIED = (
    "AccessDenied", "AccessDeniedException", "ExpiredToken", "InvalidClientTokenId",
    "SignatureDoesNotMatch", "UnauthorizedOperation", "UnrecognizedClientException",
)
_THROTTLED = (
    "RequestLimitExceeded", "Throttling", "ThrottledException", "ThrottlingException",
    "TooManyRequestsException",
)
# fmt: on


@contextmanager
def _translated(service: str, operation: str) -> Iterator[None]:
    """Gives botocore's errors as ours. The operation is what is asked where botocore does not say."""
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004

    try:
        yield
    except ClientError as error:
        words = error.response.get("Error", {})
        answer = error.response.get("ResponseMetadata", {})
        code = words.get("Code", "Unknown")
        status = answer.get("HTTPStatusCode", 400)
        kind, retryable = BackendError, code == "ConcurrentModification"
        if code in _DENIED:
            kind = AccessDeniedError
        elif code in _THROTTLED:
            kind, retryable = ThrottledError, True
        elif status >= 500:
            kind, retryable = BackendUnavailableError, True
        raise kind(
            service, error.operation_name, code, answer.get("RequestId"), retryable, words.get("Message", "")
        ) from error
    except BotoCoreError as error:
        retryable = isinstance(error, (ConnectionError, HTTPClientError))
        raise BackendUnavailableError(
            service, operation, type(error).__name__, None, retryable, str(error)
        ) from error
