"""What a hostile account, a careless caller and the ends of time must not do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest

import stepsched as ss
from stepsched.backends.eventbridge.dead_letters import read_dead_letter
from stepsched.backends.eventbridge.single_runs import run_name
from stepsched.testing import FakeClock
from tests.parts.scheduler_stub import ACCOUNT, SchedulerStub
from tests.sessions import new_session

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:work"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
END = datetime.max.replace(tzinfo=timezone.utc)


def job(name: str = "job", **changes: Any) -> ss.Job:
    plain = ss.Job(name=name, schedule=ss.Cron("0 9 * * ? *"), target=ss.LambdaTarget(FUNCTION))
    return plain.replace(**changes)


def session() -> boto3.Session:
    return new_session(aws_access_key_id=ACCOUNT, aws_secret_access_key="secret", region_name=REGION)


@pytest.fixture
def stub() -> Iterator[SchedulerStub]:
    with SchedulerStub(clock=FakeClock(T0).now) as stub:
        yield stub


@pytest.fixture
def open_backend(stub: SchedulerStub) -> Iterator[Callable[..., ss.EventBridgeBackend]]:
    made = list[ss.EventBridgeBackend]()

    def open_backend(**changes: Any) -> ss.EventBridgeBackend:
        given: dict[str, Any] = {"session": session(), "endpoint_url": stub.endpoint_url, "workers": 4}
        made.append(ss.EventBridgeBackend(ROLE, clock=FakeClock(T0), **(given | changes)))
        return made[-1]

    yield open_backend
    for backend in made:
        backend.close()


@pytest.fixture
def client(open_backend: Callable[..., ss.EventBridgeBackend]) -> ss.SchedulerClient:
    return ss.SchedulerClient(open_backend())


class TestPrune:
    """A plan is applied to what it saw, or not at all."""

    def test_a_schedule_of_others_that_has_taken_the_name_stays(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create_many([job("a"), job("b")])
        plan = client.plan([job("a")], prune=True)
        client.cancel("b")
        stub.put("b")
        with pytest.raises(ss.errors.BulkError) as caught:
            client.apply(plan)
        assert isinstance(caught.value.failures["b"], ss.ConflictError)
        assert ("default", "b") in stub.schedules

    def test_a_job_that_has_changed_meanwhile_stays(self, client: ss.SchedulerClient) -> None:
        client.create_many([job("a"), job("b")])
        plan = client.plan([job("a")], prune=True)
        client.update(job("b", description="new"))
        with pytest.raises(ss.errors.BulkError, match="no longer at version 1"):
            client.apply(plan)
        assert client.get("b").job.description == "new"

    def test_a_plan_of_another_backend_deletes_nothing_of_others(
        self, stub: SchedulerStub, open_backend: Callable[..., ss.EventBridgeBackend]
    ) -> None:
        there = ss.SchedulerClient(open_backend(group="g1"))
        there.create_many([job("a"), job("b")])
        plan = there.plan([job("a")], prune=True)
        stub.put("b")
        with pytest.raises(ss.errors.BulkError):
            ss.SchedulerClient(open_backend()).apply(plan)
        assert {("default", "b"), ("g1", "b")} <= stub.schedules.keys()

    def test_a_plan_can_be_applied_twice(self, client: ss.SchedulerClient) -> None:
        client.create_many([job("a"), job("b"), job("c", description="old")])
        plan = client.plan([job("a"), job("c")], prune=True)
        client.apply(plan)
        client.apply(plan)
        assert [record.name for record in client.list()] == ["a", "c"]


class TestPoison:
    """One odd schedule stops no list and no other verb."""

    @pytest.mark.parametrize(
        "schedule",
        [
            pytest.param(ss.Cron("0 9 * * ? *", end=END), id="cron"),
            pytest.param(ss.Rate(timedelta(days=1), end=END), id="rate"),
            pytest.param(
                ss.Rate(timedelta(days=1), start="9999-12-31T23:59:58Z", end="9999-12-31T23:59:59.9Z"),
                id="rate at the end",
            ),
        ],
    )
    def test_the_end_of_time(self, client: ss.SchedulerClient, schedule: ss.Schedule) -> None:
        record = client.create(job(schedule=schedule))
        assert client.get("job").job == record.job == job(schedule=schedule)
        assert [each.name for each in client.list()] == ["job"]
        client.pause("job")
        client.resume("job")
        client.cancel("job")

    @pytest.mark.parametrize(
        "members",
        [
            pytest.param({"EndDate": 253_402_300_799}, id="9999"),
            pytest.param({"EndDate": 1e15}, id="beyond 9999"),
            pytest.param({"StartDate": -1e15}, id="before 1"),
            pytest.param(
                {"Description": '[stepsched 1 aaaaaaaa {"schedule":{"kind":"rate","every":"P9999999D"}}]'},
                id="a mark of nonsense",
            ),
        ],
    )
    def test_what_others_have_written(
        self, stub: SchedulerStub, client: ss.SchedulerClient, members: dict[str, Any]
    ) -> None:
        client.create(job("good"))
        stub.put("odd", ScheduleExpression="rate(5 minutes)", **members)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            names = [record.name for record in client.list()]
        assert "good" in names
        # Seen, or said to be left out; never silently lost.
        assert ("odd" in names) != any("'odd'" in str(each.message) for each in caught)

    def test_an_input_deeper_than_any_reader(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        deep = "[" * 100_000 + "]" * 100_000
        stub.put("deep", Target={"Arn": QUEUE, "Input": deep})
        assert [record.name for record in client.list()] == ["deep"]
        client.pause("deep")
        assert stub.schedules["default", "deep"]["Target"]["Input"] == deep

    def test_a_mark_at_the_largest_version_stays_a_mark(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        stub.put("old", Description="theirs [stepsched 999999999 aaaaaaaa]")
        record = client.get("old")
        client.update(record.job.replace(description="ours"))
        assert (client.get("old").owned, client.get("old").version) == (True, record.version + 1)

    def test_a_schedule_of_others_that_is_named_like_a_single_run_is_listed(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        stub.put("stepsched-run-00000000-job")
        client.create(job())
        client.run_now("job")
        assert [record.name for record in client.list()] == ["job", "stepsched-run-00000000-job"]


def test_a_dead_letter_of_a_long_name_is_redriven_on_its_own_job(
    stub: SchedulerStub, client: ss.SchedulerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = "a" * 41, "a" * 41 + "-prod"
    other = FUNCTION + "-prod"
    client.create_many([job(short), job(long, target=ss.LambdaTarget(other))])
    run = run_name(long, "key")
    message = {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": '{"secret":1}',
        "MessageAttributes": {
            "SCHEDULE_ARN": {"StringValue": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{run}"},
            "SCHEDULED_TIME": {"StringValue": "2030-01-07T09:00:00Z"},
        },
    }
    letter = read_dead_letter(message, QUEUE)
    assert letter is not None
    deleted = list[str]()
    backend = client.backend
    monkeypatch.setattr(backend, "discard", lambda letter: deleted.append(letter.message_id))
    client.redrive(letter)
    (sent,) = (body for (_, name), body in stub.schedules.items() if name.startswith("stepsched-run-"))
    assert (sent["Target"]["Arn"], sent["Target"]["Input"]) == (other, '{"secret":1}')
    assert deleted == ["m"]
    client.cancel(long)
    with pytest.raises(ss.InvalidTransitionError, match="deleted"):
        client.redrive(letter)


class TestTargets:
    """False requests are found before they are stored, and right ones are let through."""

    @pytest.mark.parametrize(
        ("target", "words"),
        [
            pytest.param(ss.ApiTarget("redshiftdata", "executeStatement", {"Typo": 1}), "Typo", id="member"),
            pytest.param(
                ss.ApiTarget("cognito-idp", "adminDeleteUser", {}), "cognitoidentityprovider", id="alias"
            ),
            pytest.param(ss.ApiTarget("stepfunctions", "startExecution", {}), "'sfn'", id="sfn"),
            pytest.param(ss.ApiTarget("ecs", "runtask", {"TaskDefinition": "t"}), "'runTask'", id="case"),
            pytest.param(
                ss.ApiTarget(
                    "rdsdata",
                    "executeStatement",
                    {
                        "ResourceArn": "arn:aws:rds:eu-west-1:123456789012:cluster:c",
                        "SecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s",
                        "Sql": "select :a",
                        "Parameters": [{"Name": "a", "Value": {"StringValue": "x", "LongValue": 1}}],
                    },
                ),
                "exactly one of",
                id="union",
            ),
            pytest.param(
                ss.targets.TemplateTarget(f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s", parameters={}),
                "KinesisParameters",
                id="no block",
            ),
            pytest.param(
                ss.targets.TemplateTarget(
                    f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s",
                    parameters={"KinesisParameters": {"PartitionKey": 5}},
                ),
                "PartitionKey",
                id="wrong block",
            ),
            pytest.param(
                ss.targets.TemplateTarget(
                    f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/c", parameters={"EcsParameters": {"Nonsense": 1}}
                ),
                "Nonsense",
                id="ecs",
            ),
            pytest.param(
                ss.targets.TemplateTarget(
                    f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/b",
                    parameters={"EventBridgeParameters": {"DetailType": "d", "Source": "$.x"}},
                ),
                "like a path",
                id="source",
            ),
        ],
    )
    def test_wrong(self, client: ss.SchedulerClient, target: Any, words: str) -> None:
        with pytest.raises(ss.UnsupportedError, match=None) as caught:
            client.create(job(target=target))
        assert words in str(caught.value)

    @pytest.mark.parametrize(
        "target",
        [
            pytest.param(ss.ApiTarget("fis", "startExperiment", {"ExperimentTemplateId": "x"}), id="token"),
            pytest.param(
                ss.ApiTarget("dynamodb", "putItem", {"TableName": "t", "Item": {"k": {"S": "a"}}}), id="union"
            ),
        ],
    )
    def test_right(self, client: ss.SchedulerClient, target: Any) -> None:
        assert client.create(job(target=target)).job.target == target

    @pytest.mark.parametrize(
        "arn", [f"{FUNCTION}\x00", FUNCTION.replace(ACCOUNT, "\u0661" * 12), f"{FUNCTION}\n"]
    )
    def test_an_arn_of_odd_characters(self, arn: str) -> None:
        with pytest.raises(ValueError):
            ss.LambdaTarget(arn)


def test_a_job_that_names_its_backend_s_group_comes_back_as_it_is(
    open_backend: Callable[..., ss.EventBridgeBackend],
) -> None:
    scoped = ss.SchedulerClient(open_backend(group="team"))
    wanted = [job("named", group="team"), job("plain")]
    scoped.create_many(wanted)
    assert [record.job for record in scoped.list()] == wanted
    assert scoped.plan(wanted, prune=True).is_empty
    whole = ss.SchedulerClient(open_backend())
    assert [record.job.group for record in whole.list(group="team")] == ["team", "team"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"session": "x"}, "boto3.Session", id="session"),
        pytest.param({"endpoint_url": 1}, "endpoint_url", id="endpoint"),
        pytest.param({"endpoint_url": "ftp://x"}, "endpoint_url", id="endpoint of another kind"),
        pytest.param({"rates": {"CreateSchedule": "5"}}, "CreateSchedule", id="rate"),
        pytest.param({"rates": {"CreateSchedule": float("inf")}}, "CreateSchedule", id="no rate"),
        pytest.param({"rates": [1]}, "for rates", id="rates"),
        pytest.param({"clock": FakeClock}, "for clock", id="clock"),
        pytest.param({"role_arn": "arn:aws-cn:iam::123456789012:role/r"}, "partition", id="role"),
        pytest.param({"dead_letter_arn": f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:q"}, "partition", id="queue"),
        pytest.param({"kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"}, "kms_key_arn", id="key"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        ss.EventBridgeBackend(**({"session": session()} | arguments))
    assert words in str(caught.value)


def test_context_attributes_join_with_text_alone() -> None:
    others: list[Any] = [None, 5, b"x", []]
    for other in others:
        with pytest.raises(TypeError):
            ss.context.EXECUTION_ID + other
        with pytest.raises(TypeError):
            other + ss.context.EXECUTION_ID


def test_tags_are_no_payload(client: ss.SchedulerClient) -> None:
    tagged = job(tags={"$context": str(ss.context.EXECUTION_ID)})
    assert ss.Job.model_validate_json(tagged.model_dump_json()) == tagged
    assert client.create(tagged).job == client.get("job").job == tagged


def letter_of(client: ss.SchedulerClient, name: str, group: str) -> ss.eventbridge.DeadLetter:
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}"
    attributes = {"SCHEDULE_ARN": arn, "SCHEDULED_TIME": "2030-01-07T09:00:00Z"}
    message = {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": "{}",
        "MessageAttributes": {key: {"StringValue": value} for key, value in attributes.items()},
    }
    letter = read_dead_letter(message, QUEUE)
    assert letter is not None
    return letter


def test_a_letter_of_another_group_is_not_redriven_on_a_job_of_this_one(
    stub: SchedulerStub, open_backend: Callable[..., ss.EventBridgeBackend]
) -> None:
    client = ss.SchedulerClient(open_backend(group="reports"))
    client.create(job())
    with pytest.raises(ss.InvalidTransitionError, match="group 'default'"):
        client.redrive(letter_of(client, "job", "default"))
    assert len(stub.schedules) == 1


def test_a_single_run_that_is_somebody_else_s_keeps_the_letter(
    stub: SchedulerStub, client: ss.SchedulerClient
) -> None:
    client.create(job())
    stub.put(run_name("job", "m"), Target={"Arn": FUNCTION, "RoleArn": ROLE, "Input": "other"})
    with pytest.raises(ss.JobExistsError):
        client.redrive(letter_of(client, "job", "default"))


def test_an_ended_rate_of_others_that_gets_another_schedule_fires_again(
    stub: SchedulerStub, client: ss.SchedulerClient
) -> None:
    past: dict[str, Any] = {"StartDate": T0.timestamp() - 86_400 * 9, "EndDate": T0.timestamp() - 86_400}
    stub.put("job", ScheduleExpression="rate(1 day)", **past)
    record = client.get("job")
    assert record.status is ss.JobStatus.ENDED
    again = client.update(record.job.replace(schedule=ss.Cron("0 9 * * ? *")))
    assert (again.status, stub.schedules["default", "job"]["State"]) == (ss.JobStatus.ACTIVE, "ENABLED")


def test_one_schedule_has_one_version_whoever_reads_it(
    open_backend: Callable[..., ss.EventBridgeBackend],
) -> None:
    scoped, whole = ss.SchedulerClient(open_backend(group="g")), ss.SchedulerClient(open_backend())
    scoped.create(job())
    assert scoped.get("job").version == whole.get("job").version == 1
    whole.pause("job")
    scoped.resume("job")
    assert scoped.get("job").version == whole.get("job").version == 1


def test_a_name_that_has_come_to_a_second_group_is_not_cancelled_in_the_first(
    stub: SchedulerStub, client: ss.SchedulerClient
) -> None:
    client.create(job())
    client.get("job")
    stub.groups.add("fresh")
    stub.put("job", group="fresh")
    with pytest.raises(ss.BackendError, match="several groups"):
        client.cancel("job")
    assert len(stub.schedules) == 2


def test_an_input_of_others_that_reads_like_an_attribute_stays_text(
    stub: SchedulerStub, client: ss.SchedulerClient
) -> None:
    stub.put("job", Target={"Arn": FUNCTION, "RoleArn": ROLE, "Input": '{"$context": "hi"}'})
    found = client.get("job").job
    assert found.input == '{"$context": "hi"}'
    assert ss.Job.model_validate_json(found.model_dump_json()) == found


def test_a_mark_with_a_schedule_that_aws_cannot_say_is_passed_over(
    stub: SchedulerStub, client: ss.SchedulerClient
) -> None:
    window = ss.Windowed("2030-01-30T09:00", every=ss.Frequency(days=3), timezone="Europe/Paris")
    stub.put("job", Description=f'[stepsched 1 aaaaaaaa {{"schedule":{window.model_dump_json()}}}]')
    assert isinstance(client.get("job").job.schedule, ss.Cron | ss.Rate)


def test_failed_runs_of_a_job_that_has_none_are_no_error(
    client: ss.SchedulerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create(job())
    monkeypatch.setattr(client.backend, "dead_letters", list)
    assert client.runs("job", status="failed") == []
    with pytest.raises(ss.JobNotFoundError):
        client.runs("nobody", status="failed")
    with pytest.raises(ss.UnsupportedError):
        client.runs("job")


def test_an_unreadable_schedule_is_cancelled_and_says_so(
    stub: SchedulerStub, client: ss.SchedulerClient
) -> None:
    stub.put("odd", ScheduleExpression="moon(full)")
    with pytest.raises(ss.BackendError, match="the schedule was deleted"):
        client.cancel("odd")
    assert not stub.schedules


@pytest.mark.parametrize("name", ["nightly report", "n" * 65, "é", "a/../b", "a?x=1"])
def test_a_name_that_no_schedule_has_is_never_sent(
    stub: SchedulerStub, open_backend: Callable[..., ss.EventBridgeBackend], name: str
) -> None:
    for group in (None, "default"):
        client = ss.SchedulerClient(open_backend(group=group))
        with pytest.raises(ss.UnsupportedError, match="the service accepts 1 to 64 of A-Z a-z 0-9"):
            client.create(job(name))
        for verb in (client.get, client.pause, client.resume, client.run_now, client.cancel):
            with pytest.raises(ss.JobNotFoundError):
                verb(name)
        assert client.list(name_prefix=name) == []
        assert client.backend.find([job(name)]) == [None]
    assert stub.log == []


@pytest.mark.parametrize("prefix", [".", "..", "n" * 64])
def test_a_prefix_that_is_no_name_itself_is_sent(client: ss.SchedulerClient, prefix: str) -> None:
    names = [name for name in (prefix, f"{prefix}x") if name not in (".", "..") and len(name) <= 64]
    client.create_many([job(name) for name in names])
    assert [record.name for record in client.list(name_prefix=prefix)] == names
