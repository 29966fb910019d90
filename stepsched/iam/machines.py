"""The execution role of a state machine: who may take it, and what it may do. Pure.

Unlike a job, a definition may compute what it calls. What cannot be read from it is refused, and never
allowed on everything instead.

https://docs.aws.amazon.com/step-functions/latest/dg/service-integration-iam-templates.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stepsched.asl.machine import StateMachine, parse
from stepsched.aws.arns import ARN, checked_arn
from stepsched.aws.services import integration_of
from stepsched.iam.actions import BY_PATH, iam_actions
from stepsched.iam.documents import (
    WIDENING,
    Grant,
    Place,
    check_given,
    checked_roles,
    merged,
    role_grants,
    submission_grants,
    task_grants,
    tasks_of,
)

SERVICE = "states.amazonaws.com"


def machine_trust_policy(*, account: str, machine_arn: str | None = None) -> dict[str, Any]:
    """Who may take the execution role: Step Functions, for the account's state machines alone.

    The conditions keep other accounts from using the role through the service:
    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html

    Args:
        account: 12 digits.
        machine_arn: The one machine that may use the role; it need not exist yet. None: every machine
            of the account, in any Region.

    Raises:
        ValueError: An argument is not of its form, or the machine is of another account.

    >>> machine_trust_policy(account="123456789012")["Statement"][0]["Principal"]
    {'Service': 'states.amazonaws.com'}
    """
    check_given(account=account)
    Place(account, None, "aws").check()
    source = f"arn:*:states:*:{account}:stateMachine:*"
    if machine_arn is not None:
        if _home(machine_arn).account != account:
            raise ValueError(f"machine_arn {machine_arn!r} is not of account {account!r}")
        source = machine_arn
    statement = {
        "Sid": "StatesAssumesRole",
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": ["sts:AssumeRole"],
        "Condition": {
            "StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": source},
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def machine_policy(
    machine: StateMachine | Mapping[str, Any],
    *,
    machine_arn: str,
    task_roles: Sequence[str] = (),
) -> dict[str, Any]:
    """The least that the execution role of a state machine must be allowed to run its definition.

    Every Task counts, in branches and in the processor of a Map too. The same definition gives the same
    document; statements are sorted by action, their resources sorted and named once.

    - A bare name is taken to be in the machine's own account and Region.
    - A function is named as the Task names it, a state machine without its alias or version, and a task
      or job definition without revision stands for all of its revisions: see :func:`policy_for`.
    - A Task that ends in ``.sync`` may also follow and stop what it has started, and keep the rule by
      which Step Functions hears of the end. Only ``batch:DescribeJobs`` is allowed on ``*``.
    - Of ``aws-sdk`` calls those of the targets of jobs, and DynamoDB's for single items, are allowed on
      what they name; any other one on ``*``, for its arguments do not tell for certain what it acts on.
      IAM may ask for more than the call's own action, as for handing over a role.
    - A Task with ``Credentials`` needs only to take that role, which needs the rest.
    - A distributed Map starts the machine itself.

    What AWS asks for besides the definition stays to be added: logging, tracing, the machine's key, and
    the key of an encrypted queue or topic.

    Args:
        machine: Any definition, such as that of :func:`stepsched.render_asl`, or one that was read.
        machine_arn: The machine's own, without alias or version; it need not exist yet. Tells
            partition, Region and account.
        task_roles: The task and execution roles of the ECS task definitions. The machine does not tell
            them, but for literal ones in a Task's ``Overrides``; without them a task whose definition has
            roles is refused by AWS. Left out where no ECS task is run.

    Raises:
        TypeError: ``machine`` is neither a definition nor its JSON object, or ``task_roles`` is text.
        ValueError: A state computes what it calls, or its service is not known here; the state is named.
            Or the machine calls nothing, and needs no policy; or an argument is not of its form.

    >>> from stepsched import asl
    >>> tell = {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:news", "Message": "{% $states.input %}"}
    >>> task = asl.Task(resource=asl.integration("sns", "publish"), arguments=tell, end=True)
    >>> machine = asl.StateMachine(query_language="JSONata", states={"Tell": task})
    >>> arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:teller"
    >>> machine_policy(machine, machine_arn=arn)["Statement"][0]["Resource"]
    ['arn:aws:sns:eu-west-1:123456789012:news']
    """
    home = _home(machine_arn)
    roles = checked_roles("task_roles", task_roles)
    grants: list[Grant] = []
    for name, state in _states(_document(machine)["States"]):
        grants += _state_grants(name, state, machine_arn, home)
    if any(grant.action == "ecs:RunTask" for grant in grants):
        grants += role_grants(roles)
    if not grants:
        raise ValueError("the machine calls nothing: its role needs no policy, only machine_trust_policy")
    return {"Version": "2012-10-17", "Statement": merged(grants)}


def _document(machine: StateMachine | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(machine, StateMachine):
        return machine.to_dict()
    if isinstance(machine, Mapping):
        return parse(machine).to_dict()
    raise TypeError(f"machine is a {type(machine).__name__}; give a StateMachine or the dict of one")


def _home(machine_arn: str) -> Place:
    """Where the machine is."""
    checked_arn(machine_arn, "states", r"stateMachine:[^\s:/*?$]{1,80}", "stateMachine:<name>")
    _, partition, _, region, account, _ = machine_arn.split(":", 5)
    home = Place(account, region, partition)
    home.check()
    return home


# -- The states -----------------------------------------------------------------------------------------


def _states(states: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All states, by name, with those inside of others."""
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if not isinstance(state, Mapping):
            continue
        yield name, state
        branches = state.get("Branches")
        inner = [state.get("ItemProcessor"), state.get("Iterator")]
        for flow in [*(branches if isinstance(branches, list) else ()), *inner]:
            if isinstance(flow, Mapping):
                yield from _states(flow.get("States"))


def _state_grants(name: str, state: Mapping[str, Any], own: str, home: Place) -> list[Grant]:
    try:
        if state.get("Type") == "Map":
            return _map_grants(state, own)
        return _task_state_grants(state, own, home) if state.get("Type") == "Task" else []
    except ValueError as error:
        raise ValueError(f"no policy for state {name!r}: {error}") from error


def _map_grants(state: Mapping[str, Any], own: str) -> list[Grant]:
    for field in ("ItemReader", "ResultWriter"):
        if isinstance(state.get(field), Mapping) and "Resource" in state[field]:
            raise ValueError(f"what its {field} needs of S3 is not known here; {_BY_HAND}")
    processor = state.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, Mapping) else None
    if not isinstance(config, Mapping) or config.get("Mode") != "DISTRIBUTED":
        return []
    # https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    return [Grant("states:StartExecution", own), *_execution_grants(own)]


_INTEGRATION = re.compile(
    r"arn:aws[a-z-]*:states:::(?P<sdk>aws-sdk:)?(?P<service>[a-z0-9-]+):(?P<action>[A-Za-z0-9]+)"
    r"(?:\.(?P<pattern>sync|sync:2|waitForTaskToken))?"
)
_BY_HAND = "give the machine without that state, and write its statement by hand"


def _task_state_grants(state: Mapping[str, Any], own: str, home: Place) -> list[Grant]:
    resource = state.get("Resource")
    if not isinstance(resource, str):
        raise ValueError(f"its Resource is {resource!r} and names nothing")  # noqa: TRY004 -- about the state
    arguments = state.get("Arguments", state.get("Parameters"))
    if "Credentials" in state:
        credentials = _Task("Credentials", state["Credentials"], own, home)
        (role,) = checked_roles("Credentials", [credentials.needed("RoleArn")])
        return [Grant("sts:AssumeRole", role)]
    if re.fullmatch(r"arn:aws[a-z-]*:states:[^:]+:[^:]+:activity:[^:]+", resource):
        return []  # a worker asks for it, with a role of its own
    if ARN.fullmatch(resource) and resource.split(":")[2] == "lambda":
        task = _Task("lambda:invoke", {"FunctionName": resource}, own, home)
        return _function_grants(task, ["lambda:InvokeFunction"])
    match = _INTEGRATION.fullmatch(resource)
    if match is None:
        raise ValueError(f"its Resource {resource!r} is not known here; {_BY_HAND}")
    service, action, waits = match["service"], match["action"], (match["pattern"] or "").startswith("sync")
    name = f"{integration_of(service) if match['sdk'] else service}:{action}"
    task = _Task(name, arguments, own, home)
    if waits and (match["sdk"] or name not in _RULES):
        raise ValueError(f"what it needs to wait for {service}:{action} is not known here; {_BY_HAND}")
    actions = iam_actions(service, action)
    if name in _BY_NAME:
        argument, kind = _BY_NAME[name]
        grants = [Grant(each, task.named(kind, *argument)) for each in actions]
    elif name in _CALLS:
        grants = _CALLS[name](task, actions)
    elif match["sdk"] and service not in BY_PATH:
        # What a call acts on stands in other arguments for each, and in some in none.
        return [Grant(each, "*") for each in actions]
    else:
        raise ValueError(f"what {service}:{action} needs is not known here; {_BY_HAND}")
    return grants + (_waiting_grants(task, grants) if waits else [])


# -- What a Task names ----------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """A kind of resource."""

    service: str
    prefix: str
    form: str
    by_name: bool = True
    """Whether a call may give its name instead of its ARN."""


_CLUSTER = _Kind("ecs", "cluster/", r"[\w-]{1,255}")
_DEFINITION = _Kind("ecs", "task-definition/", r"[\w-]{1,255}(:[0-9]+)?")
_TOPIC = _Kind("sns", "", r"[\w-]{1,256}(\.fifo)?", by_name=False)
_MACHINE = _Kind("states", "stateMachine:", r"[^\s:/*?$]{1,80}(:[\w-]+)?", by_name=False)
_BUS = _Kind("events", "event-bus/", r"[\w./-]{1,256}")
_PROJECT = _Kind("codebuild", "project/", r"[\w-]{2,255}")
_PIPELINE = _Kind("codepipeline", "", r"[\w.@-]{1,100}")
_TRAINING = _Kind("sagemaker", "pipeline/", r"[A-Za-z0-9-]{1,256}")
_STREAM = _Kind("kinesis", "stream/", r"[\w.-]{1,128}")
_DELIVERY = _Kind("firehose", "deliverystream/", r"[\w.-]{1,64}")
_TABLE = _Kind("dynamodb", "table/", r"[\w.-]{1,255}")


class _Task(NamedTuple):
    """A call of a service, as far as its role is concerned."""

    name: str
    """Such as ``sqs:sendMessage``."""
    arguments: Any
    own: str
    """The machine's ARN."""
    home: Place

    def given(self, *names: str) -> str | None:
        """The first of these arguments that is there, as it is written; names differ in case between SDKs.

        Raises:
            ValueError: It is computed.
        """
        if not isinstance(self.arguments, Mapping):
            what = "computed" if isinstance(self.arguments, str) else "the input of the state"
            raise ValueError(f"what is given to {self.name} is {what}: {_mend(names[0])}")  # noqa: TRY004 -- about the state
        for name in names:
            for key, value in self.arguments.items():
                if key.removesuffix(".$").lower() != name.lower() or value is None:
                    continue
                if not isinstance(value, str) or key.endswith(".$") or value.lstrip().startswith("{%"):
                    raise ValueError(f"{key} is computed, {value!r}: {_mend(name)}")
                if WIDENING.search(value):
                    raise ValueError(
                        f"{key} {value!r} would allow more than one resource; name the one meant"
                    )
                return value
        return None

    def needed(self, *names: str) -> str:
        """The same of what must be there."""
        text = self.given(*names)
        if text is None:
            raise ValueError(f"{self.name} lacks {' or '.join(names)}: {_mend(names[0])}")
        return text

    def named(self, kind: _Kind, *names: str) -> str:
        """The ARN of what an argument names."""
        return self.arn(kind, self.needed(*names))

    def arn(self, kind: _Kind, text: str) -> str:
        is_arn = text.startswith("arn:") or not kind.by_name
        arn = text if is_arn else self.home.arn(kind.service, kind.prefix + text)
        return checked_arn(arn, kind.service, kind.prefix + kind.form, f"{kind.prefix}<name>")


def _mend(argument: str) -> str:
    return f"name {argument} literally, or {_BY_HAND}"


# -- What each call needs -------------------------------------------------------------------------------

_SELF = re.compile(r"\{%\s*\$states\.context\.StateMachine\.Id\s*%\}")


def _machine_grants(task: _Task, actions: list[str]) -> list[Grant]:
    arguments = task.arguments if isinstance(task.arguments, Mapping) else {}
    given = arguments.get("StateMachineArn", "")
    if arguments.get("StateMachineArn.$") == "$$.StateMachine.Id" or _SELF.fullmatch(str(given)):
        arn = task.own
    else:  # Step Functions authorises on the machine, whatever the qualifier.
        arn = ":".join(task.named(_MACHINE, "StateMachineArn").split(":")[:7])
    return [Grant(action, arn) for action in actions]


def _function_grants(task: _Task, actions: list[str]) -> list[Grant]:
    name, qualifier = task.needed("FunctionName"), task.given("Qualifier")
    place = task.home
    if re.fullmatch(r"[0-9]{12}:function:.*", name):  # AWS takes this for an ARN too.
        name = f"arn:{place.partition}:lambda:{place.region}:{name}"
    elif not name.startswith("arn:"):
        name = place.arn("lambda", f"function:{name}")
    if qualifier is not None and name.count(":") == 6:
        name += f":{qualifier}"
    form = r"function:[\w-]{1,140}(:(\$LATEST|[\w-]{1,128}))?"
    return [Grant(action, checked_arn(name, "lambda", form, "function:<name>")) for action in actions]


_QUEUE_URL = re.compile(
    r"https://sqs(-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/(?P<account>[0-9]{12})/(?P<name>[\w-]{1,80}(\.fifo)?)",
    re.ASCII,
)


def _queue_grants(task: _Task, actions: list[str]) -> list[Grant]:
    url = task.needed("QueueUrl")
    match = _QUEUE_URL.fullmatch(url)
    if match is None:
        form = "https://sqs.<region>.amazonaws.com/<account>/<name>"
        raise ValueError(f"QueueUrl {url!r} does not tell the queue's ARN; the form is {form}")
    arn = f"arn:{task.home.partition}:sqs:{match['region']}:{match['account']}:{match['name']}"
    return [Grant(action, arn) for action in actions]


def _topic_grants(task: _Task, actions: list[str]) -> list[Grant]:
    if isinstance(task.arguments, Mapping) and task.arguments.keys() & {"PhoneNumber", "PhoneNumber.$"}:
        return [Grant(action, "*") for action in actions]  # a telephone has no ARN
    return [Grant(action, task.named(_TOPIC, "TopicArn", "TargetArn")) for action in actions]


def _event_grants(task: _Task, actions: list[str]) -> list[Grant]:
    entries = task.arguments.get("Entries") if isinstance(task.arguments, Mapping) else None
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError(f"its Entries are computed: {_mend('EventBusName')}")
    buses = [task._replace(arguments=entry).given("EventBusName") or "default" for entry in entries]
    return [Grant(action, task.arn(_BUS, bus)) for bus in buses for action in actions]


def _training_grants(task: _Task, actions: list[str]) -> list[Grant]:
    arn = task.named(_TRAINING, "PipelineName")
    # The ARNs of SageMaker are in lower case, whatever the name; both forms mean the same pipeline.
    stem, _, name = arn.partition("/")
    return [Grant(action, each) for each in (arn, f"{stem}/{name.lower()}") for action in actions]


def _batch_grants(task: _Task, _actions: list[str]) -> list[Grant]:
    return submission_grants(task.needed("JobDefinition"), task.needed("JobQueue"), task.home)


def _container_grants(task: _Task, _actions: list[str]) -> list[Grant]:
    definition = task.named(_DEFINITION, "TaskDefinition")
    tagged = {"tags", "propagatetags", "enableecsmanagedtags"}
    is_tagged = any(
        key.removesuffix(".$").lower() in tagged and value not in (None, False, [], "NONE")
        for key, value in task.arguments.items()
    )
    overrides = task.arguments.get("Overrides")
    given = overrides if isinstance(overrides, Mapping) else {}
    inside = task._replace(arguments=given)
    roles = [role for key in ("TaskRoleArn", "ExecutionRoleArn") if (role := inside.given(key)) is not None]
    return task_grants(_cluster(task), definition, is_tagged=is_tagged) + role_grants(
        checked_roles("Overrides", roles)
    )


def _cluster(task: _Task) -> str:
    return task.arn(_CLUSTER, task.given("Cluster") or "default")


_BY_NAME: dict[str, tuple[tuple[str, ...], _Kind]] = {
    "codebuild:startBuild": (("ProjectName",), _PROJECT),
    "codepipeline:startPipelineExecution": (("Name",), _PIPELINE),
    "dynamodb:deleteItem": (("TableName",), _TABLE),
    "dynamodb:getItem": (("TableName",), _TABLE),
    "dynamodb:putItem": (("TableName",), _TABLE),
    "dynamodb:updateItem": (("TableName",), _TABLE),
    "firehose:putRecord": (("DeliveryStreamName",), _DELIVERY),
    "firehose:putRecordBatch": (("DeliveryStreamName",), _DELIVERY),
    "kinesis:putRecord": (("StreamArn", "StreamName"), _STREAM),
    "kinesis:putRecords": (("StreamArn", "StreamName"), _STREAM),
}
"""Calls whose one argument names what they act on."""
_CALLS: dict[str, Callable[[_Task, list[str]], list[Grant]]] = {
    "batch:submitJob": _batch_grants,
    "ecs:runTask": _container_grants,
    "events:putEvents": _event_grants,
    "lambda:invoke": _function_grants,
    "sagemaker:startPipelineExecution": _training_grants,
    "sns:publish": _topic_grants,
    "sns:publishBatch": _topic_grants,
    "sqs:sendMessage": _queue_grants,
    "sqs:sendMessageBatch": _queue_grants,
    "states:startExecution": _machine_grants,
    "states:startSyncExecution": _machine_grants,
}


# -- Waiting for the end --------------------------------------------------------------------------------

_RULES = {
    "batch:submitJob": "StepFunctionsGetEventsForBatchJobsRule",
    "codebuild:startBuild": "StepFunctionsGetEventForCodeBuildStartBuildRule",
    "ecs:runTask": "StepFunctionsGetEventsForECSTaskRule",
    "states:startExecution": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
}
"""The rule by which Step Functions hears that what it has started has ended."""


def _waiting_grants(task: _Task, started: list[Grant]) -> list[Grant]:
    """What ``.sync`` asks for besides what starts the work."""
    rule = task.home.arn("events", f"rule/{_RULES[task.name]}")
    grants = [Grant(f"events:{action}", rule) for action in ("DescribeRule", "PutRule", "PutTargets")]
    match task.name:
        case "batch:submitJob":
            # DescribeJobs has no resource; the number of a job is known only when it runs.
            jobs = task.home.arn("batch", "job/*")
            return [*grants, Grant("batch:DescribeJobs", "*"), Grant("batch:TerminateJob", jobs)]
        case "codebuild:startBuild":
            actions = ("codebuild:BatchGetBuilds", "codebuild:StopBuild")
            return grants + [Grant(action, started[0].resource) for action in actions]
        case "ecs:runTask":
            tasks = tasks_of(_cluster(task))
            return [*grants, Grant("ecs:DescribeTasks", tasks), Grant("ecs:StopTask", tasks)]
        case _:
            return grants + _execution_grants(started[0].resource)


def _execution_grants(machine_arn: str) -> list[Grant]:
    executions = f"{machine_arn.replace(':stateMachine:', ':execution:', 1)}:*"
    return [Grant(f"states:{verb}Execution", executions) for verb in ("Describe", "Stop")]
