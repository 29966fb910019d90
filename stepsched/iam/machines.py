"""The policies of the execution role of a state machine. The functions are pure.

A definition may compute the arguments of its calls. A call whose permissions do not follow from the
definition is refused, and not allowed on all resources.

https://docs.aws.amazon.com/step-functions/latest/dg/service-integration-iam-templates.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from stepsched.asl.machine import StateMachine, parse
from stepsched.aws.arns import ARN, Arn, validate_arn
from stepsched.aws.services import identifier_of_integration, integration_of
from stepsched.core.quoting import quoted
from stepsched.iam.actions import AUTHORISED_BY_PATH
from stepsched.iam.documents import require_arguments, validate_roles
from stepsched.iam.grants import Grant, Place, can_wait, execution_grants, grants_of, merged, role_grants
from stepsched.targets import SERVICE_TARGETS, EventBusTarget, LambdaTarget, StateMachineTarget, TopicTarget
from stepsched.targets.base import arn_field
from stepsched.targets.containers import CLUSTER, TASK_DEFINITION
from stepsched.targets.endpoints import endpoint_of
from stepsched.targets.http import CONNECTION
from stepsched.targets.invocations import WIDENING, Invocation, acted_on, batch_job, ecs_task, http_call

SERVICE = "states.amazonaws.com"


def machine_trust_policy(*, account: str, machine_arn: str | None = None) -> dict[str, Any]:
    """The trust policy of the execution role: only Step Functions, for state machines of the account.

    The conditions prevent other accounts from using the role through the service:
    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html

    Args:
        account: The account number, 12 digits.
        machine_arn: The ARN of the only machine that may use the role. It need not exist yet. None: every
            machine of the account, in any Region.

    Raises:
        ValueError: An argument is malformed, or the machine is in another account.

    >>> machine_trust_policy(account="123456789012")["Statement"][0]["Principal"]
    {'Service': 'states.amazonaws.com'}
    """
    require_arguments(account=account)
    Place(account, None, "aws").validate()
    source = f"arn:*:states:*:{account}:stateMachine:*"
    if machine_arn is not None:
        if _place_of(machine_arn).account != account:
            raise ValueError(
                f"expected machine_arn to be in account {quoted(account)}, got {quoted(machine_arn)}"
            )
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
    """The minimal policy of the execution role of a state machine.

    It covers every Task, also in branches and in the processor of a Map. The same definition gives the same
    document: statements are sorted by action, and their resources are sorted and unique.

    - A resource that is given by name is in the account and Region of the machine.
    - A function has the ARN of the Task, a state machine is written without alias or version, and a task or
      job definition without revision includes all revisions: see :func:`policy_for`.
    - A Task with the pattern ``.sync`` may also observe and stop what it has started, and manage the rule by
      which Step Functions learns of its end. Only ``batch:DescribeJobs`` is allowed on ``*``.
    - ``aws-sdk`` calls of the targets of jobs, and those of DynamoDB for single items, are allowed on the
      resources that they name. Any other ``aws-sdk`` call is allowed on ``*``, because its resources do not
      follow reliably from its arguments. Further actions that it requires, such as ``iam:PassRole``, are not
      included.
    - A Task with ``Credentials`` only needs to assume that role, which needs the other permissions.
    - A distributed Map may start the machine itself.

    Permissions beyond the definition are not included: logging, tracing, the key of the machine, and the key
    of an encrypted queue or topic.

    Args:
        machine: The definition, such as that of :func:`stepsched.render_asl`, or one that was parsed.
        machine_arn: The ARN of the machine, without alias or version. It need not exist yet.
        task_roles: The task and execution roles of the ECS task definitions, except literal ones in
            ``Overrides``. The machine does not name them, and without them AWS refuses a task that has roles.
            Ignored if the machine runs no ECS task.

    Raises:
        TypeError: ``machine`` is neither a definition nor its JSON object, or ``task_roles`` is text.
        ValueError: A state computes the resources of its call, or its service is not known; the error names
            the state. Or the machine makes no calls and needs no policy, or an argument is malformed.

    >>> from stepsched import asl
    >>> tell = {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:news", "Message": "{% $states.input %}"}
    >>> task = asl.Task(resource=asl.integration("sns", "publish"), arguments=tell, end=True)
    >>> machine = asl.StateMachine(query_language="JSONata", states={"Tell": task})
    >>> arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:teller"
    >>> machine_policy(machine, machine_arn=arn)["Statement"][0]["Resource"]
    ['arn:aws:sns:eu-west-1:123456789012:news']
    """
    roles = validate_roles("task_roles", task_roles)
    grants = machine_grants(machine, machine_arn=machine_arn)
    if any(grant.action == "ecs:RunTask" for grant in grants):
        grants += role_grants(roles)
    if not grants:
        raise ValueError("the machine makes no calls and needs no policy; use only machine_trust_policy")
    return {"Version": "2012-10-17", "Statement": merged(grants)}


def machine_grants(machine: StateMachine | Mapping[str, Any], *, machine_arn: str) -> list[Grant]:
    """The grants of the states of a machine, without those to pass the roles of ECS tasks."""
    home = _place_of(machine_arn)
    states = _states(_document(machine)["States"])
    return [grant for name, state in states for grant in _state_grants(name, state, machine_arn, home)]


def _document(machine: StateMachine | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(machine, StateMachine):
        return machine.to_dict()
    if isinstance(machine, Mapping):
        return parse(machine).to_dict()
    raise TypeError(f"expected machine to be a StateMachine or a dict, got {type(machine).__name__}")


def _place_of(machine_arn: str) -> Place:
    """The account, Region and partition of a machine.

    Raises:
        ValueError: The ARN is malformed.
    """
    validate_arn(machine_arn, "states", r"stateMachine:[^\s:/*?$]{1,80}", "stateMachine:<name>")
    _, partition, _, region, account, _ = machine_arn.split(":", 5)
    home = Place(account, region, partition)
    home.validate()
    return home


# -- The states -----------------------------------------------------------------------------------------


def _states(states: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All states with their names, including those inside of other states."""
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if not isinstance(state, Mapping):
            continue
        yield name, state
        branches = state.get("Branches")
        inner = [state.get("ItemProcessor"), state.get("Iterator")]
        for flow in [*(branches if isinstance(branches, list) else ()), *inner]:
            if isinstance(flow, Mapping):
                yield from _states(flow.get("States"))


def _state_grants(name: str, state: Mapping[str, Any], machine_arn: str, home: Place) -> list[Grant]:
    try:
        if state.get("Type") == "Map":
            return _map_grants(state, machine_arn)
        invocation = invocation_of(state, machine_arn) if state.get("Type") == "Task" else None
        return grants_of(invocation, home) if invocation is not None else []
    except ValueError as error:
        raise ValueError(f"no policy for state {name!r}: {error}") from error


def _map_grants(state: Mapping[str, Any], machine_arn: str) -> list[Grant]:
    for field in ("ItemReader", "ResultWriter"):
        if isinstance(state.get(field), Mapping) and "Resource" in state[field]:
            raise ValueError(f"the S3 permissions of its {field} are not known; {_BY_HAND}")
    processor = state.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, Mapping) else None
    if not isinstance(config, Mapping) or config.get("Mode") != "DISTRIBUTED":
        return []
    # https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    return [Grant("states:StartExecution", machine_arn), *execution_grants(machine_arn)]


_INTEGRATION = re.compile(
    r"arn:aws[a-z-]*:states:::(?P<sdk>aws-sdk:)?(?P<service>[a-z0-9-]+):(?P<action>[A-Za-z0-9]+)"
    r"(?:\.(?P<pattern>sync|sync:2|waitForTaskToken))?"
)
_BY_HAND = "use the machine without that state, and write its statement by hand"


def invocation_of(state: Mapping[str, Any], machine_arn: str) -> Invocation | None:
    """The call that a Task makes. None: it is an activity, which makes no call.

    Args:
        state: The JSON object of the Task.
        machine_arn: The ARN of its machine.

    Raises:
        ValueError: The Task computes the resources of its call, or the permissions of the call are not known.
    """
    resource = state.get("Resource")
    if not isinstance(resource, str):
        raise ValueError(f"expected Resource to be text, got {quoted(resource)}")  # noqa: TRY004 -- about the state
    home = _place_of(machine_arn)
    arguments = state.get("Arguments", state.get("Parameters"))
    if "Credentials" in state:
        credentials = _Task("Credentials", state["Credentials"], machine_arn, home)
        (role,) = validate_roles("Credentials", [credentials.require_literal("RoleArn")])
        return Invocation("sts", "assumeRole", (role,))
    if re.fullmatch(r"arn:aws[a-z-]*:states:[^:]+:[^:]+:activity:[^:]+", resource):
        return None
    if ARN.fullmatch(resource) and resource.split(":")[2] == "lambda":
        return _function(_Task("lambda:invoke", {"FunctionName": resource}, machine_arn, home))
    match = _INTEGRATION.fullmatch(resource)
    if match is None:
        raise ValueError(f"its Resource {quoted(resource)} is not known; {_BY_HAND}")
    service, action, waits = match["service"], match["action"], (match["pattern"] or "").startswith("sync")
    identifier = service if match["sdk"] else identifier_of_integration(service)
    name = f"{identifier}:{action}"
    if waits and (match["sdk"] or not can_wait(name)):
        raise ValueError(f"the permissions to wait for {service}:{action} are not known; {_BY_HAND}")
    task = _Task(f"{integration_of(identifier)}:{action}", arguments, machine_arn, home)
    if name in _named_calls():
        names, form = _named_calls()[name]
        return Invocation(identifier, action, acted_on(task.named(form, *names)), waits=waits)
    if name in _CALLS:
        return replace(_CALLS[name](task), service=identifier, action=action, waits=waits)
    if match["sdk"] and service not in AUTHORISED_BY_PATH:
        # Each call names its resources in other parameters, and some calls in none.
        return Invocation(identifier, action)
    raise ValueError(f"the permissions of {service}:{action} are not known; {_BY_HAND}")


# -- The arguments of a Task ----------------------------------------------------------------------------


_TABLE = Arn("dynamodb", "table/", r"[\w.-]{1,255}")


class _Task(NamedTuple):
    """A call of a service, with the arguments that name its resources."""

    name: str
    """The name of the call, such as ``sqs:sendMessage``."""
    arguments: Any
    machine_arn: str
    """The ARN of the machine."""
    home: Place
    """The account, Region and partition of the machine."""

    def get_literal(self, *names: str) -> str | None:
        """The literal value of the first of these arguments that exists. Case is ignored, because SDKs differ
        in it. None: none of them exists.

        Raises:
            ValueError: The argument is computed.
        """
        if not isinstance(self.arguments, Mapping):
            what = "computed" if isinstance(self.arguments, str) else "the input of the state"
            raise ValueError(f"the arguments of {self.name} are {what}; {_remedy(names[0])}")  # noqa: TRY004 -- about the state
        for name in names:
            for key, value in self.arguments.items():
                if key.removesuffix(".$").lower() != name.lower() or value is None:
                    continue
                if not isinstance(value, str) or key.endswith(".$") or value.lstrip().startswith("{%"):
                    raise ValueError(f"{key} is computed, {quoted(value)}; {_remedy(name)}")
                if WIDENING.search(value):
                    raise ValueError(
                        f"{key} {quoted(value)} would allow more than one resource; use the name of one"
                    )
                return value
        return None

    def require_literal(self, *names: str) -> str:
        """The literal value of the first of these arguments that exists.

        Raises:
            ValueError: None of them exists, or the argument is computed.
        """
        text = self.get_literal(*names)
        if text is None:
            raise ValueError(f"{self.name} lacks {' or '.join(names)}; {_remedy(names[0])}")
        return text

    def named(self, form: Arn, *names: str) -> str:
        """The ARN of the resource that an argument names."""
        return self.arn(form, self.require_literal(*names))

    def arn(self, form: Arn, text: str) -> str:
        """The ARN of a resource that is given by ARN or by name."""
        return form.check(
            text if text.startswith("arn:") else self.home.arn(form.service, form.prefix + text)
        )


def _remedy(argument: str) -> str:
    return f"use a literal {argument}, or {_BY_HAND}"


# -- The resources of each call -------------------------------------------------------------------------

_SELF = re.compile(r"\{%\s*\$states\.context\.StateMachine\.Id\s*%\}")


def _call(*resources: str) -> Invocation:
    """A call with these resources. The caller sets its service and action."""
    return Invocation("", "", resources)


def _machine(task: _Task) -> Invocation:
    arguments = task.arguments if isinstance(task.arguments, Mapping) else {}
    given = arguments.get("StateMachineArn", "")
    if arguments.get("StateMachineArn.$") == "$$.StateMachine.Id" or _SELF.fullmatch(str(given)):
        return _call(task.machine_arn)
    return _call(*acted_on(arn_field(StateMachineTarget)[1].check(task.require_literal("StateMachineArn"))))


def _function(task: _Task) -> Invocation:
    name, qualifier = task.require_literal("FunctionName"), task.get_literal("Qualifier")
    place = task.home
    if re.fullmatch(r"[0-9]{12}:function:.*", name):  # AWS accepts this short form of an ARN.
        name = f"arn:{place.partition}:lambda:{place.region}:{name}"
    elif not name.startswith("arn:"):
        name = place.arn("lambda", f"function:{name}")
    if qualifier is not None and name.count(":") == 6:
        name += f":{qualifier}"
    return replace(_call(arn_field(LambdaTarget)[1].check(name)), service="lambda", action="invoke")


_QUEUE_URL = re.compile(
    r"https://sqs(-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/(?P<account>[0-9]{12})/(?P<name>[\w-]{1,80}(\.fifo)?)",
    re.ASCII,
)


def _queue(task: _Task) -> Invocation:
    url = task.require_literal("QueueUrl")
    match = _QUEUE_URL.fullmatch(url)
    if match is None:
        form = "https://sqs.<region>.amazonaws.com/<account>/<name>"
        raise ValueError(f"expected QueueUrl to be {form}, got {quoted(url)}")
    return _call(f"arn:{task.home.partition}:sqs:{match['region']}:{match['account']}:{match['name']}")


def _topic(task: _Task) -> Invocation:
    if isinstance(task.arguments, Mapping) and task.arguments.keys() & {"PhoneNumber", "PhoneNumber.$"}:
        return _call("*")  # a phone number has no ARN
    return _call(arn_field(TopicTarget)[1].check(task.require_literal("TopicArn", "TargetArn")))


def _events(task: _Task) -> Invocation:
    entries = task.arguments.get("Entries") if isinstance(task.arguments, Mapping) else None
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError(f"its Entries are computed; {_remedy('EventBusName')}")
    buses = [task._replace(arguments=entry).get_literal("EventBusName") or "default" for entry in entries]
    return _call(*(task.arn(arn_field(EventBusTarget)[1], bus) for bus in buses))


def _submission(task: _Task) -> Invocation:
    return batch_job(task.require_literal("JobDefinition"), task.require_literal("JobQueue"))


def _container(task: _Task) -> Invocation:
    definition = task.named(TASK_DEFINITION, "TaskDefinition")
    tagged = {"tags", "propagatetags", "enableecsmanagedtags"}
    is_tagged = any(
        key.removesuffix(".$").lower() in tagged and value not in (None, False, [], "NONE")
        for key, value in task.arguments.items()
    )
    overrides = task.arguments.get("Overrides")
    given = overrides if isinstance(overrides, Mapping) else {}
    inside = task._replace(arguments=given)
    roles = [
        role for key in ("TaskRoleArn", "ExecutionRoleArn") if (role := inside.get_literal(key)) is not None
    ]
    cluster = task.arn(CLUSTER, task.get_literal("Cluster") or "default")
    return ecs_task(cluster, definition, is_tagged=is_tagged, pass_roles=validate_roles("Overrides", roles))


def _url(task: _Task) -> Invocation:
    found = [
        task.arguments[key]
        for key in ("Authentication", "InvocationConfig")
        if isinstance(task.arguments, Mapping) and key in task.arguments
    ]
    connection = task._replace(arguments=found[0] if found else {}).require_literal("ConnectionArn")
    method, url = task.require_literal("Method"), task.require_literal("ApiEndpoint")
    return http_call(method, endpoint_of(url).url, CONNECTION.check(connection))


@cache
def _named_calls() -> dict[str, tuple[tuple[str, ...], Arn]]:
    """The calls of which one parameter names the resource: the names of the parameter, and the form of the
    ARN."""
    calls = {
        kind.api_call.name: (kind.api_call.named_by, arn_field(kind)[1])
        for kind in SERVICE_TARGETS
        if kind.api_call.named_by
    }
    calls["firehose:putRecordBatch"] = calls["firehose:putRecord"]
    calls["kinesis:putRecords"] = calls["kinesis:putRecord"]
    items = ("deleteItem", "getItem", "putItem", "updateItem")
    return calls | {f"dynamodb:{action}": (("TableName",), _TABLE) for action in items}


_CALLS: dict[str, Callable[[_Task], Invocation]] = {
    "batch:submitJob": _submission,
    "ecs:runTask": _container,
    "eventbridge:putEvents": _events,
    "http:invoke": _url,
    "lambda:invoke": _function,
    "sfn:startExecution": _machine,
    "sfn:startSyncExecution": _machine,
    "sns:publish": _topic,
    "sns:publishBatch": _topic,
    "sqs:sendMessage": _queue,
    "sqs:sendMessageBatch": _queue,
}
