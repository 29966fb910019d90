"""What the service would refuse, or find wrong only at the run, is refused before a call is made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.eventbridge.checks import check_job, check_key, check_queue, check_role
from stepsched.backends.eventbridge.documents import Settings, translation_of, write_job
from stepsched.backends.eventbridge.single_runs import RUN_PREFIX
from stepsched.core.context import ATTEMPT_NUMBER, EXECUTION_ID, SCHEDULED_TIME

UTC = timezone.utc
NOW = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/scheduler"
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:report"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/main"
TASK = "arn:aws:ecs:eu-west-1:123456789012:task-definition/report:3"
TRAINING = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/train"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
MACHINE = "render_asl(job) gives a state machine that does that"
DAILY = ss.Cron("0 9 * * ? *")
SEND = {"QueueUrl": "https://q", "MessageBody": "hi"}
MINUTE = timedelta(minutes=1)


def job(**changes: Any) -> ss.Job:
    given: dict[str, Any] = {"name": "job", "schedule": DAILY, "target": ss.LambdaTarget(LAMBDA)}
    return ss.Job(**given | changes)


def check(it: ss.Job, *, region: str = "eu-west-1", group: str | None = None) -> None:
    settings = Settings("arn:aws:iam::123456789012:role/runner", group=group)
    check_job(it, settings, region=region, partition="aws")


def refusal(it: ss.Job, *, group: str | None = None) -> ss.UnsupportedError:
    with pytest.raises(ss.UnsupportedError) as caught:
        check(it, group=group)
    assert (caught.value.job, caught.value.backend) == (it.name, "eventbridge")
    assert caught.value.alternatives
    return caught.value


def api(service: str, action: str, request: Any) -> ss.Job:
    return job(target=ss.ApiTarget(service, action, request))


def template(arn: str, **blocks: Any) -> ss.Job:
    return job(target=ss.targets.TemplateTarget(arn, parameters=blocks))


# -- what the service is known to refuse -------------------------------------------------------------


def sent(it: ss.Job) -> dict[str, Any]:
    check(it)
    return write_job(translation_of(it), Settings(role_arn=ROLE), version=1, now=NOW, anchor=NOW)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda: check(template("arn:aws:lambda:us-east-1:123456789012:function:f")),
            "us-east-1",
            id="api-region-mismatch, template",
        ),
        pytest.param(
            lambda: check(job(target=ss.LambdaTarget(LAMBDA)), region="us-east-1"),
            "the target is in eu-west-1 and the backend in us-east-1",
            id="api-region-mismatch",
        ),
        pytest.param(
            lambda: check(template("arn:aws:s3:::bucket")),
            "'s3' is not a supported service",
            id="api-bad-service",
        ),
        pytest.param(
            lambda: check(template("arn:aws:scheduler:us-east-1:123456789012:aws-sdk:sqs:sendMessage")),
            r"is an API call \(instead: ApiTarget",
            id="api-universal-region",
        ),
        pytest.param(
            lambda: check(template("arn:aws:scheduler:::aws-sdk:sqs:sendMessage")),
            r"is an API call \(instead: ApiTarget",
            id="api-universal-noinput",
        ),
        pytest.param(
            lambda: ss.ApiTarget("sqs", "getQueueUrl", {}),
            "an action that changes something, as on AWS, got 'getQueueUrl'",
            id="api-universal-readonly",
        ),
        pytest.param(
            lambda: check(template(QUEUE, KinesisParameters={"PartitionKey": "k"})),
            r"parameters 'KinesisParameters' do not belong to sqs \(SqsParameters\)",
            id="api-params-mismatch",
        ),
        pytest.param(
            lambda: check(template(LAMBDA, KinesisParameters={})),
            r"parameters 'KinesisParameters' do not belong to lambda \(none\)",
            id="api-params-mismatch, none fit",
        ),
        pytest.param(
            lambda: ss.QueueTarget(f"{QUEUE}.fifo"), "expected message_group_id", id="api-fifo-noparams"
        ),
        pytest.param(
            lambda: check(template(f"{QUEUE}.fifo")),
            "a FIFO queue requires SqsParameters",
            id="api-fifo-noparams, template",
        ),
        pytest.param(
            lambda: ss.QueueTarget(QUEUE, message_group_id="g"),
            "expected no message_group_id",
            id="api-std-groupid",
        ),
        pytest.param(
            lambda: check(template(QUEUE, SqsParameters={"MessageGroupId": "g"})),
            "a standard queue allows none",
            id="api-std-groupid, template",
        ),
        pytest.param(
            lambda: ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=TASK, launch_type="FARGATE"),
            "expected subnets for launch_type FARGATE",
            id="api-fargate-nonet",
        ),
        pytest.param(
            lambda: check(
                template(CLUSTER, EcsParameters={"TaskDefinitionArn": TASK, "LaunchType": "FARGATE"})
            ),
            "FARGATE needs NetworkConfiguration",
            id="api-fargate-nonet, template",
        ),
        pytest.param(
            lambda: ss.Cron("0 9 * * ? *", start="2030-01-02T00:00Z", end="2030-01-01T00:00Z"),
            "is not before end",
            id="api-start-after-end",
        ),
    ],
)
def test_what_the_service_refuses_is_refused_before(make: Callable[[], object], words: str) -> None:
    with pytest.raises((ValueError, ss.UnsupportedError), match=words):
        make()


@pytest.mark.parametrize(
    ("jitter", "window"),
    [
        pytest.param(timedelta(0), {"Mode": "OFF"}, id="api-flex-off-window"),
        pytest.param(MINUTE, {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1}, id="api-flex-on-nowindow"),
    ],
)
def test_a_flexible_window_says_its_length_and_only_then(jitter: timedelta, window: dict[str, Any]) -> None:
    assert sent(job(jitter=jitter))["FlexibleTimeWindow"] == window


@pytest.mark.parametrize("schedule", [DAILY.replace(start=NOW - MINUTE), ss.Rate(MINUTE, start=NOW - MINUTE)])
def test_an_old_start_is_never_sent_as_in_api_start_old(schedule: ss.Schedule) -> None:
    assert sent(job(schedule=schedule)).get("StartDate", NOW) >= NOW


def test_an_input_is_json_whatever_its_text_as_in_api_input_json() -> None:
    assert sent(job(input="{oops"))["Target"]["Input"] == '"{oops"'


# -- places and names --------------------------------------------------------------------------------


def test_names_of_single_runs_are_kept() -> None:
    assert "are reserved for single runs" in str(refusal(job(name=f"{RUN_PREFIX}x")))


def test_a_backend_of_one_group_takes_no_job_of_another() -> None:
    check(job(), group="mine")
    assert "in group 'mine', and the job is in 'reports'" in str(refusal(job(group="reports"), group="mine"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param(ss.HandlerTarget("builtins:print"), "a Python function of this process", id="function"),
        pytest.param(ss.CommandTarget(["true"]), "a command of this process", id="command"),
    ],
)
def test_what_lives_in_this_process_is_refused(target: ss.Target, words: str) -> None:
    assert words in str(refusal(job(target=target)))


@pytest.mark.parametrize(
    "name", [pytest.param("nightly.report", id="dot"), pytest.param("_nightly", id="underscore in front")]
)
def test_a_batch_job_is_not_given_a_name_that_batch_refuses_at_every_run(name: str) -> None:
    refusal(job(name=name, target=ss.BatchTarget("d", job_queue="q")))


def test_several_targets_are_refused_with_what_would_do() -> None:
    error = refusal(job(target=ss.ParallelTarget([ss.LambdaTarget(LAMBDA), ss.QueueTarget(QUEUE)])))
    assert error.reason == "ParallelTarget: a schedule has one target, and this one has 2"
    assert error.alternatives == ("one job for each target", MACHINE, "LocalBackend")


# -- policies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words", "alternative"),
    [
        pytest.param(
            {"notify": ss.TopicTarget(TOPIC)}, f"notify '{TOPIC}': the service sends", MACHINE, id="notify"
        ),
        pytest.param(
            {"on_failure": ss.OnFailure.STOP}, "on_failure 'stop'", "OnFailure.CONTINUE", id="on failure"
        ),
        pytest.param(
            {"on_failure": ss.OnFailure.STOP}, "after earlier ones failed", MACHINE, id="on failure, machine"
        ),
        pytest.param({"overlap": ss.Overlap.SKIP}, "overlap 'skip'", "Overlap.ALLOW", id="overlap skip"),
        pytest.param({"overlap": ss.Overlap.QUEUE}, "overlap 'queue'", "Overlap.ALLOW", id="overlap queue"),
        pytest.param({"catch_up": ss.CatchUp.ONE}, "catch_up 'one'", "CatchUp.ALL", id="catch up one"),
        pytest.param({"catch_up": ss.CatchUp.SKIP}, "catch_up 'skip'", "CatchUp.ALL", id="catch up skip"),
        pytest.param(
            {"catch_up_within": MINUTE}, "catch_up_within 0:01:00", "LocalBackend", id="catch up within"
        ),
        pytest.param(
            {"max_run_time": MINUTE}, "max_run_time 0:01:00", "a timeout of the target", id="run time"
        ),
        pytest.param(
            {"retry": ss.Retry(interval=MINUTE)},
            "the pauses between attempts",
            "max_attempts and",
            id="interval",
        ),
        pytest.param({"retry": ss.Retry(backoff_rate=3)}, "backoff_rate", "max_attempts and", id="backoff"),
        pytest.param({"retry": ss.Retry(max_delay=MINUTE)}, "max_delay", "max_attempts and", id="delay"),
        pytest.param(
            {"retry": ss.Retry(max_age=MINUTE + timedelta(milliseconds=1))},
            "max_age 0:01:00.001",
            "round",
            id="age",
        ),
        pytest.param(
            {"jitter": timedelta(seconds=61)},
            "jitter 0:01:01 is not of whole minutes",
            "2 minutes",
            id="jitter",
        ),
    ],
)
def test_a_policy_that_the_service_lacks_is_refused_by_name_with_what_would_do(
    changes: dict[str, Any], words: str, alternative: str
) -> None:
    error = refusal(job(**changes))
    assert words in error.reason
    assert any(alternative in each for each in error.alternatives)


@pytest.mark.parametrize(
    ("schedule", "words", "alternative"),
    [
        pytest.param(
            ss.Cron.from_crontab("0 9 1 * MON"),
            "crontab line '0 9 1 * MON'",
            "two jobs, one a day field",
            id="unix",
        ),
        pytest.param(
            ss.Rate(MINUTE, start=NOW + timedelta(milliseconds=1)),
            "fraction of a second",
            "whole seconds",
            id="rate",
        ),
        pytest.param(
            ss.Windowed("2030-01-01T09:00:00.5", every=ss.Frequency(hours=1)),
            "fraction",
            "",
            id="windowed, fraction",
        ),
        pytest.param(
            ss.Windowed("2030-01-30T09:00", every=ss.Frequency(months=1)),
            "30th",
            "LocalBackend",
            id="windowed",
        ),
        pytest.param(
            ss.Windowed("2030-01-30T09:00", every=ss.Frequency(seconds=10)),
            "no step of 10 seconds: its steps are whole minutes, one at least, and it starts a run within",
            "StepFunctionsBackend",
            id="seconds, backend",
        ),
        pytest.param(
            ss.Windowed("2030-01-30T09:00", every=ss.Frequency(seconds=90)),
            "no step of 90 seconds",
            "render_asl(job)",
            id="seconds, machine",
        ),
        pytest.param(
            ss.Windowed("2030-01-30T09:00", every=ss.Frequency(days=1, seconds=1)),
            "no step of 1 day and 1 second",
            "LocalBackend",
            id="day and second",
        ),
        pytest.param(
            ss.Windowed("2030-01-30T09:00", every=ss.Frequency(years=230)),
            "",
            "LocalBackend",
            id="windowed, rare",
        ),
        pytest.param(
            ss.Windowed("1960-01-30T09:00", every=ss.Frequency(years=2)),
            "",
            "LocalBackend",
            id="windowed, old",
        ),
    ],
)
def test_a_schedule_that_aws_cannot_say_is_refused_with_the_reason(
    schedule: ss.Schedule, words: str, alternative: str
) -> None:
    error = refusal(job(schedule=schedule))
    assert words in error.reason
    assert any(alternative in each for each in error.alternatives)


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(
            ss.Rate(timedelta(hours=1), start=NOW, end=NOW + timedelta(days=9)), id="rate in a window"
        ),
        pytest.param(ss.Cron("0 9 * * ? *", start=NOW, end=NOW + timedelta(days=9)), id="cron in a window"),
        pytest.param(
            ss.Windowed("2030-01-08T00:00", end="2030-03-01T00:00", every=ss.Frequency(hours=5)),
            id="windowed",
        ),
    ],
)
def test_a_schedule_in_a_window_is_taken(schedule: ss.Schedule) -> None:
    check(job(schedule=schedule))


def test_what_refuses_seconds_names_reason_and_the_backends_that_can() -> None:
    often = ss.Windowed("2030-01-30T09:00", every=ss.Frequency(seconds=10))
    assert str(refusal(job(schedule=often))) == (
        "the eventbridge backend refuses job 'job': EventBridge Scheduler has no step of 10 seconds: its "
        "steps are whole minutes, one at least, and it starts a run within the minute (instead: "
        "render_asl(job) gives a state machine that does that; StepFunctionsBackend; LocalBackend)"
    )


def test_step_functions_is_not_named_for_fractions_of_a_second() -> None:
    error = refusal(job(schedule=ss.Windowed("2030-01-01T09:00:00.5", every=ss.Frequency(seconds=10))))
    assert error.alternatives == ("LocalBackend",)


# -- limits ------------------------------------------------------------------------------------------

ECS = ss.targets.EcsTaskTarget(CLUSTER, task_definition_arn=TASK)


def overrides(size: int) -> dict[str, Any]:
    """Overrides whose JSON takes so many bytes."""
    return {"cpu": "x" * (size - len('{"cpu":""}'))}


@pytest.mark.parametrize(
    ("make", "largest", "field"),
    [
        pytest.param(lambda n: job(name="n" * n), 64, "name", id="name"),
        pytest.param(lambda n: job(group="g" * n), 64, "group", id="group"),
        pytest.param(lambda n: job(description="d" * n), 450, "description", id="description"),
        pytest.param(lambda n: job(tags={"k": "v" * n}), 256, "tags", id="tag value"),
        pytest.param(lambda n: job(tags={"k" * n: "v"}), 128, "tags", id="tag key"),
        pytest.param(lambda n: job(retry=ss.Retry(max_attempts=n)), 185, "max_attempts", id="attempts"),
        pytest.param(lambda n: job(retry=ss.Retry(max_age=n * MINUTE)), 1440, "max_age", id="age"),
        pytest.param(lambda n: job(jitter=n * MINUTE), 1440, "jitter", id="jitter"),
        pytest.param(lambda n: job(input="é" * n), 131_071, "input", id="input of a function"),
        pytest.param(
            lambda n: job(target=ss.QueueTarget(QUEUE), input="x" * n),
            262_142,
            "input",
            id="input of a queue",
        ),
        pytest.param(lambda n: job(target=ECS, input=overrides(n)), 8_192, "overrides", id="overrides"),
        pytest.param(
            lambda n: job(target=ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g" * n)),
            128,
            "message_group_id",
            id="message group",
        ),
        pytest.param(
            lambda n: job(target=ss.EventBusTarget(BUS, detail_type="d" * n)),
            128,
            "detail_type",
            id="detail type",
        ),
        pytest.param(
            lambda n: job(target=ss.EventBusTarget(BUS, source="s" * n)), 256, "source", id="source"
        ),
        pytest.param(
            lambda n: job(target=ss.targets.KinesisTarget(STREAM, partition_key="k" * n)),
            256,
            "partition_key",
            id="key",
        ),
        pytest.param(
            lambda n: job(
                target=ss.targets.SageMakerPipelineTarget(
                    TRAINING, parameters={f"p{k}": "v" for k in range(n)}
                )
            ),
            200,
            "parameters",
            id="pipeline parameters",
        ),
        pytest.param(lambda n: job(target=ECS.replace(task_count=n)), 10, "task_count", id="tasks"),
        pytest.param(
            lambda n: job(target=ECS.replace(subnets=[f"s{k}" for k in range(n)])),
            16,
            "subnets",
            id="subnets",
        ),
        pytest.param(
            lambda n: job(target=ECS.replace(subnets=["s"], security_groups=[f"s{k}" for k in range(n)])),
            5,
            "security_groups",
            id="security groups",
        ),
        pytest.param(
            lambda n: job(target=ECS.replace(capacity_providers=[ss.targets.CapacityProvider(name="p")] * n)),
            6,
            "capacity_providers",
            id="capacity providers",
        ),
        pytest.param(
            lambda n: job(target=ECS.replace(placement=[ss.targets.Placement(type="distinctInstance")] * n)),
            10,
            "placement",
            id="placement constraints",
        ),
        pytest.param(
            lambda n: job(target=ECS.replace(placement=[ss.targets.Placement(type="random")] * n)),
            5,
            "placement",
            id="placement strategies",
        ),
        pytest.param(
            lambda n: job(
                target=ECS.replace(placement=[ss.targets.Placement(type="memberOf", value="e" * n)])
            ),
            2000,
            "value",
            id="placement expression",
        ),
        pytest.param(
            lambda n: job(target=ECS.replace(placement=[ss.targets.Placement(type="spread", value="e" * n)])),
            255,
            "value",
            id="placement field",
        ),
        pytest.param(
            lambda n: job(target=ECS.replace(tags={f"k{k}": "v" for k in range(n)})),
            50,
            "tags",
            id="task tags",
        ),
        pytest.param(lambda n: job(target=ECS.replace(tags={"k" * n: "v"})), 128, "tags", id="task tag key"),
        pytest.param(
            lambda n: job(target=ECS.replace(tags={"k": "v" * n})), 256, "tags", id="task tag value"
        ),
        pytest.param(lambda n: job(target=ECS.replace(group="g" * n)), 255, "group", id="task group"),
        pytest.param(
            lambda n: job(target=ECS.replace(reference_id="r" * n)), 1024, "reference_id", id="reference id"
        ),
        pytest.param(
            lambda n: template("arn:aws:inspector:eu-west-1:123456789012:" + "t" * (n - 41)),
            1600,
            "target",
            id="ARN",
        ),
    ],
)
def test_every_limit_of_the_service_holds_to_the_last_one_and_names_our_field(
    make: Callable[[int], ss.Job], largest: int, field: str
) -> None:
    check(make(largest))
    with pytest.raises((ValueError, ss.UnsupportedError), match=field):
        check(make(largest + 1))


@pytest.mark.parametrize("tags", [{"": "v"}, {"k": ""}], ids=["key", "value"])
def test_an_empty_tag_of_a_task_is_refused(tags: dict[str, str]) -> None:
    with pytest.raises((ValueError, ss.UnsupportedError), match="tags"):
        check(job(target=ECS.replace(tags=tags)))


def test_empty_text_is_refused_where_the_service_takes_no_less_than_a_character() -> None:
    assert "input is an empty string" in str(refusal(job(target=ss.QueueTarget(QUEUE), input="")))
    check(job(input=""))


def test_description_and_tags_share_what_room_there_is() -> None:
    check(job(description="d" * 200, tags={"k": "v" * 200}))
    error = refusal(job(description="d" * 300, tags={"k": "v" * 200}))
    assert error.reason.startswith("description and tags take 5")
    assert error.reason.endswith("the service has room for 512")


def test_a_description_that_ends_like_a_mark_is_refused() -> None:
    assert "ends like a metadata suffix" in str(refusal(job(description="x [stepsched 3 9f2c1a7e]")))


# -- inputs that would be lost or misread ------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "where"),
    [
        pytest.param(ss.ApiTarget("sqs", "sendMessage", SEND), "the request", id="api"),
        pytest.param(ss.BatchTarget("d", job_queue="q"), "parameters", id="batch"),
        pytest.param(ss.targets.SageMakerPipelineTarget(TRAINING), "parameters", id="sagemaker"),
    ],
)
def test_an_input_that_would_not_be_sent_is_refused_with_its_place(target: ss.Target, where: str) -> None:
    error = refusal(job(target=target, input={"a": 1}))
    assert "takes no input of the job, so {'a': 1} would be lost" in error.reason
    assert error.alternatives[0].startswith("put it into ")
    assert where in error.alternatives[0]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        pytest.param(["x"], "holds overrides, as an object", id="no object"),
        pytest.param(
            {"environment": []}, "input has 'environment', which RunTask does not", id="other words"
        ),
        pytest.param({"ContainerOverrides": []}, "does containerOverrides, cpu", id="upper case"),
    ],
)
def test_the_input_of_a_task_holds_what_run_task_overrides(payload: Any, words: str) -> None:
    assert words in str(refusal(job(target=ECS, input=payload)))


LIKE = "x <AWS.scheduler.anything"


@pytest.mark.parametrize(
    ("it", "place"),
    [
        pytest.param(job(input=LIKE), "input holds", id="text"),
        pytest.param(job(input=["a", {"b": LIKE}]), "input[1].b holds", id="nested"),
        pytest.param(job(input={"a": {LIKE: 1}}), "a key of input.a holds", id="key"),
        pytest.param(
            job(input={"a": SCHEDULED_TIME, "b": str(SCHEDULED_TIME)}), "input.b holds", id="plain text"
        ),
        pytest.param(
            job(target=ss.QueueTarget(QUEUE), input=f"{EXECUTION_ID}"), "input holds", id="formatted"
        ),
        pytest.param(
            api("sqs", "sendMessage", SEND | {"MessageBody": LIKE}), "request.MessageBody holds", id="request"
        ),
        pytest.param(
            job(target=ss.BatchTarget("d", job_queue="q", parameters={"p": LIKE})),
            "request.Parameters.p holds",
            id="batch parameters",
        ),
        pytest.param(
            job(target=ss.BatchTarget("d", job_queue="q", parameters={LIKE: "p"})),
            "a key of request.Parameters holds",
            id="key of batch parameters",
        ),
        pytest.param(
            job(target=ss.BatchTarget("d", job_queue="q", container_overrides={"Command": [LIKE]})),
            "request.ContainerOverrides.Command[0] holds",
            id="batch overrides",
        ),
        pytest.param(
            job(target=ss.BatchTarget(f"d{LIKE}", job_queue="q")),
            "request.JobDefinition holds",
            id="batch definition",
        ),
    ],
)
def test_text_that_looks_like_an_attribute_is_refused_with_its_place(it: ss.Job, place: str) -> None:
    assert refusal(it).reason.startswith(place)


@pytest.mark.parametrize(
    "it",
    [
        pytest.param(job(input={"at": SCHEDULED_TIME, "more": ["n" + ATTEMPT_NUMBER]}), id="input"),
        pytest.param(job(target=ss.QueueTarget(QUEUE), input="at " + SCHEDULED_TIME), id="text"),
        pytest.param(api("sqs", "sendMessage", SEND | {"MessageBody": "at " + SCHEDULED_TIME}), id="request"),
        pytest.param(
            job(target=ss.BatchTarget("d", job_queue="q", parameters={"at": SCHEDULED_TIME})),
            id="batch parameters",
        ),
        pytest.param(job(input="<aws.schedule> <aws-scheduler."), id="other text"),
    ],
)
def test_attributes_are_taken_wherever_the_service_replaces_them(it: ss.Job) -> None:
    check(it)


# -- calls of an API ---------------------------------------------------------------------------------

RUN = {"Cluster": "c", "TaskDefinition": "t"}


@pytest.mark.parametrize(
    "it",
    [
        pytest.param(api("sqs", "sendMessage", SEND), id="queue"),
        pytest.param(api("ecs", "runTask", RUN | {"Count": 2, "EnableExecuteCommand": True}), id="task"),
        pytest.param(
            api("dynamodb", "putItem", {"TableName": "t", "Item": {"k": {"S": "v"}}}), id="map of structures"
        ),
        pytest.param(api("sfn", "startExecution", {"StateMachineArn": "a"}), id="SDK's own name"),
        pytest.param(api("ec2", "stopInstances", {"InstanceIds": ["i-1"]}), id="list"),
        pytest.param(
            api("rds", "stopDBCluster", {"DbClusterIdentifier": "a"}), id="other case of an acronym"
        ),
        pytest.param(api("sns", "publish", {"Message": "m", "TopicArn": "t"}), id="topic"),
    ],
)
def test_a_request_that_fits_the_call_is_taken(it: ss.Job) -> None:
    check(it)


@pytest.mark.parametrize(
    ("service", "action", "request_", "words"),
    [
        pytest.param(
            "sqs",
            "sendMesage",
            SEND,
            "'sqs' has no action 'sendMesage' (instead: ApiTarget('sqs', 'sendMessage'",
            id="action",
        ),
        pytest.param(
            "sqs", "sendMessage", {"QueueUrl": "u"}, "request: 'MessageBody' is missing", id="missing"
        ),
        pytest.param(
            "sqs",
            "sendMessage",
            {},
            "request: 'QueueUrl' is missing, which sqs:sendMessage requires; request: 'MessageBody' is",
            id="all missing",
        ),
        pytest.param(
            "sqs",
            "sendMessage",
            SEND | {"Bodi": 1},
            "request/Bodi: sqs:sendMessage takes no 'Bodi' here",
            id="unknown",
        ),
        pytest.param(
            "sqs",
            "sendMessage",
            {"queueUrl": "u", "MessageBody": "b"},
            "parameters in Pascal case, 'QueueUrl'",
            id="case",
        ),
        pytest.param(
            "sqs",
            "sendMessage",
            SEND | {"DelaySeconds": "5"},
            "request/DelaySeconds: 'DelaySeconds' must be a whole number, not '5'",
            id="text for a number",
        ),
        pytest.param(
            "sqs",
            "sendMessage",
            SEND | {"DelaySeconds": True},
            "must be a whole number",
            id="true for a number",
        ),
        pytest.param(
            "sqs", "sendMessage", SEND | {"DelaySeconds": 1.5}, "must be a whole number", id="fraction"
        ),
        pytest.param(
            "sqs", "sendMessage", SEND | {"MessageBody": 5}, "must be a string", id="number for text"
        ),
        pytest.param("sqs", "sendMessage", SEND | {"MessageBody": None}, "must be a string", id="null"),
        pytest.param(
            "ecs", "runTask", RUN | {"EnableExecuteCommand": 1}, "must be true or false", id="number for true"
        ),
        pytest.param(
            "ecs",
            "runTask",
            RUN | {"Overrides": []},
            "request/Overrides: 'Overrides' must be an object, not []",
            id="list for a structure",
        ),
        pytest.param(
            "ecs",
            "runTask",
            RUN | {"Overrides": {"ContainerOverrides": [{"Name": "a"}, {"Name": 1}]}},
            "request/Overrides/ContainerOverrides/1/Name: 'Name' must be a string, not 1",
            id="in a list",
        ),
        pytest.param("ecs", "runTask", RUN | {"Tags": {}}, "must be a list", id="structure for a list"),
        pytest.param(
            "dynamodb",
            "putItem",
            {"TableName": "t", "Item": {"k": {"S": 1}}},
            "request/Item/k/S: 'S' must be a string, not 1",
            id="in a map",
        ),
        pytest.param(
            "dynamodb", "putItem", {"TableName": "t", "Item": []}, "must be an object", id="list for a map"
        ),
        pytest.param(
            "dynamodb",
            "putItem",
            {"TableName": "t", "Item": {"k": {"X": "1"}}},
            "request/Item/k/X: dynamodb:putItem takes no 'X' here",
            id="unknown in a map",
        ),
        pytest.param(
            "batch",
            "submitJob",
            {"JobName": "a", "JobQueue": "q", "JobDefinition": "d", "ArrayProperties": {"Size": "5"}},
            "request/ArrayProperties/Size: 'Size' must be a whole number, not '5'",
            id="in a structure",
        ),
    ],
)
def test_a_request_that_does_not_fit_the_call_is_refused_with_place_and_cure(
    service: str, action: str, request_: dict[str, Any], words: str
) -> None:
    assert words in str(refusal(api(service, action, request_)))


def test_the_overrides_of_a_batch_job_are_compared_with_the_call() -> None:
    target = ss.BatchTarget("d", job_queue="q", container_overrides={"environment": []})
    assert "in Pascal case, 'Environment'" in str(refusal(job(target=target)))


# -- the backend's own ARNs --------------------------------------------------------------------------

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"


@pytest.mark.parametrize(
    ("check_arn", "arn"),
    [
        pytest.param(check_role, ROLE, id="role"),
        pytest.param(check_role, "arn:aws-us-gov:iam::123456789012:role/a/b+=,.@-_c", id="role with a path"),
        pytest.param(check_role, None, id="no role"),
        pytest.param(check_key, KEY, id="key"),
        pytest.param(check_key, "arn:aws-cn:kms:cn-north-1:123456789012:alias/my_key", id="alias"),
        pytest.param(check_key, None, id="no key"),
        pytest.param(check_queue, QUEUE, id="queue"),
        pytest.param(check_queue, None, id="no queue"),
    ],
)
def test_an_arn_of_the_right_kind_is_taken_as_it_is(
    check_arn: Callable[[str | None], str | None], arn: str | None
) -> None:
    assert check_arn(arn) == arn


@pytest.mark.parametrize(
    ("check_arn", "arn", "words"),
    [
        pytest.param(check_role, "", "for role_arn, got ''", id="empty role"),
        pytest.param(check_role, "scheduler", "arn:aws:iam::<account>:role/<name>", id="name of a role"),
        pytest.param(check_role, ROLE.replace("role/", "user/"), "role_arn", id="user"),
        pytest.param(check_role, ROLE.replace("123456789012", "123"), "role_arn", id="short account"),
        pytest.param(check_role, ROLE.replace("123456789012", "१२३४५६७८९०१२"), "role_arn", id="role, digits"),
        pytest.param(check_role, f"{ROLE}\n", "role_arn", id="line break"),
        pytest.param(check_role, ROLE + "r" * 1600, "role_arn", id="long role"),
        pytest.param(check_role, 5, "for role_arn, got 5", id="number"),
        pytest.param(check_key, "1234", "arn:aws:kms:<region>:<account>:key/<id>", id="key id"),
        pytest.param(check_key, KEY.replace("123456789012", "१२३४५६७८९०१२"), "kms_key_arn", id="key, digits"),
        pytest.param(check_key, KEY + "k" * 2048, "kms_key_arn", id="long key"),
        pytest.param(check_queue, f"{QUEUE}.fifo", "got the FIFO queue", id="fifo"),
        pytest.param(check_queue, "https://sqs", "arn:aws:sqs:<region>:<account>:<queue>", id="url"),
        pytest.param(
            check_queue, QUEUE.replace("123456789012", "१२३४५६७८९०१२"), "dead_letter_arn", id="digits"
        ),
        pytest.param(check_queue, LAMBDA, "dead_letter_arn", id="function"),
    ],
)
def test_an_arn_of_another_kind_is_refused_with_the_form(
    check_arn: Callable[[Any], str | None], arn: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        check_arn(arn)


def test_dead_letters_of_a_job_need_a_whole_arn() -> None:
    error = refusal(job(dead_letter=ss.QueueTarget(QUEUE.replace("123456789012", "123"))))
    assert error.reason.startswith("dead_letter 'arn:aws:sqs:eu-west-1:123:orders' is not of the form")


@pytest.mark.parametrize(
    ("service", "words"),
    [
        pytest.param("newerthanbotocore", "knows no service 'newerthanbotocore', so its request", id="new"),
        pytest.param("sqss", "not checked; did you mean 'sqs'?", id="near"),
    ],
)
def test_a_service_that_botocore_does_not_know_is_taken_with_a_warning(service: str, words: str) -> None:
    with pytest.warns(ss.ScheduleWarning) as caught:
        check(job(target=ss.ApiTarget(service, "doIt", {"a": 1})))
    assert words in str(caught[0].message)


def test_a_job_may_name_the_group_of_its_backend() -> None:
    check(job(group="reports"), group="reports")
    assert "the job is in 'other'" in str(refusal(job(group="other"), group="reports"))


def test_an_account_has_twelve_digits() -> None:
    short = ss.LambdaTarget("arn:aws:lambda:eu-west-1:1234:function:f")
    assert "has not 12 digits" in str(refusal(job(target=short)))
