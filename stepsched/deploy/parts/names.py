"""The names, logical IDs and references of the resources of a stack.

Policies and definitions are built with placeholders for values that only the stack knows, such as its Region.
:meth:`Names.with_references` replaces them by references. A placeholder has the maximum length of its value,
so that a policy that fits here fits in every stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from stepsched.core.quoting import quoted
from stepsched.deploy.parts.part import QUEUES, REGISTERS, Part, is_observed

REGION = "the-region-of-stack-1"
ACCOUNT = "000000000000"
STACK_NAME = "${AWS::StackName}"
MAX_MACHINE_NAME = 80
"""https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html"""
_MAX_TABLE_NAME = 255
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""
_MAX_GROUP_NAME = 64
"""https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateScheduleGroup.html"""
_MAX_QUEUE_NAME = 75
"""Without the ending ``.fifo``, for which a name of at most 80 characters has room.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html"""
_MAX_TOPIC_NAME = 256
"""https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"""
_PREFIX = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
_TABLE = f"{'s' * 80}-Table-{'x' * 13}"

RUNNER, REGISTER, WATCH, WORKFLOWS, HTTP = MACHINES = ("runner", "register", "watch", "workflows", "http")
"""The state machines of a stack."""
JOBS, DEAD_LETTERS, TOPIC, QUEUE, QUEUE_DEAD_LETTERS, TASKS = (
    "jobs",
    "dead-letters",
    "topic",
    "queue",
    "queue-dead-letters",
    "tasks",
)
_FIFO = ".fifo"


class Names(NamedTuple):
    """The names of one stack, or of one prefix in it."""

    prefix: str | None = None
    """The prefix of all names, such as ``blue``. None: the name of the stack is used where a name is
    needed."""
    partition: str = "aws"
    existing_table: str | None = None
    """The name of an existing table. None: the stack creates a table."""

    # -- logical IDs -----------------------------------------------------------------------------------

    def logical(self, name: str) -> str:
        """The logical ID of a resource, or the name of an output: ``BlueRunner`` for ``Runner``."""
        return logical_prefix(self.prefix) + name

    def ref(self, name: str) -> dict[str, Any]:
        """A reference to a resource."""
        return {"Ref": self.logical(name)}

    def attribute(self, name: str, attribute: str = "Arn") -> dict[str, Any]:
        """A reference to an attribute of a resource."""
        return {"Fn::GetAtt": [self.logical(name), attribute]}

    # -- names -----------------------------------------------------------------------------------------

    def explicit(self, field: str, name: str) -> dict[str, str]:
        """The property with the name of a resource, if there is a prefix. Without one, CloudFormation
        chooses a unique name."""
        return {} if self.prefix is None else {field: f"{self.prefix}-{name}"}

    def machine_name(self, machine: str) -> Any:
        """The name of a state machine: that of the stack, or ``<prefix>-<machine>``. It is explicit, because
        roles trust and allow the machine by its ARN."""
        if self.prefix is not None:
            return f"{self.prefix}-{machine}"
        return {"Ref": "AWS::StackName"} if machine == RUNNER else {"Fn::Sub": _sub_name(machine)}

    # -- placeholders ----------------------------------------------------------------------------------

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in the account and Region of the stack, with placeholders."""
        return f"arn:{self.partition}:{service}:{REGION}:{ACCOUNT}:{resource}"

    def machine_arn(self, machine: str) -> str:
        """The ARN of a state machine, with placeholders."""
        name = _STAND_INS[machine] if self.prefix is None else f"{self.prefix}-{machine}"
        return self.arn("states", f"stateMachine:{name}")

    @property
    def table(self) -> str:
        """The placeholder of the table's name."""
        return _TABLE

    def queue_arn(self, logical: str, *, fifo: bool = False) -> str:
        """The ARN of a queue of the stack, with placeholders."""
        return self.arn("sqs", logical.ljust(_MAX_QUEUE_NAME, "-") + (_FIFO if fifo else ""))

    def topic_arn(self, logical: str) -> str:
        """The ARN of a topic of the stack, with placeholders."""
        return self.arn("sns", logical.ljust(80, "-"))

    def with_references(self, value: Any) -> Any:
        """A copy of a document in which placeholders are replaced by references."""
        match value:
            case dict():
                return {key: self.with_references(item) for key, item in value.items()}
            case list():
                return [self.with_references(item) for item in value]
            case str():
                return {"Ref": "AWS::AccountId"} if value == ACCOUNT else self._arn_with_references(value)
        return value

    def _arn_with_references(self, text: str) -> Any:
        match = _STACK_ARN.fullmatch(text)
        if match is None:
            return text
        service, rest = match["service"], match["rest"]
        if rest == f"table/{_TABLE}":
            return self.table_arn
        if rest.startswith(f"table/{_TABLE}/"):
            return _joined(self.table_arn, rest.removeprefix(f"table/{_TABLE}"))
        if service in ("sqs", "sns") and (padded := _PADDED.fullmatch(rest)):
            return self.attribute(padded[1]) if service == "sqs" else self.ref(padded[1])
        rest = rest.replace("${", "${!")
        for machine, placeholder in _STAND_INS.items():
            rest = rest.replace(placeholder, _sub_name(machine))
        return _in_account(service, rest)

    # -- the table -------------------------------------------------------------------------------------

    @property
    def table_ref(self) -> Any:
        """The name of the table."""
        return self.ref("Table") if self.existing_table is None else self.existing_table

    @property
    def table_arn(self) -> dict[str, Any]:
        """The ARN of the table."""
        if self.existing_table is None:
            return self.attribute("Table")
        return _in_account("dynamodb", f"table/{self.existing_table}")


_STAND_INS = {machine: letter * MAX_MACHINE_NAME for machine, letter in zip(MACHINES, "sgwfh", strict=True)}
"""The placeholders of the names of state machines that begin with the name of the stack."""
_STACK_ARN = re.compile(rf"arn:[^:]+:(?P<service>[^:]+):{REGION}:{ACCOUNT}:(?P<rest>.+)")
_PADDED = re.compile(r"([A-Za-z]+)-*(\.fifo)?")


def _sub_name(machine: str) -> str:
    """The name of a machine without prefix, as a text of ``Fn::Sub``."""
    return STACK_NAME if machine == RUNNER else f"{STACK_NAME}-{machine}"


def _in_account(service: str, resource: str) -> dict[str, Any]:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"}


def _joined(reference: dict[str, Any], ending: str) -> dict[str, Any]:
    """The text of a reference with an ending."""
    match reference:
        case {"Fn::Sub": text}:
            return {"Fn::Sub": text + ending}
        case {"Fn::GetAtt": [logical, attribute]}:
            return {"Fn::Sub": f"${{{logical}.{attribute}}}{ending}"}
    raise AssertionError("a reference of this module")


# -- the prefix -----------------------------------------------------------------------------------------


def logical_prefix(prefix: str | None) -> str:
    """The beginning of the logical IDs and outputs: ``BlueTeam`` for ``blue-team``."""
    return "" if prefix is None else "".join(part.capitalize() for part in prefix.split("-"))


def validate_prefix(prefix: str | None, parts: Iterable[Part], *, existing_table: bool) -> str | None:
    """Validates the prefix of names.

    Raises:
        ValueError: It is malformed, or too long for the name of a resource.
    """
    if prefix is None:
        return None
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise ValueError(
            "expected a prefix of words of a-z and 0-9, each beginning with a letter and joined by '-', "
            f"got {quoted(prefix)}; use one such as 'blue' or 'team-a'"
        )
    for kind, name, most in _explicit_names(frozenset(parts), existing_table=existing_table):
        if len(prefix) + 1 + len(name) > most:
            raise ValueError(
                f"expected a prefix of at most {most - 1 - len(name)} characters, because the name of the "
                f"{kind} is <prefix>-{name} and has at most {most}, got {len(prefix)}: {quoted(prefix)}; "
                "use a shorter one"
            )
    return prefix


def _explicit_names(parts: frozenset[Part], *, existing_table: bool) -> Iterable[tuple[str, str, int]]:
    """The names of resources after the prefix, each with its kind and maximum length."""
    for machine in machines(parts):
        yield "state machine", machine, MAX_MACHINE_NAME
    if not existing_table:
        yield "table", JOBS, _MAX_TABLE_NAME
    if Part.GROUP in parts:
        yield "schedule group", JOBS, _MAX_GROUP_NAME
    if Part.DEAD_LETTERS in parts:
        yield "queue", DEAD_LETTERS, _MAX_QUEUE_NAME
    if parts & frozenset(QUEUES):
        yield "queue", QUEUE_DEAD_LETTERS, _MAX_QUEUE_NAME
    if Part.TOPIC in parts:
        yield "topic", TOPIC, _MAX_TOPIC_NAME
    if Part.HTTP in parts:
        yield "topic", TASKS, _MAX_TOPIC_NAME


def machines(parts: Iterable[Part]) -> list[str]:
    """The state machines of a stack: the runner first."""
    chosen = frozenset(parts)
    return [
        RUNNER,
        *([REGISTER] if chosen & frozenset(REGISTERS) else []),
        *([HTTP] if Part.HTTP in chosen else []),
        *([WORKFLOWS] if Part.WORKFLOWS in chosen else []),
        *([WATCH] if is_observed(chosen) else []),
    ]


def max_stack_name(parts: Iterable[Part]) -> int:
    """The maximum length of the name of a stack without prefix: the names of its state machines begin with
    it."""
    return MAX_MACHINE_NAME - max(len(_sub_name(each)) - len(STACK_NAME) for each in machines(parts))
