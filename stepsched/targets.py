"""*What* a job invokes. Pure values: nothing here calls anything.

ARN forms: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html; limits of the
parameters: the EventBridge Scheduler API (2021-06-30).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, JsonValue, PrivateAttr, field_validator

from stepsched.payloads import JsonObject, Text
from stepsched.values import PositionalValue

# The account may have any number of digits: documents in the wild hold shortened ones.
_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d*):(?P<rest>.+)"
)
# Actions that only read; EventBridge Scheduler refuses them (AWS: "Using universal targets").
_READ_ONLY = frozenset(
    {
        "adminGet",
        "adminList",
        "batchDescribe",
        "batchGet",
        "batchRead",
        "describe",
        "discover",
        "get",
        "invokeModel",
        "isAuthorized",
        "list",
        "lookup",
        "poll",
        "query",
        "read",
        "receive",
        "retrieve",
        "scan",
        "search",
        "select",
        "testConnection",
        "testMigration",
        "transactGet",
        "translateDocument",
        "validate",
    }
)
# Step Functions: no blanks, brackets, wildcards, control or special characters in a name.
_MACHINE = r"stateMachine:[^\s:<>{}\[\]?*\"#%\\^|~`$&,;/\x00-\x1f\x7f-\x9f]{1,80}(:[\w-]+)?"
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class LambdaTarget(PositionalValue, frozen=True):
    """Invokes a Lambda function with the job's input as its event."""

    kind: Literal["lambda"] = "lambda"
    function_arn: str
    """``arn:aws:lambda:<region>:<account>:function:<name>``, with an optional ``:<qualifier>``."""

    def __init__(self, function_arn: str, *, kind: Literal["lambda"] = "lambda") -> None:
        self._assign(function_arn=function_arn, kind=kind)

    @field_validator("function_arn")
    @classmethod
    def _is_function(cls, arn: str) -> str:
        return _arn(arn, "lambda", r"function:[\w-]{1,140}(:[\w$-]{1,128})?", "function:<name>")


class StateMachineTarget(PositionalValue, frozen=True):
    """Starts an execution of a Step Functions state machine with the job's input."""

    kind: Literal["state_machine"] = "state_machine"
    state_machine_arn: str
    """``arn:aws:states:<region>:<account>:stateMachine:<name>``."""

    def __init__(self, state_machine_arn: str, *, kind: Literal["state_machine"] = "state_machine") -> None:
        self._assign(state_machine_arn=state_machine_arn, kind=kind)

    @field_validator("state_machine_arn")
    @classmethod
    def _is_machine(cls, arn: str) -> str:
        return _arn(arn, "states", _MACHINE, "stateMachine:<name>")


class QueueTarget(PositionalValue, frozen=True):
    """Sends the job's input as a message to an SQS queue."""

    kind: Literal["queue"] = "queue"
    queue_arn: str
    """``arn:aws:sqs:<region>:<account>:<name>``; a FIFO queue's name ends in ``.fifo``."""
    message_group_id: str | None = Field(default=None, min_length=1, max_length=128)
    """The message group: needed for a FIFO queue, refused for a standard one."""

    def __init__(
        self,
        queue_arn: str,
        *,
        message_group_id: str | None = None,
        kind: Literal["queue"] = "queue",
    ) -> None:
        self._assign(queue_arn=queue_arn, message_group_id=message_group_id, kind=kind)
        fifo = self.queue_arn.endswith(".fifo")
        if fifo and self.message_group_id is None:
            raise ValueError(f"{queue_arn!r} is a FIFO queue; give message_group_id")
        if not fifo and self.message_group_id is not None:
            raise ValueError(f"{queue_arn!r} is a standard queue; it takes no message_group_id")

    @field_validator("queue_arn")
    @classmethod
    def _is_queue(cls, arn: str) -> str:
        return _arn(arn, "sqs", r"[\w-]{1,75}(\.fifo)?", "<queue name>")


class TopicTarget(PositionalValue, frozen=True):
    """Publishes the job's input to an SNS topic."""

    kind: Literal["topic"] = "topic"
    topic_arn: str
    """``arn:aws:sns:<region>:<account>:<name>``."""

    def __init__(self, topic_arn: str, *, kind: Literal["topic"] = "topic") -> None:
        self._assign(topic_arn=topic_arn, kind=kind)

    @field_validator("topic_arn")
    @classmethod
    def _is_topic(cls, arn: str) -> str:
        return _arn(arn, "sns", r"[\w-]{1,256}(\.fifo)?", "<topic name>")


class EventBusTarget(PositionalValue, frozen=True):
    """Puts an event with the job's input as its detail on an EventBridge bus."""

    kind: Literal["event_bus"] = "event_bus"
    bus_arn: str
    """``arn:aws:events:<region>:<account>:event-bus/<name>``."""
    detail_type: str = Field(default="Scheduled Job", min_length=1, max_length=128)
    source: str = Field(default="stepsched", min_length=1, max_length=256)
    """Not beginning with ``aws.``, which AWS keeps for itself."""

    def __init__(
        self,
        bus_arn: str,
        *,
        detail_type: str = "Scheduled Job",
        source: str = "stepsched",
        kind: Literal["event_bus"] = "event_bus",
    ) -> None:
        self._assign(bus_arn=bus_arn, detail_type=detail_type, source=source, kind=kind)

    @field_validator("bus_arn")
    @classmethod
    def _is_bus(cls, arn: str) -> str:
        return _arn(arn, "events", r"event-bus/[\w./-]{1,256}", "event-bus/<name>")

    @field_validator("source")
    @classmethod
    def _is_free(cls, source: str) -> str:
        if source.startswith("aws."):
            raise ValueError(f"{source!r}: sources that begin with 'aws.' are kept by AWS")
        return source


class BatchTarget(PositionalValue, frozen=True):
    """Submits an AWS Batch job."""

    kind: Literal["batch"] = "batch"
    job_definition: str = Field(min_length=1, max_length=1600)
    """A name, ``name:revision`` or ARN."""
    job_queue: str = Field(min_length=1, max_length=1600)
    """A name or ARN."""
    job_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")
    """None: the name of the stepsched job."""
    parameters: dict[Text, Text] = Field(default_factory=dict)
    container_overrides: JsonObject = Field(default_factory=dict)

    def __init__(
        self,
        job_definition: str,
        *,
        job_queue: str,
        job_name: str | None = None,
        parameters: Mapping[str, str] | None = None,
        container_overrides: Mapping[str, JsonValue] | None = None,
        kind: Literal["batch"] = "batch",
    ) -> None:
        self._assign(
            job_definition=job_definition,
            job_queue=job_queue,
            job_name=job_name,
            parameters={} if parameters is None else parameters,
            container_overrides={} if container_overrides is None else container_overrides,
            kind=kind,
        )


class ApiTarget(PositionalValue, frozen=True):
    """Calls any AWS API. The request is the call's parameters; the job's input is not used."""

    kind: Literal["api"] = "api"
    service: str
    """As the SDK names it, lower-case: ``ecs``, ``sfn``, ``dynamodb``."""
    action: str
    """In lower camel case: ``runTask``. Actions that only read are refused, as by AWS."""
    request: JsonObject

    def __init__(
        self,
        service: str,
        action: str,
        request: Mapping[str, JsonValue],
        *,
        kind: Literal["api"] = "api",
    ) -> None:
        self._assign(service=service, action=action, request=request, kind=kind)

    @field_validator("service")
    @classmethod
    def _is_service(cls, service: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", service):
            raise ValueError(f"{service!r}: write the SDK's service name in lower case, such as 'ecs'")
        return service

    @field_validator("action")
    @classmethod
    def _is_action(cls, action: str) -> str:
        if not re.fullmatch(r"[a-z][A-Za-z0-9]*", action):
            words = [word for word in re.split(r"[^A-Za-z0-9]+", action) if word]
            camel = "".join(word[:1].upper() + word[1:] for word in words)
            camel = camel[:1].lower() + camel[1:] if camel[:1].isalpha() else "runTask"
            raise ValueError(f"{action!r}: write the action in lower camel case, such as {camel!r}")
        for word in _READ_ONLY:
            if action == word or re.match(rf"{word}[A-Z]", action):
                raise ValueError(f"{action!r} only reads; EventBridge Scheduler does not call it")
        return action


class HandlerTarget(PositionalValue, frozen=True):
    """Calls a Python function in the process that runs the embedded backend.

    The function is called with as many of ``(input, run)`` as it takes: none, the job's input, or
    the input and the :class:`Run`. A coroutine function is run to its end.
    """

    kind: Literal["handler"] = "handler"
    handler: str
    """``package.module:function``. A function that cannot be imported by name (a lambda, or one
    defined inside another) shows where it was defined, and lives as long as this process."""
    _function: Callable[..., object] | None = PrivateAttr(None)

    def __init__(self, handler: str | Callable[..., object], *, kind: Literal["handler"] = "handler") -> None:
        """A function by name, or itself.

        Args:
            handler: ``"package.module:function"``, or a callable. What can be imported is kept by
                its name, so that another process can run it too.

        Raises:
            ValueError: Neither a path of that form nor a callable.
        """
        if isinstance(handler, str):
            if not _PATH.fullmatch(handler):
                raise ValueError(f"{handler!r} is not of the form 'package.module:function'")
            self._assign(handler=handler, kind=kind)
            return
        if not callable(handler):
            raise ValueError(f"{handler!r} is neither 'package.module:function' nor callable")  # noqa: TRY004 -- pydantic collects ValueError
        module = _module_name(handler)
        name = getattr(handler, "__qualname__", None) or f"{type(handler).__qualname__}()"
        self._assign(handler=f"{module}:{name}", kind=kind)
        if not _PATH.fullmatch(self.handler) or _find(handler, name) != handler:
            self._function = handler

    @property
    def function(self) -> Callable[..., object] | None:
        """The callable that no name leads to; None where ``handler`` can be imported."""
        return self._function


class CommandTarget(PositionalValue, frozen=True):
    """Runs a program, without a shell; the job's input is its standard input, as JSON."""

    kind: Literal["command"] = "command"
    command: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """The program and its arguments."""

    def __init__(self, command: Sequence[str], *, kind: Literal["command"] = "command") -> None:
        if not isinstance(command, (list, tuple)):
            raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
                f"{command!r} is no list; give the program and its arguments in order, such as "
                "['python', 'report.py'] (no shell reads it)"
            )
        self._assign(command=command, kind=kind)

    @field_validator("command")
    @classmethod
    def _has_no_nul(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if any("\0" in part for part in command):
            raise ValueError("an argument holds a NUL character, which no program can be given")
        return command


AwsTarget: TypeAlias = (
    LambdaTarget | StateMachineTarget | QueueTarget | TopicTarget | EventBusTarget | BatchTarget | ApiTarget
)
"""The targets that AWS invokes; the embedded backend needs a registered handler for them."""
Target: TypeAlias = AwsTarget | HandlerTarget | CommandTarget
"""Any target; told apart by ``kind``."""
AnyTarget = Annotated[Target, Field(discriminator="kind")]
"""The same as a field of a model."""


def _arn(arn: str, service: str, resource: str, form: str) -> str:
    match = _ARN.fullmatch(arn)
    wanted = f"arn:aws:{service}:<region>:<account>:{form}"
    if match is None or len(arn) > 1600:
        raise ValueError(f"{arn!r} is not an ARN; the form is {wanted}")
    if match["service"] != service:
        raise ValueError(f"{arn!r} is of service {match['service']!r}; the form is {wanted}")
    if not match["region"] or not match["account"] or not re.fullmatch(resource, match["rest"], re.ASCII):
        raise ValueError(f"{arn!r} is incomplete or malformed; the form is {wanted}")
    return arn


def _module_name(handler: object) -> str:
    """The name by which another process finds the handler's module, where there is one."""
    module = getattr(handler, "__module__", None) or type(handler).__module__
    return main_module_name() or module if module == "__main__" else module


def main_module_name() -> str | None:
    """The name by which the program that runs can be imported; None in a notebook or a shell."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:  # python -m package.module
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return _script_name(file) if file else None


@lru_cache(maxsize=8)
def _script_name(file: str) -> str | None:
    name = Path(file).stem
    try:
        found = find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError):
        return None
    origin = found.origin if found is not None else None
    return name if origin is not None and Path(origin).resolve() == Path(file).resolve() else None


def _find(handler: object, name: str) -> object:
    module = getattr(handler, "__module__", None) or type(handler).__module__
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
