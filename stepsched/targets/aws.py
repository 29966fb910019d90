"""Targets in AWS services that receive a message, an event or a request to start something."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from stepsched.aws.arns import Arn
from stepsched.core.payloads import Text
from stepsched.core.quoting import quoted
from stepsched.core.values import ShortKeys
from stepsched.targets.base import ApiCall, ServiceTarget
from stepsched.targets.messages import MAX_GROUP_ID, QUEUE, check_group_of, checked_group, is_fifo

# Step Functions allows no blanks, brackets, wildcards, control or special characters in a name.
_MACHINE = r"[^\s:<>{}\[\]?*\"#%\\^|~`$&,;/\x00-\x1f\x7f-\x9f]{1,80}(:[\w-]+)?"


class LambdaTarget(ServiceTarget, frozen=True):
    """Invokes a Lambda function with the job's input as its event."""

    api_call: ClassVar = ApiCall("lambda", "invoke")
    kind: Literal["lambda"] = "lambda"
    function_arn: Annotated[str, Arn("lambda", "function:", r"[\w-]{1,140}(:[\w$-]{1,128})?")]
    """The function: ``arn:aws:lambda:<region>:<account>:function:<name>``, with an optional
    ``:<qualifier>``."""

    def __init__(self, function_arn: str, *, kind: Literal["lambda"] = "lambda") -> None:
        self._assign(function_arn=function_arn, kind=kind)


class StateMachineTarget(ServiceTarget, frozen=True):
    """Starts an execution of a Step Functions state machine with the job's input."""

    api_call: ClassVar = ApiCall("sfn", "startExecution")
    kind: Literal["state_machine"] = "state_machine"
    state_machine_arn: Annotated[str, Arn("states", "stateMachine:", _MACHINE)]
    """The state machine: ``arn:aws:states:<region>:<account>:stateMachine:<name>``."""

    def __init__(self, state_machine_arn: str, *, kind: Literal["state_machine"] = "state_machine") -> None:
        self._assign(state_machine_arn=state_machine_arn, kind=kind)


class QueueTarget(ServiceTarget, frozen=True):
    """Sends the job's input as a message to an SQS queue.

    Each message to a FIFO queue has a deduplication ID of its run, so that equal messages all arrive.
    """

    api_call: ClassVar = ApiCall("sqs", "sendMessage")
    kind: Literal["queue"] = "queue"
    queue_arn: Annotated[str, QUEUE]
    """The queue: ``arn:aws:sqs:<region>:<account>:<name>``; the name of a FIFO queue ends in ``.fifo``."""
    message_group_id: str | None = Field(default=None, min_length=1, max_length=MAX_GROUP_ID)
    """The message group: 1 to 128 ASCII letters, digits and punctuation characters. It is required for a FIFO
    queue and refused for a standard queue."""

    def __init__(
        self,
        queue_arn: str,
        *,
        message_group_id: str | None = None,
        kind: Literal["queue"] = "queue",
    ) -> None:
        self._assign(queue_arn=queue_arn, message_group_id=message_group_id, kind=kind)
        check_group_of(self.queue_arn, self.message_group_id)

    @property
    def is_fifo(self) -> bool:
        """Whether the queue is a FIFO queue."""
        return is_fifo(self.queue_arn)

    @field_validator("message_group_id")
    @classmethod
    def _is_group_id(cls, group: str | None) -> str | None:
        return checked_group(group)


class TopicTarget(ServiceTarget, frozen=True):
    """Publishes the job's input to an SNS topic.

    A message to a FIFO topic has the job's name as its message group, and a deduplication ID of its run.
    """

    api_call: ClassVar = ApiCall("sns", "publish")
    kind: Literal["topic"] = "topic"
    topic_arn: Annotated[str, Arn("sns", "", r"[\w-]{1,256}(\.fifo)?", "<topic name>")]
    """The topic: ``arn:aws:sns:<region>:<account>:<name>``; the name of a FIFO topic ends in ``.fifo``."""

    def __init__(self, topic_arn: str, *, kind: Literal["topic"] = "topic") -> None:
        self._assign(topic_arn=topic_arn, kind=kind)

    @property
    def is_fifo(self) -> bool:
        """Whether the topic is a FIFO topic."""
        return is_fifo(self.topic_arn)


class EventBusTarget(ServiceTarget, frozen=True):
    """Puts an event, with the job's input as its detail, on an EventBridge bus."""

    api_call: ClassVar = ApiCall("eventbridge", "putEvents")
    kind: Literal["event_bus"] = "event_bus"
    bus_arn: Annotated[str, Arn("events", "event-bus/", r"[\w./-]{1,256}")]
    """The event bus: ``arn:aws:events:<region>:<account>:event-bus/<name>``."""
    detail_type: str = Field(default="Scheduled Job", min_length=1, max_length=128)
    """The detail type of the event."""
    source: str = Field(default="stepsched", min_length=1, max_length=256)
    """The source of the event, of ``A-Z a-z 0-9 . - _ /``. It must not begin with ``aws.``, which AWS
    reserves."""

    def __init__(
        self,
        bus_arn: str,
        *,
        detail_type: str = "Scheduled Job",
        source: str = "stepsched",
        kind: Literal["event_bus"] = "event_bus",
    ) -> None:
        self._assign(bus_arn=bus_arn, detail_type=detail_type, source=source, kind=kind)

    @field_validator("source")
    @classmethod
    def _is_free(cls, source: str) -> str:
        if source.startswith("aws."):
            raise ValueError(f"expected a source that does not begin with 'aws.', got {quoted(source)}")
        if not re.fullmatch(r"[/._A-Za-z0-9-]+", source):  # the service reads '$.name' as a path
            raise ValueError(f"expected a source of A-Z a-z 0-9 . - _ /, got {quoted(source)}")
        return source


class KinesisTarget(ServiceTarget, frozen=True):
    """Puts the job's input as a record on a Kinesis stream."""

    api_call: ClassVar = ApiCall("kinesis", "putRecord", ("StreamArn", "StreamName"))
    kind: Literal["kinesis"] = "kinesis"
    stream_arn: Annotated[str, Arn("kinesis", "stream/", r"[\w.-]{1,128}")]
    """The stream: ``arn:aws:kinesis:<region>:<account>:stream/<name>``."""
    partition_key: str = Field(min_length=1, max_length=256)
    """The partition key. Records with the same key are kept in order."""

    def __init__(self, stream_arn: str, *, partition_key: str, kind: Literal["kinesis"] = "kinesis") -> None:
        self._assign(stream_arn=stream_arn, partition_key=partition_key, kind=kind)


class FirehoseTarget(ServiceTarget, frozen=True):
    """Puts the job's input as a record on a Firehose delivery stream."""

    api_call: ClassVar = ApiCall("firehose", "putRecord", ("DeliveryStreamName",))
    kind: Literal["firehose"] = "firehose"
    delivery_stream_arn: Annotated[str, Arn("firehose", "deliverystream/", r"[\w.-]{1,64}")]
    """The delivery stream: ``arn:aws:firehose:<region>:<account>:deliverystream/<name>``."""

    def __init__(self, delivery_stream_arn: str, *, kind: Literal["firehose"] = "firehose") -> None:
        self._assign(delivery_stream_arn=delivery_stream_arn, kind=kind)


class CodeBuildTarget(ServiceTarget, frozen=True):
    """Starts a CodeBuild build. The job's input holds overrides of the project's settings."""

    api_call: ClassVar = ApiCall("codebuild", "startBuild", ("ProjectName",))
    kind: Literal["code_build"] = "code_build"
    project_arn: Annotated[str, Arn("codebuild", "project/", r"[A-Za-z0-9][\w-]{1,254}")]
    """The project: ``arn:aws:codebuild:<region>:<account>:project/<name>``."""

    def __init__(self, project_arn: str, *, kind: Literal["code_build"] = "code_build") -> None:
        self._assign(project_arn=project_arn, kind=kind)


class CodePipelineTarget(ServiceTarget, frozen=True):
    """Starts an execution of a CodePipeline pipeline."""

    api_call: ClassVar = ApiCall("codepipeline", "startPipelineExecution", ("Name",))
    kind: Literal["code_pipeline"] = "code_pipeline"
    pipeline_arn: Annotated[str, Arn("codepipeline", "", r"[\w.@-]{1,100}", "<pipeline name>")]
    """The pipeline: ``arn:aws:codepipeline:<region>:<account>:<name>``."""

    def __init__(self, pipeline_arn: str, *, kind: Literal["code_pipeline"] = "code_pipeline") -> None:
        self._assign(pipeline_arn=pipeline_arn, kind=kind)


class SageMakerPipelineTarget(ServiceTarget, frozen=True):
    """Starts an execution of a SageMaker pipeline with ``parameters``. The job's input is not used."""

    api_call: ClassVar = ApiCall("sagemaker", "startPipelineExecution", ("PipelineName",))
    takes_input: ClassVar = False
    kind: Literal["sagemaker_pipeline"] = "sagemaker_pipeline"
    pipeline_arn: Annotated[str, Arn("sagemaker", "pipeline/", r"[A-Za-z0-9-]{1,256}")]
    """The pipeline: ``arn:aws:sagemaker:<region>:<account>:pipeline/<name>``."""
    parameters: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,256}$", strict=True)],
            Annotated[Text, Field(min_length=1, max_length=1024)],
        ],
        ShortKeys,
    ] = Field(default_factory=dict, max_length=200)
    """The values of the pipeline's parameters by name, at most 200."""

    def __init__(
        self,
        pipeline_arn: str,
        *,
        parameters: Mapping[str, str] | None = None,
        kind: Literal["sagemaker_pipeline"] = "sagemaker_pipeline",
    ) -> None:
        self._assign(
            pipeline_arn=pipeline_arn, parameters={} if parameters is None else parameters, kind=kind
        )
