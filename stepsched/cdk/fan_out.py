"""A queue into which a job sends several messages in every run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

from stepsched.cdk.arns import arn_of
from stepsched.cdk.job_schedule import JobSchedule
from stepsched.cdk.outputs import add_outputs
from stepsched.cdk.scheduler import BaseScheduler
from stepsched.jobs import Completion, Job
from stepsched.schedules import AnySchedule, OneTime
from stepsched.targets import FanOutTarget

_VISIBILITY = 6
"""The visibility timeout in timeouts of the worker, which AWS recommends for functions.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""


class FanOut(Construct):
    """A queue, its dead-letter queue, and a job that sends the same messages to it in every run.

    The service calls the queue by itself: no function sends the messages. What receives them is a
    :class:`stepsched.QueueWorker` that runs anywhere, or a function; see :meth:`add_worker`.

    The outputs of the stack are ``QueueName``, ``QueueArn``, ``QueueUrl``, ``DeadLetterQueueUrl``,
    ``SchedulerARN``, ``SchedulerRoleARN`` and ``SchedulerRoleName``; see
    :func:`stepsched.cdk.outputs.add_outputs` for several constructs in one stack.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 -- the name that every construct gives it
        *,
        schedule: AnySchedule,
        messages: Iterable[str],
        message_group_id: str | None = "tasks",
        prefix: str | None = None,
        worker_timeout: cdk.Duration | None = None,
        retention_period: cdk.Duration | None = None,
        receive_message_wait_time: cdk.Duration | None = None,
        max_receive_count: int = 5,
        scheduler: BaseScheduler | None = None,
        dead_letter_queue: Any = None,
        **policies: Any,
    ) -> None:
        """Creates the queues and the job.

        Args:
            scope: The construct that contains this one.
            id: The identifier, unique in the scope.
            schedule: When the messages are sent.
            messages: The texts, in order. Equal texts are sent as often as they are given. For the lines of a
                file use ``Path(...).read_text().splitlines()``.
            message_group_id: The message group of all messages in a FIFO queue, which keeps their order.
                None: the queue is a standard queue, without order.
            prefix: The beginning of all names: ``<prefix>-tasks`` and so on. None: CloudFormation chooses the
                names of the queues, and the job is named by the path of the construct.
            worker_timeout: How long the work on one message may take. The visibility timeout is six times
                that. None: 1 minute.
            retention_period: How long messages are kept that nobody receives: at most 14 days. None: 4 days.
                In the dead-letter queue they are kept for 14 days.
            receive_message_wait_time: How long a call waits for a message: at most 20 seconds, which is also
                the default.
            max_receive_count: How often a message is received before it goes to the dead-letter queue.
            scheduler: The scheduler that runs the job, as for :class:`JobSchedule`. None: EventBridge
                Scheduler, which sends up to 10 messages in a run.
            dead_letter_queue: The standard queue for runs that could not send. None: there is none.
            policies: Further fields of the job, such as ``retry`` and ``description``.

        Raises:
            ValueError: An argument is refused; the error names it.
            UnsupportedError: The service cannot run the job, such as one with more than 10 messages.
        """
        super().__init__(scope, id)
        is_fifo = message_group_id is not None
        timeout = cdk.Duration.minutes(1) if worker_timeout is None else worker_timeout
        self._timeout = timeout
        wait = receive_message_wait_time
        self._letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=_named(prefix, "dead-letters", is_fifo=is_fifo),
            fifo=is_fifo or None,
            retention_period=cdk.Duration.days(14),
            enforce_ssl=True,
        )
        self._queue = sqs.Queue(
            self,
            "Queue",
            queue_name=_named(prefix, "tasks", is_fifo=is_fifo),
            fifo=is_fifo or None,
            visibility_timeout=cdk.Duration.seconds(_VISIBILITY * timeout.to_seconds()),
            retention_period=cdk.Duration.days(4) if retention_period is None else retention_period,
            receive_message_wait_time=cdk.Duration.seconds(20) if wait is None else wait,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self._letters, max_receive_count=max_receive_count),
            enforce_ssl=True,
        )
        target = FanOutTarget(arn_of(self._queue), messages, message_group_id=message_group_id)
        if scheduler is None and isinstance(schedule, OneTime):  # a schedule of a stack cannot delete itself
            policies = {"completion": Completion.KEEP, **policies}
        name = f"{self.node.path.replace('/', '-')}"[-64:] if prefix is None else f"{prefix}-send"
        self._job = JobSchedule(
            self,
            "Send",
            job=Job(name=name, schedule=schedule, target=target, **policies),
            scheduler=scheduler,
            dead_letter_queue=dead_letter_queue,
        )
        role = self._job.role
        add_outputs(
            self,
            {
                "QueueName": (self._queue.queue_name, "The queue of the messages"),
                "QueueArn": (self._queue.queue_arn, "The ARN of the queue"),
                "QueueUrl": (self._queue.queue_url, "The URL of the queue"),
                "DeadLetterQueueUrl": (self._letters.queue_url, "The queue of messages that were given up"),
                "SchedulerARN": (self._job.schedule_arn, "The schedule that sends the messages"),
                "SchedulerRoleARN": (role.role_arn, "The role of the schedule"),
                "SchedulerRoleName": (role.role_name, "The name of this role"),
            },
        )

    @property
    def queue(self) -> sqs.IQueue:
        """The queue that receives the messages."""
        return self._queue

    @property
    def dead_letter_queue(self) -> sqs.IQueue:
        """The queue of messages on which the worker has given up."""
        return self._letters

    @property
    def job_schedule(self) -> JobSchedule:
        """The job that sends the messages."""
        return self._job

    def grant_consume(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allows a worker to receive, extend and delete messages."""
        return self._queue.grant_consume_messages(grantee)

    def add_worker(
        self,
        function: lambda_.IFunction,
        *,
        batch_size: int = 1,
        max_concurrency: int | None = None,
    ) -> None:
        """Lets a function receive the messages. The function reports the messages of a batch that failed, as
        the handler of :class:`stepsched.QueueWorker` does, and only these are received again.

        Args:
            function: The function, such as one with ``worker.lambda_handler``.
            batch_size: The maximum number of messages of an invocation.
            max_concurrency: The maximum number of concurrent invocations, 2 or more. None: no limit.

        Raises:
            ValueError: The timeout of the function is longer than ``worker_timeout``.
        """
        timeout = getattr(function, "timeout", None)
        if timeout is not None and timeout.to_seconds() > self._timeout.to_seconds():
            raise ValueError(
                f"expected a function with a timeout of at most {self._timeout.to_seconds()} s, "
                f"got {timeout.to_seconds()} s; use FanOut(worker_timeout=...)"
            )
        source = SqsEventSource(
            self._queue,
            batch_size=batch_size,
            max_concurrency=max_concurrency,
            report_batch_item_failures=True,
        )
        function.add_event_source(source)

    def metric_waiting_messages(self, **options: Any) -> cloudwatch.Metric:
        """The number of messages that wait for a worker."""
        return self._queue.metric_approximate_number_of_messages_visible(**options)

    def metric_dead_letters(self, **options: Any) -> cloudwatch.Metric:
        """The number of messages on which the worker has given up."""
        return self._letters.metric_approximate_number_of_messages_visible(**options)


def _named(prefix: str | None, name: str, *, is_fifo: bool) -> str | None:
    return None if prefix is None else f"{prefix}-{name}{'.fifo' if is_fifo else ''}"
