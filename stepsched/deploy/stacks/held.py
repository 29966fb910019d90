"""What a stack holds that would be lost with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from stepsched.backends.stepfunctions import StepFunctionsBackend
from stepsched.backends.stepfunctions.teardown import Teardown, Waiting
from stepsched.core.clock import utc_now
from stepsched.core.errors import BackendError
from stepsched.deploy.stacks.cloud import Cloud, Stack

_SHOWN = 20
"""The number of jobs that an error lists."""
TABLE, QUEUE, GROUP, SCHEDULE = (
    *("AWS::DynamoDB::Table", "AWS::SQS::Queue"),
    *("AWS::Scheduler::ScheduleGroup", "AWS::Scheduler::Schedule"),
)


class Held(NamedTuple):
    """What a stack holds."""

    jobs: Sequence[Waiting]
    """The jobs of its tables that would run again."""
    executions: int
    """The number of executions that run, beside those that wait for such a job."""
    messages: Mapping[str, int]
    """The number of messages of each queue that has some."""
    schedules: Mapping[str, int]
    """The number of schedules of others in each group that has some."""

    def __bool__(self) -> bool:
        return bool(self.jobs or self.executions or self.messages or self.schedules)

    def lines(self) -> Iterator[str]:
        """What it holds, in words, one a line."""
        if self.jobs:
            shown = ", ".join(map(str, self.jobs[:_SHOWN]))
            more = len(self.jobs) - _SHOWN
            yield f"{_count(len(self.jobs), 'waiting job')}: {shown}" + (
                f" and {more:,} more" if more > 0 else ""
            )
        if self.executions:
            yield f"{_count(self.executions, 'running execution')}"
        for name, count in sorted(self.messages.items()):
            yield f"{_count(count, 'message')} in queue {name}"
        for name, count in sorted(self.schedules.items()):
            yield f"{_count(count, 'schedule')} in group {name}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def teardowns(cloud: Cloud, stack: Stack) -> list[Teardown]:
    """The state machines of a stack, with their tables."""
    return [
        Teardown(
            **each._asdict(),
            dynamodb=cloud.client("dynamodb"),
            states=cloud.client("stepfunctions"),
            backend=partial(
                StepFunctionsBackend,
                state_machine_arn=each.state_machine_arn,
                table_name=each.table_name,
                session=cloud.session,
                endpoint_url=cloud.endpoint_url,
                workers=8,
            ),
            now=utc_now,
        )
        for each in stack.schedulers
    ]


def held_by(cloud: Cloud, ends: Sequence[Teardown], resources: Mapping[str, Sequence[str]]) -> Held:
    """Looks at what the resources of a stack hold.

    Args:
        cloud: The account.
        ends: The state machines of the stack.
        resources: The physical IDs of its resources, by type.
    """
    own = set(resources.get(SCHEDULE, ()))
    return Held(
        jobs=[job for each in ends for job in each.waiting()],
        executions=sum(len(each.running()) for each in ends),
        messages=_present(
            {url.rpartition("/")[2]: _messages(cloud, url) for url in resources.get(QUEUE, ())}
        ),
        schedules=_present({name: _schedules(cloud, name, own) for name in resources.get(GROUP, ())}),
    )


def _present(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _messages(cloud: Cloud, url: str) -> int:
    counts = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    try:
        found = cloud.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=counts)
    except BackendError as error:
        if "NonExistentQueue" in error.code or "QueueDoesNotExist" in error.code:
            return 0
        raise
    return sum(int(found["Attributes"][name]) for name in counts)


def _schedules(cloud: Cloud, group: str, own: set[str]) -> int:
    def names() -> Iterator[Any]:
        yield from cloud.pages("scheduler", "list_schedules", "Schedules", GroupName=group)

    try:
        return sum(each["Name"] not in own for each in names())
    except BackendError as error:
        if error.code == "ResourceNotFoundException":
            return 0
        raise
