"""Register leaves the rows that the client in Python leaves, for any sequence of changes.

The machine is played by the reference engine of JSONata; both write to the DynamoDB of moto.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any, NamedTuple

import boto3
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto import mock_aws

import stepsched as ss
from stepsched.machines.shared import table_schema
from stepsched.machines.shared.register import register
from stepsched.machines.shared.registration import registration
from stepsched.machines.shared.runner import CALLS, runner
from stepsched.testing import FakeClock
from tests.parts.jsonata_engine import JsonataEngine
from tests.property.register_player import RefusedError, RegisterPlayer

pytestmark = pytest.mark.filterwarnings("ignore:.*may overlap")
NOW = datetime(2030, 1, 7, tzinfo=timezone.utc)
ACCOUNT = "eu-west-1:123456789012"
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{ACCOUNT}:q")
FIFO = ss.QueueTarget(f"arn:aws:sqs:{ACCOUNT}:q.fifo", message_group_id="g")
TOPIC = ss.TopicTarget(f"arn:aws:sns:{ACCOUNT}:news.fifo")
API = ss.ApiTarget("s3", "putObject", {"Bucket": "b", "Key": ss.context.SCHEDULED_TIME, "Body": "x"})
TARGETS: list[ss.targets.Target] = [
    ss.LambdaTarget(f"arn:aws:lambda:{ACCOUNT}:function:f"),
    ss.StateMachineTarget(f"arn:aws:states:{ACCOUNT}:stateMachine:m"),
    QUEUE,
    FIFO,
    TOPIC,
    ss.targets.EventBusTarget(f"arn:aws:events:{ACCOUNT}:event-bus/b", detail_type="d", source="s"),
    ss.targets.KinesisTarget(f"arn:aws:kinesis:{ACCOUNT}:stream/s", partition_key="p"),
    ss.targets.EcsTaskTarget(
        cluster_arn=f"arn:aws:ecs:{ACCOUNT}:cluster/c",
        task_definition_arn=f"arn:aws:ecs:{ACCOUNT}:task-definition/t:1",
    ),
    ss.targets.BatchTarget(
        job_queue=f"arn:aws:batch:{ACCOUNT}:job-queue/q",
        job_definition=f"arn:aws:batch:{ACCOUNT}:job-definition/d",
        job_name="work",
    ),
    API,
    ss.HttpTarget(
        "https://example.com/hook?a=1",
        headers={"x-kind": "tick"},
        connection_arn=f"arn:aws:events:{ACCOUNT}:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11",
    ),
    ss.HttpTarget(
        "https://example.com/ping",
        method="GET",
        connection_arn=f"arn:aws:events:{ACCOUNT}:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11",
    ),
]
PARIS = "Europe/Paris"
SCHEDULES: list[ss.schedules.AnySchedule] = [
    ss.Cron("0 9 ? * MON-FRI *"),
    ss.Cron("30 2 L * ? *", timezone=PARIS),
    ss.Cron("*/15 * * * ? 2030-2032", timezone="Asia/Kolkata"),
    ss.parse_schedule("rate(5 minutes)"),
    ss.parse_schedule("rate(1 day)"),
    ss.OneTime("2030-01-07T00:20:00"),
    ss.OneTime("2030-06-01T02:30:00", timezone=PARIS),
    ss.Windowed("2030-01-06T00:00", every=ss.Frequency(hours=6)),
    ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1), end="2031-01-31T09:00", timezone=PARIS),
]
POLICIES: list[dict[str, Any]] = [
    {},
    {"overlap": ss.Overlap.SKIP, "retry": ss.Retry(max_attempts=2, backoff_rate=1.1)},
    {"overlap": ss.Overlap.QUEUE, "dead_letter": QUEUE, "notify": TOPIC, "group": "team"},
    {"jitter": timedelta(seconds=90), "on_failure": ss.OnFailure.STOP, "tags": {"a": "b{%"}},
    {"retry": ss.Retry.webhook()},
    {"retry": ss.Retry(pauses=[timedelta(seconds=1.5)])},
    {"completion": ss.Completion.KEEP, "description": "'quoted' {% $x %} é𝄞"},
]
plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<"), max_size=5)
fractions = st.floats(-1e6, 1e6).map(lambda number: round(number, 3)).filter(lambda x: x != int(x))
numbers = st.integers(-(2**40), 2**40) | fractions  # Step Functions writes 1.0 as 1
values = st.recursive(
    st.none() | st.booleans() | numbers | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=6,
)
names = plain.map(lambda text: f"job {text}".strip()).filter(ss.jobs.names.is_name)
puts = st.fixed_dictionaries(
    {
        "schedule": st.sampled_from(SCHEDULES),
        "input": values,
        "policies": st.sampled_from(POLICIES),
        "enabled": st.sampled_from([True, True, True, False]),
    }
)
steps = st.one_of(
    st.tuples(st.just("put"), puts),
    st.tuples(st.just("again"), st.none()),
    st.tuples(st.sampled_from(["pause", "resume", "cancel", "claim", "end", "take"]), st.none()),
    st.tuples(st.just("move"), st.sampled_from([1, 60, 900, 86_400])),
)


class Side(NamedTuple):
    table: str
    machine_arn: str
    client: ss.SchedulerClient


class Both:
    """A table that register writes, and one that the client writes."""

    def __init__(self, engine: JsonataEngine) -> None:
        self.clock = FakeClock(NOW)
        self.dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
        sfn = boto3.client("stepfunctions", region_name="eu-west-1")
        calls = (*CALLS, "aws-sdk:s3:putObject")
        self.sides = [self._side(sfn, name, calls) for name in ("ours", "python")]
        ours = self.sides[0]
        machine = register(ours.table, ours.machine_arn, calls=calls)
        self.player = RegisterPlayer(engine, machine, self.dynamodb, sfn)
        self.numbers = count()

    def _side(self, sfn: Any, name: str, calls: tuple[str, ...]) -> Side:
        self.dynamodb.create_table(**table_schema.creation(name))
        role = "arn:aws:iam::123456789012:role/machine"
        definition = runner(name, calls=calls).to_json()
        arn = sfn.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
        backend = ss.StepFunctionsBackend(state_machine_arn=arn, table_name=name, clock=self.clock, workers=1)
        return Side(name, arn, ss.SchedulerClient(backend))

    # -- steps ---------------------------------------------------------------------------------------------

    def put(self, job: ss.Job, *, whole: bool = True) -> bool:
        """Whether the job was put. Both refuse it, or neither."""
        stored = json.loads(job.model_dump_json())
        schedule = stored["schedule"]
        text = schedule.get("expression")
        if schedule["kind"] == "one_time":
            text = f"at({schedule['at']})"
        if schedule["kind"] == "rate":
            text = job.schedule.expression
        call: dict[str, Any] = {
            "name": job.name,
            "schedule": text or schedule,
            "timezone": schedule.get("timezone"),
            "registration": registration(job.replace(name="any")),
        }
        if job.input != {} or whole:
            call |= {"input": job.input}
        refused = []
        try:
            self.sides[1].client.apply([job])
        except (ss.errors.StepschedError, ValueError) as error:
            refused.append(str(error))
        try:
            self.player.call(self.clock.now(), call)
        except RefusedError as error:
            refused.append(str(error))
        assert len(refused) in (0, 2), refused
        return not refused

    def each(self, step: str, name: str) -> None:
        """A step of the clients, or of an execution of the runner."""
        for side in self.sides:
            item = self.item(side, name)
            status = None if item is None else item["status"]["S"]
            if item is None:
                continue
            executions = side.machine_arn.replace(":stateMachine:", ":execution:")
            token = item.get("token", {}).get("S")
            arn = f"{executions}:job-{token}"
            changes: dict[str, Any] = {}
            match step:
                case "pause" if status in ("active", "paused"):
                    side.client.pause(name, reason="why")
                case "resume" if status in ("active", "paused"):
                    side.client.resume(name)
                case "take" if token is not None:
                    changes = {"execution": {"S": arn}}
                case "claim" if token is not None and item["due"]["S"] != "never":
                    due = item["due"]["S"]
                    changes = {
                        "execution": {"S": arn},
                        "cursor": {"S": due},
                        "claimed_by": {"S": arn},
                        "claimed": {"S": f"run#{due}"},
                        "started_at": {"S": f"{due[:19]}.250Z"},
                    }
                case "end" if status == "active":
                    changes = {"status": {"S": "ended"}, "due": {"S": "never"}, "token": None}
            left = {key: value for key, value in {**item, **changes}.items() if value is not None}
            if changes:
                self.dynamodb.put_item(TableName=side.table, Item=left)

    def cancel(self, name: str) -> None:
        if self.item(self.sides[1], name) is not None:
            self.sides[1].client.cancel(name)
        self.player.call(self.clock.now(), {"name": name, "schedule": "delete"})

    # -- rows ----------------------------------------------------------------------------------------------

    def item(self, side: Side, name: str) -> dict[str, Any] | None:
        key = {"name": {"S": name}, "version": {"S": "v0"}}
        found: dict[str, Any] | None = self.dynamodb.get_item(TableName=side.table, Key=key).get("Item")
        return found

    def compare(self, name: str) -> None:
        ours, python = (self.rows(side, name) for side in self.sides)
        assert ours.keys() == python.keys()
        for key, row in ours.items():
            for attribute in row.keys() | python[key].keys():
                assert row.get(attribute) == python[key].get(attribute), (key, attribute)

    def rows(self, side: Side, name: str) -> dict[str, Any]:
        found = self.dynamodb.query(
            TableName=side.table,
            KeyConditionExpression="#n = :n",
            ExpressionAttributeNames={"#n": "name"},
            ExpressionAttributeValues={":n": {"S": name}},
        )["Items"]
        return {item["version"]["S"]: self._normal(item, side) for item in found}

    def _normal(self, item: dict[str, Any], side: Side) -> dict[str, Any]:
        normal = dict(item)
        for attribute in ("token", "execution", "claimed_by"):
            if attribute in normal:
                text = normal[attribute]["S"].replace(f":{side.table}:", ":machine:")
                normal[attribute] = re.sub(r"[0-9a-f]{12}", "<token>", text)
        for attribute in ("job", "plan"):
            if attribute in normal:
                normal[attribute] = json.loads(normal[attribute]["S"])
        return normal


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with pytest.MonkeyPatch.context() as patch, JsonataEngine() as engine, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("MOTO_ACCOUNT_ID", "123456789012")
        two = Both(engine)
        yield two
        for side in two.sides:
            side.client.backend.close()


def play(both: Both, name: str, target: ss.targets.Target, steps: list[tuple[str, Any]]) -> None:
    name = f"{name} {next(both.numbers)}"
    last: ss.Job | None = None
    for step, given_value in steps:
        match step:
            case "put":
                fields = {key: value for key, value in given_value.items() if key != "policies"}
                try:
                    job = ss.Job(name=name, target=target, **{**fields, **given_value["policies"]})
                    registration(job)
                except ss.errors.UnsupportedError:
                    try:
                        job = job.replace(input={})
                        registration(job)
                    except ss.errors.UnsupportedError:
                        continue
                if both.put(job):
                    last = job
            case "again" if last is not None:
                both.put(last)
            case "cancel":
                both.cancel(name)
            case "move":
                both.clock.move_to(both.clock.now() + timedelta(seconds=given_value))
            case _:
                both.each(step, name)
        both.compare(name)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
def test_every_target_has_the_rows_of_the_client(both: Both, target: ss.targets.Target) -> None:
    """With texts, lists, numbers and objects as input; refused by both, or by neither. Each target begins
    with another schedule, so that all of them occur."""
    first = TARGETS.index(target)
    schedules = [*SCHEDULES, *SCHEDULES][first : first + 4]
    inputs: list[Any] = [{"a": [1, [2], []], "b.$": None}, "te'xt \" {% \\ é𝄞", [1.5], 7, True, None, {}]
    steps = [
        ("put", {"schedule": schedule, "input": value, "policies": policies, "enabled": True})
        for schedule, value, policies in zip(schedules, inputs[first % 3 :], POLICIES, strict=False)
    ]
    play(both, "table", target, [*steps, ("cancel", None)])


@settings(
    max_examples=4,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # an example takes long: none is shrunk in the gate
)
@given(name=names, target=st.sampled_from(TARGETS), given_steps=st.lists(steps, min_size=2, max_size=8))
def test_any_sequence_leaves_the_rows_of_the_client(
    both: Both, name: str, target: ss.targets.Target, given_steps: list[tuple[str, Any]]
) -> None:
    play(both, name, target, given_steps)


@pytest.mark.proof
@settings(
    max_examples=100,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
)
@given(name=names, target=st.sampled_from(TARGETS), given_steps=st.lists(steps, min_size=2, max_size=12))
def test_many_sequences_leave_the_rows_of_the_client(
    both: Both, name: str, target: ss.targets.Target, given_steps: list[tuple[str, Any]]
) -> None:
    play(both, name, target, given_steps)
