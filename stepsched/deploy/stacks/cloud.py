"""Calls AWS for stacks: the clients of one account and Region, and the stacks in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Event
from typing import Any, NamedTuple, TypeVar

from typing_extensions import Self

from stepsched.aws.sdk import camel_case, mapped, validate_connection
from stepsched.backends.stepfunctions.stacks import STATE_MACHINE_OUTPUT, TABLE_OUTPUT, WORKFLOWS_OUTPUT
from stepsched.core.errors import BackendError, ErrorCode

Found = TypeVar("Found")
_TITLE = "stepsched:"
"""How the descriptions of templates of this package begin."""
_MACHINE, _TABLE, _REGISTER = STATE_MACHINE_OUTPUT, TABLE_OUTPUT, "RegisterArn"
"""The outputs of a scheduler; with a prefix, they begin with it."""
_FIRST_PAUSE, _LAST_PAUSE, _GROWTH = 0.1, 5.0, 1.5
"""Between two looks at a stack, in seconds."""


class Scheduler(NamedTuple):
    """A state machine and the table of its jobs, as the outputs of a stack name them."""

    state_machine_arn: str
    table_name: str
    workflows_arn: str | None
    """The state machine of the workflows. None: there is none."""


class Stack(NamedTuple):
    """A stack as CloudFormation describes it."""

    name: str
    arn: str
    status: str
    reason: str
    description: str
    outputs: Mapping[str, str]
    is_protected: bool
    change_set_id: str | None
    """The change set that was executed last. None: unknown."""

    @property
    def is_busy(self) -> bool:
        """Whether CloudFormation works on the stack. A stack that has only a plan is at rest."""
        return self.status.endswith("_IN_PROGRESS") and not self.is_empty

    @property
    def is_empty(self) -> bool:
        """Whether the stack has been planned and not created."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def schedulers(self) -> tuple[Scheduler, ...]:
        """The schedulers that the outputs name."""
        prefixes = [key.removesuffix(_MACHINE) for key in self.outputs if key.endswith(_MACHINE)]
        return tuple(
            Scheduler(
                self.outputs[f"{prefix}{_MACHINE}"],
                self.outputs[f"{prefix}{_TABLE}"],
                self.outputs.get(f"{prefix}{WORKFLOWS_OUTPUT}"),
            )
            for prefix in sorted(prefixes)
            if f"{prefix}{_TABLE}" in self.outputs
        )

    @property
    def registered_tables(self) -> tuple[str, ...]:
        """The tables in which the machine *register* of the stack makes jobs."""
        prefixes = [key.removesuffix(_REGISTER) for key in self.outputs if key.endswith(_REGISTER)]
        keys = [f"{prefix}{_TABLE}" for prefix in sorted(prefixes)]
        return tuple(self.outputs[key] for key in keys if key in self.outputs)

    @property
    def is_ours(self) -> bool:
        """Whether the stack is of a template of this package, by its description or its outputs. So is one
        that could not be created: nothing is left of it."""
        is_gone = self.status == "ROLLBACK_COMPLETE"
        return is_gone or self.description.startswith(_TITLE) or bool(self.schedulers)


class Cloud:
    """The clients of one account and Region; a context manager that closes them."""

    def __init__(self, session: Any, endpoint_url: str | None, *, region: str | None = None) -> None:
        """Creates the session. No call is made.

        Args:
            session: A ``boto3.Session``. None: the default session of boto3.
            endpoint_url: The endpoint of every service. None: as boto3 is configured.
            region: The Region. None: that of the session.

        Raises:
            TypeError: ``session`` has another type.
            ValueError: ``endpoint_url`` is malformed.
            BackendError: boto3 does not find the configured profile.
        """
        validate_connection(session, endpoint_url)
        import boto3

        with mapped("boto3", "Session"):
            self.session: Any = boto3.Session() if session is None else session
        self.endpoint_url = endpoint_url
        self._region = region
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def client(self, service: str) -> Any:
        """The client of a service."""
        if service not in self._clients:
            with mapped(service, "connect"):
                self._clients[service] = self.session.client(
                    service, region_name=self._region, endpoint_url=self.endpoint_url
                )
        return self._clients[service]

    @property
    def region(self) -> str:
        """The Region of the stacks."""
        return str(self.client("cloudformation").meta.region_name)

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """Calls a method of a client.

        Raises:
            BackendError: The call has failed.
        """
        client = self.client(service)
        with mapped(service, camel_case(operation)):
            return getattr(client, operation)(**arguments)

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        """The items of all pages of a list."""
        while True:
            page = self.call(service, operation, **arguments)
            yield from page.get(key, ())
            if not page.get("NextToken"):
                return
            arguments["NextToken"] = page["NextToken"]

    def find(self, name: str) -> Stack | None:
        """The stack of a name or an ARN. None: there is none. A deleted stack is found by its ARN only."""
        try:
            found = self.call("cloudformation", "describe_stacks", StackName=name)["Stacks"]
        except BackendError as error:
            if "does not exist" in error.detail:
                return None
            raise
        return _read_stack(found[0]) if found else None

    def existing(self, name: str) -> Stack:
        """The stack of a name or an ARN.

        Raises:
            BackendError: There is none; the code is ``NO_STACK``.
        """
        stack = self.find(name)
        if stack is None:
            words = f"there is no stack {name!r} in {self.region}; correct the name or the Region"
            raise BackendError("cloudformation", "DescribeStacks", ErrorCode.NO_STACK, detail=words)
        return stack

    def resources(self, stack_id: str) -> dict[str, list[str]]:
        """The physical IDs of the resources of a stack, by type."""
        found: dict[str, list[str]] = {}
        for each in self.pages(
            "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=stack_id
        ):
            if each.get("PhysicalResourceId") and each["ResourceStatus"] not in (
                "DELETE_COMPLETE",
                "DELETE_SKIPPED",
            ):
                found.setdefault(each["ResourceType"], []).append(each["PhysicalResourceId"])
        return found


def waited(look: Callable[[], Found | None]) -> Found:
    """Looks again and again, with longer pauses each time, and returns the first answer that is not None."""
    length, never = _FIRST_PAUSE, Event()
    while (found := look()) is None:
        never.wait(length)
        length = min(length * _GROWTH, _LAST_PAUSE)
    return found


def refused(code: ErrorCode, operation: str, words: str) -> BackendError:
    """The error of a stack on which an operation is not possible."""
    return BackendError("cloudformation", operation, code, detail=words)


def refuse_foreign(stack: Stack, operation: str, *, cure: str) -> None:
    """Refuses a stack that is not of a template of this package, and says what to do instead.

    Raises:
        BackendError: It is not; the code is ``FOREIGN_STACK``.
    """
    if not stack.is_ours:
        has = ", ".join(sorted(stack.outputs)) or "none"
        raise refused(
            ErrorCode.FOREIGN_STACK,
            operation,
            f"stack {stack.name!r} in {stack.arn.split(':')[3]} is not the stack of a scheduler of "
            f"stepsched (its outputs: {has}), and is left alone; {cure}",
        )


def _read_stack(found: Mapping[str, Any]) -> Stack:
    return Stack(
        name=found["StackName"],
        arn=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason") or "",
        description=found.get("Description") or "",
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())},
        is_protected=bool(found.get("EnableTerminationProtection")),
        change_set_id=found.get("ChangeSetId"),
    )
