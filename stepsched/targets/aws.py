"""Services of AWS that take a message, an event or a start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from stepsched.aws.arns import checked_arn
from stepsched.core.payloads import Text
from stepsched.core.values import PositionalValue

# Step Functions: no blanks, brackets, wildcards, control or special characters in a name.
_MACHINE = r"stateMachine:[^\s:<>{}\[\]?*\"#%\\^|~`$&,;/\x00-\x1f\x7f-\x9f]{1,80}(:[\w-]+)?"


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
        return checked_arn(arn, "lambda", r"function:[\w-]{1,140}(:[\w$-]{1,128})?", "function:<name>")


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
        return checked_arn(arn, "states", _MACHINE, "stateMachine:<name>")


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
        return checked_arn(arn, "sqs", r"[\w-]{1,75}(\.fifo)?", "<queue name>")


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
        return checked_arn(arn, "sns", r"[\w-]{1,256}(\.fifo)?", "<topic name>")


class EventBusTarget(PositionalValue, frozen=True):
    """Puts an event with the job's input as its detail on an EventBridge bus."""

    kind: Literal["event_bus"] = "event_bus"
    bus_arn: str
    """``arn:aws:events:<region>:<account>:event-bus/<name>``."""
    detail_type: str = Field(default="Scheduled Job", min_length=1, max_length=128)
    source: str = Field(default="stepsched", min_length=1, max_length=256)
    """Of ``A-Z a-z 0-9 . - _ /``; not beginning with ``aws.``, which AWS keeps for itself."""

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
        return checked_arn(arn, "events", r"event-bus/[\w./-]{1,256}", "event-bus/<name>")

    @field_validator("source")
    @classmethod
    def _is_free(cls, source: str) -> str:
        if source.startswith("aws."):
            raise ValueError(f"{source!r}: sources that begin with 'aws.' are kept by AWS")
        if not re.fullmatch(r"[/._A-Za-z0-9-]+", source):  # the service reads '$.name' as a path
            raise ValueError(f"{source!r}: a source is written with A-Z a-z 0-9 . - _ /")
        return source


class KinesisTarget(PositionalValue, frozen=True):
    """Puts the job's input as a record on a Kinesis stream."""

    kind: Literal["kinesis"] = "kinesis"
    stream_arn: str
    """``arn:aws:kinesis:<region>:<account>:stream/<name>``."""
    partition_key: str = Field(min_length=1, max_length=256)
    """Records of one key stay in order."""

    def __init__(self, stream_arn: str, *, partition_key: str, kind: Literal["kinesis"] = "kinesis") -> None:
        self._assign(stream_arn=stream_arn, partition_key=partition_key, kind=kind)

    @field_validator("stream_arn")
    @classmethod
    def _is_stream(cls, arn: str) -> str:
        return checked_arn(arn, "kinesis", r"stream/[\w.-]{1,128}", "stream/<name>")


class FirehoseTarget(PositionalValue, frozen=True):
    """Puts the job's input as a record on a Firehose delivery stream."""

    kind: Literal["firehose"] = "firehose"
    delivery_stream_arn: str
    """``arn:aws:firehose:<region>:<account>:deliverystream/<name>``."""

    def __init__(self, delivery_stream_arn: str, *, kind: Literal["firehose"] = "firehose") -> None:
        self._assign(delivery_stream_arn=delivery_stream_arn, kind=kind)

    @field_validator("delivery_stream_arn")
    @classmethod
    def _is_delivery_stream(cls, arn: str) -> str:
        return checked_arn(arn, "firehose", r"deliverystream/[\w.-]{1,64}", "deliverystream/<name>")


class CodeBuildTarget(PositionalValue, frozen=True):
    """Starts a build; the job's input holds what it overrides of the project."""

    kind: Literal["code_build"] = "code_build"
    project_arn: str
    """``arn:aws:codebuild:<region>:<account>:project/<name>``."""

    def __init__(self, project_arn: str, *, kind: Literal["code_build"] = "code_build") -> None:
        self._assign(project_arn=project_arn, kind=kind)

    @field_validator("project_arn")
    @classmethod
    def _is_project(cls, arn: str) -> str:
        return checked_arn(arn, "codebuild", r"project/[A-Za-z0-9][\w-]{1,254}", "project/<name>")


class CodePipelineTarget(PositionalValue, frozen=True):
    """Starts an execution of a CodePipeline pipeline."""

    kind: Literal["code_pipeline"] = "code_pipeline"
    pipeline_arn: str
    """``arn:aws:codepipeline:<region>:<account>:<name>``."""

    def __init__(self, pipeline_arn: str, *, kind: Literal["code_pipeline"] = "code_pipeline") -> None:
        self._assign(pipeline_arn=pipeline_arn, kind=kind)

    @field_validator("pipeline_arn")
    @classmethod
    def _is_pipeline(cls, arn: str) -> str:
        return checked_arn(arn, "codepipeline", r"[\w.@-]{1,100}", "<pipeline name>")


class SageMakerPipelineTarget(PositionalValue, frozen=True):
    """Starts an execution of a SageMaker pipeline with parameters of its own; the job's input is not used."""

    kind: Literal["sagemaker_pipeline"] = "sagemaker_pipeline"
    pipeline_arn: str
    """``arn:aws:sagemaker:<region>:<account>:pipeline/<name>``."""
    parameters: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,256}$", strict=True)],
        Annotated[Text, Field(min_length=1, max_length=1024)],
    ] = Field(default_factory=dict, max_length=200)

    def __init__(
        self,
        pipeline_arn: str,
        *,
        parameters: Mapping[str, str] | None = None,
        kind: Literal["sagemaker_pipeline"] = "sagemaker_pipeline",
    ) -> None:
        self._assign(pipeline_arn=pipeline_arn, parameters=dict(parameters or {}), kind=kind)

    @field_validator("pipeline_arn")
    @classmethod
    def _is_pipeline(cls, arn: str) -> str:
        return checked_arn(arn, "sagemaker", r"pipeline/[A-Za-z0-9-]{1,256}", "pipeline/<name>")
