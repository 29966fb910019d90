"""The verbs over EventBridge Scheduler as AWS documents it, through a real client of the SDK."""

from __future__ import annotations

import itertools
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, TypeAlias

import boto3
import pytest
from botocore.config import Config

import stepsched as ss
from stepsched.backends.eventbridge import EventBridgeBackend
from stepsched.core.threads import DaemonExecutor
from stepsched.testing import FakeClock
from tests.parts.scheduler_stub import ACCOUNT, BODIES, ERRORS, SchedulerStub
from tests.sessions import new_session_of

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:work"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/one"
MakeBackend: TypeAlias = Callable[..., EventBridgeBackend]
Verb: TypeAlias = Callable[[ss.SchedulerClient], object]


class Impatient(boto3.Session):
    """The SDK without second attempts, so that a fault comes through at once."""

    patience = 20.0

    def client(self, *arguments: Any, **changes: Any) -> Any:
        quick = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=self.patience)
        config = (changes.pop("config", None) or Config()).merge(quick)
        plain: Any = super().client  # its overloads know no service by a variable
        return plain(*arguments, **changes, config=config)


class Hasty(Impatient):
    """One that hardly waits for an answer."""

    patience = 0.3


@lru_cache
def session(region: str = REGION, kind: type[boto3.Session] = Impatient) -> boto3.Session:
    return new_session_of(kind, region_name=region, aws_access_key_id=ACCOUNT, aws_secret_access_key="none")


def job(name: str = "job", **changes: object) -> ss.Job:
    job = ss.Job(name=name, schedule=ss.Cron("0 9 * * ? *"), target=ss.LambdaTarget(FUNCTION))
    return job.replace(**changes)


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own configuration, and no search for a role of the machine."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def stub(clock: FakeClock) -> Iterator[SchedulerStub]:
    with SchedulerStub(clock=clock.now) as stub:
        yield stub


@pytest.fixture
def make(stub: SchedulerStub, clock: FakeClock) -> Iterator[MakeBackend]:
    made = list[EventBridgeBackend]()

    def make(role: str | None = ROLE, **changes: Any) -> EventBridgeBackend:
        given: dict[str, Any] = {"session": session(), "endpoint_url": stub.endpoint_url, "clock": clock}
        made.append(EventBridgeBackend(role, **(given | {"role_wait": timedelta(0)} | changes)))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


@pytest.fixture
def backend(make: MakeBackend) -> EventBridgeBackend:
    return make()


@pytest.fixture
def client(backend: EventBridgeBackend) -> ss.SchedulerClient:
    return ss.SchedulerClient(backend)


def later(clock: FakeClock) -> None:
    clock.advance(5 * SECOND)


class TestVerbs:
    def test_what_is_sent_says_everything(self, stub: SchedulerStub, make: MakeBackend) -> None:
        client = ss.SchedulerClient(make(dead_letter_arn=QUEUE, kms_key_arn=KEY))
        record = client.create(job(input={"n": 1}, jitter=5 * MINUTE, tags={"team": "a"}))
        (request,) = (each for each in stub.log if each.operation == "CreateSchedule")
        body = {
            key: value for key, value in request.body.items() if key not in ("ClientToken", "Description")
        }
        assert body == {
            "GroupName": "default",
            "ScheduleExpression": "cron(0 9 * * ? *)",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
            "State": "ENABLED",
            "ActionAfterCompletion": "NONE",
            "KmsKeyArn": KEY,
            "Target": {
                "Arn": FUNCTION,
                "RoleArn": ROLE,
                "Input": '{"n":1}',
                "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
                "DeadLetterConfig": {"Arn": QUEUE},
            },
        }
        assert (record.status, record.version, record.owned, record.current) == ("active", 1, True, True)
        assert record.next_run == T0 + 9 * HOUR

    def test_what_was_created_is_what_is_read(self, client: ss.SchedulerClient) -> None:
        wanted = job(
            description="text [with] marks", tags={"a": "b"}, input=[1, {"due": ss.context.SCHEDULED_TIME}]
        )
        created = client.create(wanted)
        assert client.get("job") == created
        assert client.get("job").job == wanted
        assert client.list() == [created]

    def test_an_equal_job_changes_nothing_and_another_is_refused(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        created = client.create(job())
        later(clock)
        assert client.create(job()) == created
        with pytest.raises(ss.JobExistsError):
            client.create(job(description="other"))
        assert len(stub.schedules) == 1

    def test_the_life_of_a_job(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        client.create(job())
        states = list[object]()
        for verb in (client.pause, client.pause, client.resume, client.resume):
            later(clock)
            states.append((verb("job").status.value, stub.schedules["default", "job"]["State"]))
        paused, active = ("paused", "DISABLED"), ("active", "ENABLED")
        assert states == [paused, paused, active, active]
        assert stub.count("UpdateSchedule") == 2
        assert client.get("job").version == 1
        later(clock)
        assert client.cancel("job").status is ss.JobStatus.CANCELLED
        assert not stub.schedules
        for gone in (client.get, client.pause, client.resume, client.cancel, client.run_now):
            with pytest.raises(ss.JobNotFoundError):
                gone("job")
        with pytest.raises(ss.JobNotFoundError):
            client.update(job())

    def test_an_update_replaces_and_a_paused_job_stays_paused(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        client.create(job(jitter=MINUTE, input={"n": 1}))
        later(clock)
        client.pause("job")
        later(clock)
        changed = client.update(job(description="new"))
        assert (changed.version, changed.status, changed.job) == (2, "paused", job(description="new"))
        assert client.get("job") == changed
        writes = stub.count("UpdateSchedule")
        assert client.update(job(description="new")) == changed
        assert stub.count("UpdateSchedule") == writes

    def test_a_list_filters(self, client: ss.SchedulerClient, clock: FakeClock) -> None:
        client.create_many([job("a-1"), job("a-2", tags={"t": "1"}), job("b-1", group="other")])
        client.create(job("ended", schedule=ss.Cron("0 9 * * ? *", end=T0 + DAY)))
        client.pause("a-1")
        clock.advance(2 * DAY)

        def names(**query: Any) -> list[str]:
            return [record.name for record in client.list(**query)]

        assert names() == ["a-1", "a-2", "b-1", "ended"]
        assert names(name_prefix="a-") == ["a-1", "a-2"]
        assert names(group="other") == ["b-1"]
        assert names(group="missing") == []
        assert names(status="paused") == ["a-1"]
        assert names(status="active") == ["a-2", "b-1"]
        assert names(status="ended") == ["ended"]
        assert names(status="cancelled") == names(name_prefix="a b") == []
        assert names(tags={"t": "1"}) == ["a-2"]

    def test_a_single_run_is_a_schedule_of_its_own(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create(job(input={"due": ss.context.SCHEDULED_TIME}))
        run = client.run_now("job")
        (key,) = stub.schedules.keys() - {("default", "job")}
        once = stub.schedules[key]
        assert (run.job, run.scheduled_for, run.status) == ("job", T0, "pending")
        assert once["ScheduleExpression"] == "at(2030-01-07T00:01:00)"
        assert once["ActionAfterCompletion"] == "DELETE"
        assert once["Target"]["Input"] == '{"due":"2030-01-07T00:00:00Z"}'
        assert [record.name for record in client.list()] == ["job"]

    @pytest.mark.parametrize(
        "verb",
        [
            pytest.param(lambda client: client.versions("job"), id="versions"),
            pytest.param(lambda client: client.backfill("job", since=T0 - DAY, until=T0), id="backfill"),
            pytest.param(lambda client: client.runs("job"), id="runs"),
        ],
    )
    def test_what_the_service_keeps_no_record_of_is_refused(
        self, client: ss.SchedulerClient, verb: Verb
    ) -> None:
        client.create(job())
        with pytest.raises(ss.UnsupportedError):
            verb(client)

    @pytest.mark.parametrize(
        "verb",
        [
            pytest.param(lambda client, often: client.create(often), id="create"),
            pytest.param(lambda client, often: client.update(often), id="update"),
            pytest.param(lambda client, often: client.create_many([job("other"), often]), id="create_many"),
            pytest.param(lambda client, often: client.plan([job("other"), often]), id="plan"),
            pytest.param(lambda client, often: client.apply([job("other"), often]), id="apply"),
        ],
    )
    def test_a_step_of_seconds_is_refused_before_any_call(
        self, stub: SchedulerStub, client: ss.SchedulerClient, verb: Callable[[Any, ss.Job], object]
    ) -> None:
        often = job("often", schedule=ss.Windowed("2030-01-08T00:00", every=ss.Frequency(seconds=10)))
        with pytest.raises(ss.UnsupportedError, match="no step of 10 seconds") as caught:
            verb(client, often)
        assert caught.value.job == "often"
        assert stub.log == []

    def test_apply_converges_and_prunes_its_own_alone(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        client.create_many([job("old"), job("changed"), job("same")])
        stub.put("foreign")
        foreign = dict(stub.schedules["default", "foreign"])
        later(clock)
        wanted = [job("same"), job("changed", description="new"), job("new")]
        plan = client.apply(wanted, prune=True)
        assert ([each.name for each in plan.create], [each.name for each in plan.update]) == (
            ["new"],
            ["changed"],
        )
        assert [each.name for each in plan.cancel] == ["old"]
        assert client.plan(wanted, prune=True).is_empty
        assert {name for _, name in stub.schedules} == {"same", "changed", "new", "foreign"}
        assert stub.schedules["default", "foreign"] == foreign

    def test_without_a_role_nothing_is_created(self, make: MakeBackend) -> None:
        with pytest.raises(ss.UnsupportedError, match="role"):
            ss.SchedulerClient(make(None)).create(job())

    def test_without_a_role_a_job_can_still_be_paused_and_cancelled(
        self, stub: SchedulerStub, make: MakeBackend, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        client.create(job())
        later(clock)
        bare = ss.SchedulerClient(make(None))
        assert bare.get("job").current
        assert bare.pause("job").status is ss.JobStatus.PAUSED
        assert stub.schedules["default", "job"]["Target"]["RoleArn"] == ROLE
        bare.cancel("job")
        assert not stub.schedules


class TestReasons:
    def test_one_without_room_is_refused_before_anything_is_sent(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create(job(description="d" * 400))
        with pytest.raises(ss.UnsupportedError, match="instead: a shorter reason; no reason") as caught:
            client.pause("job", reason="x" * 200)
        assert caught.value.job == "job"
        assert stub.count("UpdateSchedule") == 0
        assert client.get("job").status is ss.JobStatus.ACTIVE

    @pytest.mark.parametrize("group", ["default", "other"])
    def test_a_description_that_leaves_no_room_for_one_is_refused_before_anything_is_changed(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock, group: str
    ) -> None:
        client.create_many([job(), job("b", group=group)])
        client.pause("job", reason="x" * 200)
        later(clock)
        long, other = job(description="d" * 400, group=group), job("b", group=group, input=1)
        written = stub.count("UpdateSchedule"), stub.count("CreateSchedule")
        for plan in (client.plan, client.apply):
            with pytest.raises(ss.UnsupportedError) as caught:
                plan([long, other], prune=[group, "default"])
            assert str(caught.value).endswith(
                "(instead: a shorter description; fewer tags; pause(name, reason=...) with a shorter reason)"
            )
        assert (stub.count("UpdateSchedule"), stub.count("CreateSchedule")) == written
        record = client.get("job")
        assert (record.job, record.pause_reason) == (job(), "x" * 200)
        assert {*stub.schedules} == {("default", "job"), (group, "b")}
        client.resume("job")
        planned = client.plan([long, other], prune=[group, "default"])
        client.pause("job", reason="x" * 200)  # after the plan was made
        later(clock)
        with pytest.raises(ss.errors.BulkError, match="has room") as failed:
            client.apply(planned)
        assert (failed.value.done, {*failed.value.failures}) == (1, {"job"})
        assert client.get("job").job == job()
        client.pause("job", reason="shorter")
        later(clock)
        client.apply([long, other], prune=[group, "default"])
        record = client.get("job")
        assert (record.job, record.pause_reason, record.status) == (long, "shorter", "paused")

    def test_a_pause_of_many_that_fails_for_one_says_which_were_paused(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create_many([job("a"), job("b"), job("c", description="d" * 400)])
        client.pause("a")
        with pytest.raises(ss.errors.BulkError) as caught:
            client.pause_many(reason="x" * 150)
        assert caught.value.failures.keys() == {"c"}
        assert caught.value.done == 1
        assert [(each.name, each.pause_reason) for each in caught.value.records] == [("b", "x" * 150)]


class TestQuickSuccession:
    """Within one second the same request comes twice, and is meant twice."""

    def test_pause_resume_pause(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        client.create(job())
        client.pause("job")
        client.resume("job")
        client.pause("job")
        assert stub.schedules["default", "job"]["State"] == "DISABLED"

    def test_create_cancel_create(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        client.create(job())
        client.cancel("job")
        client.create(job())
        assert ("default", "job") in stub.schedules

    def test_cancel_of_what_came_again(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        for _ in range(2):
            stub.put("job")
            client.cancel("job")
        assert not stub.schedules


class TestPages:
    def test_all_pages_are_read(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        for number in range(250):
            stub.put(f"job-{number:03}")
        assert [record.name for record in client.list()] == [f"job-{number:03}" for number in range(250)]
        assert stub.count("ListSchedules") == 3

    def test_all_pages_of_groups_are_read(
        self, stub: SchedulerStub, backend: EventBridgeBackend, client: ss.SchedulerClient
    ) -> None:
        stub.groups |= {f"group-{number:03}" for number in range(150)}
        stub.put("job", "group-149")
        assert len(backend.groups()) == 151
        assert client.get("job").job.group == "group-149"

    def test_a_list_reads_no_more_than_it_needs(self, stub: SchedulerStub, make: MakeBackend) -> None:
        """5,000 jobs: what is read ahead is bounded by the number of workers, so memory stays flat."""
        for number in range(5_000):
            stub.put(f"job-{number:04}")
        found = ss.SchedulerClient(make(workers=4)).iterate()
        assert stub.log == []
        assert next(found).name == "job-0000"
        assert (stub.count("ListSchedules"), stub.count("GetSchedule")) <= (1, 16)
        for _ in itertools.islice(found, 299):
            pass
        assert stub.count("ListSchedules") <= 4
        assert stub.count("GetSchedule") <= 300 + 16
        found.close()  # type: ignore[attr-defined]  # a generator

    def test_an_empty_page_is_not_the_end(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        stub.put("job")
        stub.order("ListSchedules", "empty-page", times=2)
        assert [record.name for record in client.list()] == ["job"]

    def test_what_vanishes_between_list_and_get_is_left_out(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        for name in "abc":
            stub.put(name)
        stub.order("ListSchedules", "vanish")
        assert [record.name for record in client.list()] == ["a", "b"]

    def test_an_entry_that_is_listed_twice_is_one_job(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create_many([job("a"), job("b")])
        stub.order("ListSchedules", "duplicates")
        assert [record.name for record in client.list()] == ["a", "b"]

    def test_a_fault_on_the_second_page_comes_through(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        for number in range(150):
            stub.put(f"job-{number:03}")
        stub.order("ListSchedules", "internal", at=2, times=2)
        with pytest.raises(ss.errors.BackendUnavailableError):
            client.list()
        assert len(client.list()) == 150


class TestGroups:
    def test_a_missing_group_is_made(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        client.create_many([job(f"job-{number}", group="new") for number in range(20)])
        assert stub.groups == {"default", "new"}
        assert {group for group, _ in stub.schedules} == {"new"}
        assert len(stub.schedules) == 20

    def test_a_group_is_made_once_and_asked_for_twice(
        self, stub: SchedulerStub, backend: EventBridgeBackend
    ) -> None:
        assert backend.ensure_group("new", tags={"a": "b"}) == backend.ensure_group("new") == "new"
        assert stub.count("CreateScheduleGroup") == 1
        assert backend.ensure_group() == "default"

    def test_a_group_that_another_makes_meanwhile_is_no_error(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        stub.order("CreateScheduleGroup", "conflict", after=True)
        client.create(job(group="new"))
        assert ("new", "job") in stub.schedules

    def test_a_name_in_any_group_is_found(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        stub.groups |= {"empty", "full"}
        client.create(job(group="full"))
        assert client.get("job").job.group == "full"
        assert client.get("job", group="full").name == "job"
        with pytest.raises(ss.JobNotFoundError):
            client.get("job", group="empty")

    def test_a_name_in_two_groups_is_ambiguous(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        client.create(job(group="one"))
        client.create(job(group="two"))
        for verb in (client.get, client.pause, client.resume, client.cancel, client.run_now):
            with pytest.raises(ss.BackendError, match="one, two") as caught:
                verb("job")
            assert caught.value.code == "AMBIGUOUS"
        later(clock)
        client.cancel("job", group="one")
        assert stub.schedules.keys() == {("two", "job")}

    def test_a_group_of_another_writer_is_found_later(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create(job())
        assert client.get("job").job.group == "default"
        stub.put("theirs", "fresh")
        assert client.get("theirs").job.group == "fresh"

    def test_ambiguity_with_a_group_that_has_come_since(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create(job())
        client.get("job")
        stub.groups.add("fresh")
        client.create(job(group="fresh"))
        with pytest.raises(ss.BackendError, match="default, fresh"):
            client.cancel("job")

    def test_a_backend_of_one_group_keeps_to_it(self, stub: SchedulerStub, make: MakeBackend) -> None:
        client = ss.SchedulerClient(make(group="mine"))
        stub.put("job")
        stub.put("theirs", "other")
        client.create(job())
        assert ("mine", "job") in stub.schedules
        assert client.get("job").job == job()
        assert [record.name for record in client.list()] == ["job"]
        assert stub.count("ListScheduleGroups") == 0
        for group in (None, "default", "mine"):
            assert client.get("job", group=group).job == job()
        assert client.list(group="other") == []
        with pytest.raises(ss.JobNotFoundError):
            client.get("theirs")
        with pytest.raises(ss.JobNotFoundError):
            client.get("theirs", group="other")
        with pytest.raises(ss.UnsupportedError, match="mine"):
            client.create(job("b", group="other"))
        assert client.plan([job()], prune=True).is_empty

    def test_a_job_does_not_move_between_groups(self, client: ss.SchedulerClient) -> None:
        client.create(job())
        with pytest.raises(ss.UnsupportedError, match="cannot move"):
            client.update(job(group="other"))


class TestForeign:
    """Schedules that others have made."""

    @pytest.mark.parametrize("verb", ["pause", "resume"])
    def test_a_switch_changes_the_state_alone(
        self, stub: SchedulerStub, client: ss.SchedulerClient, verb: str
    ) -> None:
        bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
        dead = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs"}
        target = {
            "Arn": bus,
            "EventBridgePutRawEventsParameters": {"Metadata": {"a": "b"}},
            "DeadLetterConfig": dead,
        }
        state = "ENABLED" if verb == "pause" else "DISABLED"
        stub.put("job", Target=target, Description="by hand", KmsKeyArn=KEY, State=state)
        before = dict(stub.schedules["default", "job"])
        record: ss.JobRecord = getattr(client, verb)("job")
        assert (record.owned, record.version, record.current) == (False, 1, True)
        after = stub.schedules["default", "job"]
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert changed <= {"State", "LastModificationDate"}
        assert after["State"] != state

    def test_an_update_changes_what_it_speaks_of(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        group = {"EcsParameters": {"TaskDefinitionArn": "task", "EnableECSManagedTags": False}}
        cluster = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/c"
        stub.put("job", Target={"Arn": cluster, "Input": "{ }", **group}, KmsKeyArn=KEY, Description="theirs")
        before = dict(stub.schedules["default", "job"])
        later(clock)
        record = client.update(client.get("job").job.replace(schedule=ss.Cron("0 10 * * ? *")))
        after = stub.schedules["default", "job"]
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert changed == {"ScheduleExpression", "Description", "LastModificationDate"}
        assert (record.owned, record.current, record.version) == (False, True, 2)
        assert after["Description"].startswith("theirs [stepsched 2 ")
        later(clock)
        assert client.plan([record.job]).is_empty
        client.update(record.job.replace(description="still theirs"))
        again = stub.schedules["default", "job"]
        assert {key: again[key] for key in ("Target", "KmsKeyArn")} == {
            key: before[key] for key in ("Target", "KmsKeyArn")
        }
        assert client.get("job").version == 3

    @pytest.mark.parametrize(
        ("target", "payload"),
        [
            pytest.param({"Input": '{"a":1}'}, {"a": 1}, id="json"),
            pytest.param({"Input": "plain text"}, "plain text", id="text"),
            pytest.param({"Input": '"quoted"'}, '"quoted"', id="quoted-text"),
            pytest.param({}, {}, id="none"),
        ],
    )
    def test_an_input_of_theirs_stays_to_the_letter(
        self, stub: SchedulerStub, client: ss.SchedulerClient, target: dict[str, str], payload: object
    ) -> None:
        stub.put("job", Target={"Arn": QUEUE, **target})
        assert client.get("job").job.input == payload
        client.pause("job")
        client.update(client.get("job").job.replace(jitter=MINUTE))
        assert stub.schedules["default", "job"]["Target"].get("Input") == target.get("Input")

    @pytest.mark.parametrize("verb", ["pause", "update"])
    def test_a_rate_without_start_is_warned_of(
        self, stub: SchedulerStub, client: ss.SchedulerClient, verb: str
    ) -> None:
        stub.put("job", ScheduleExpression="rate(1 hour)")
        with pytest.warns(ss.ScheduleWarning, match="laid anew|lays it anew|grid is unknown"):
            client.pause("job") if verb == "pause" else client.update(
                client.get("job").job.replace(jitter=MINUTE)
            )
        assert "StartDate" not in stub.schedules["default", "job"]

    @pytest.mark.parametrize(
        "members",
        [
            pytest.param({"ScheduleExpression": "every(5 minutes)"}, id="keyword"),
            pytest.param({"ScheduleExpression": "cron(0 9 ? * L-1 *)"}, id="cron"),
            pytest.param({"ScheduleExpressionTimezone": "Mars/Olympus"}, id="zone"),
        ],
    )
    def test_an_odd_expression_is_left_out_of_lists_and_can_be_cancelled(
        self, stub: SchedulerStub, client: ss.SchedulerClient, members: dict[str, str]
    ) -> None:
        stub.put("a")
        stub.put("odd", **members)
        with pytest.warns(ss.ScheduleWarning, match="odd"):
            assert [record.name for record in client.list()] == ["a"]
        before = dict(stub.schedules["default", "odd"])
        for verb in (client.get, client.pause, client.resume, client.run_now):
            with pytest.raises(ss.BackendError, match="cannot be read") as caught:
                verb("odd")
            assert caught.value.code == "UNREADABLE"
        with pytest.raises(ss.BackendError, match="cannot be read"):
            client.update(job("odd"))
        assert stub.schedules["default", "odd"] == before
        with pytest.raises(ss.BackendError, match="cannot be read"):
            client.cancel("odd")
        assert ("default", "odd") not in stub.schedules

    def test_a_rate_of_theirs_that_is_long_over_is_listed_as_ended(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        stub.put("a")
        stub.put("over", ScheduleExpression="rate(1 day)", EndDate=(T0 - DAY).timestamp())
        assert [(record.name, record.status.value) for record in client.list()] == [
            ("a", "active"),
            ("over", "ended"),
        ]

    def test_a_job_is_not_created_over_one_of_theirs(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        before = stub.put("job")
        with pytest.raises(ss.JobExistsError):
            client.create(job())
        assert stub.schedules["default", "job"] == before


class TestSettings:
    OTHER = f"arn:aws:iam::{ACCOUNT}:role/other"

    @pytest.mark.parametrize(
        ("role", "changes", "way"),
        [
            pytest.param(OTHER, {}, "there", id="another-role"),
            pytest.param(OTHER, {}, "back", id="the-role-again"),
            pytest.param(ROLE, {"kms_key_arn": KEY}, "there", id="a-key"),
            pytest.param(ROLE, {"kms_key_arn": KEY}, "back", id="no-key"),
            pytest.param(
                *(ROLE, {"dead_letter_arn": QUEUE}, "there"),
                id="a-queue",
            ),
            pytest.param(ROLE, {"dead_letter_arn": QUEUE}, "back", id="no-queue"),
        ],
    )
    def test_apply_writes_what_has_other_settings(
        self, stub: SchedulerStub, make: MakeBackend, clock: FakeClock, role: str, changes: Any, way: str
    ) -> None:
        clients = [ss.SchedulerClient(make()), ss.SchedulerClient(make(role, **changes))]
        first, second = clients if way == "there" else reversed(clients)
        first.create(job())
        later(clock)
        plan = second.apply([job()])
        assert [change.name for change in plan.update] == ["job"]
        assert second.get("job").current
        assert second.plan([job()]).is_empty
        stored = stub.schedules["default", "job"]
        settings = (
            stored["Target"]["RoleArn"],
            stored.get("KmsKeyArn"),
            stored["Target"].get("DeadLetterConfig"),
        )
        queue = {"Arn": QUEUE} if "dead_letter_arn" in changes else None
        there = (role, changes.get("kms_key_arn"), queue)
        assert settings == (there if way == "there" else (ROLE, None, None))

    def test_update_does_so_too(self, make: MakeBackend, clock: FakeClock) -> None:
        ss.SchedulerClient(make()).create(job())
        later(clock)
        assert ss.SchedulerClient(make(self.OTHER)).update(job()).current

    def test_a_queue_of_the_jobs_own_stays(self, stub: SchedulerStub, make: MakeBackend) -> None:
        own = ss.QueueTarget(f"arn:aws:sqs:{REGION}:{ACCOUNT}:own")
        client = ss.SchedulerClient(make(dead_letter_arn=QUEUE))
        record = client.create(job(dead_letter=own))
        assert record.job.dead_letter == own
        assert client.get("job").current
        assert stub.schedules["default", "job"]["Target"]["DeadLetterConfig"] == {"Arn": own.queue_arn}


class TestVersions:
    def test_the_wrong_version_is_refused(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        client.create(job())
        later(clock)
        client.update(job(description="a"), expected_version=1)
        with pytest.raises(ss.ConflictError):
            client.update(job(description="b"), expected_version=1)
        assert client.get("job").job.description == "a"

    @pytest.mark.parametrize(
        "edit",
        [
            pytest.param({"ScheduleExpression": "cron(0 8 * * ? *)"}, id="time"),
            pytest.param(
                {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 3}}, id="window"
            ),
            pytest.param({"ScheduleExpressionTimezone": "Europe/Paris"}, id="zone"),
        ],
    )
    def test_an_edit_in_the_console_counts_as_a_version(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock, edit: dict[str, Any]
    ) -> None:
        seen = client.create(job())
        stub.schedules["default", "job"] |= edit
        record = client.get("job")
        assert (record.version, record.owned) == (2, True)
        assert record.job != seen.job
        later(clock)
        with pytest.raises(ss.ConflictError):
            client.update(job(description="mine"), expected_version=seen.version)
        plan = client.plan([job()])
        assert [change.version for change in plan.update] == [2]
        assert client.apply(plan) == plan
        assert (client.get("job").job, client.get("job").version) == (job(), 3)

    def test_a_state_that_is_switched_elsewhere_is_no_new_version(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create(job())
        stub.schedules["default", "job"]["State"] = "DISABLED"
        assert (client.get("job").version, client.get("job").status) == (1, "paused")

    def test_a_plan_that_was_overtaken_says_so(self, client: ss.SchedulerClient, clock: FakeClock) -> None:
        client.create_many([job("a"), job("b")])
        later(clock)
        plan = client.plan([job("a", description="x"), job("b", description="x")])
        client.update(job("a", description="faster"))
        with pytest.raises(ss.errors.BulkError) as caught:
            client.apply(plan)
        assert [type(error) for error in caught.value.failures.values()] == [ss.ConflictError]
        assert caught.value.done == 1
        assert client.get("a").job.description == "faster"
        assert client.get("b").job.description == "x"

    @pytest.mark.parametrize(
        ("operation", "verb"),
        [
            pytest.param("UpdateSchedule", lambda client: client.pause("job"), id="pause"),
            pytest.param("UpdateSchedule", lambda client: client.update(job(jitter=MINUTE)), id="update"),
            pytest.param("DeleteSchedule", lambda client: client.cancel("job"), id="cancel"),
        ],
    )
    def test_a_conflict_of_the_services_own(
        self, stub: SchedulerStub, client: ss.SchedulerClient, operation: str, verb: Verb
    ) -> None:
        client.create(job())
        stub.order(operation, "conflict")
        with pytest.raises(ss.ConflictError):
            verb(client)


FIRST = T0 + DAY
LAST = T0 + 900 * DAY


class TestDates:
    """A StartDate older than five minutes is refused by the service, also where nothing changed."""

    @pytest.mark.parametrize(
        ("schedule", "months"),
        [
            pytest.param(ss.Cron("0 9 * * ? *", start=FIRST), 0, id="cron-0"),
            pytest.param(ss.Cron("0 9 * * ? *", start=FIRST), 7, id="cron-7"),
            pytest.param(ss.Cron("0 9 * * ? *", start=FIRST, end=LAST), 0, id="cron-with-end-0"),
            pytest.param(ss.Cron("0 9 * * ? *", start=FIRST, end=LAST), 7, id="cron-with-end-7"),
            pytest.param(ss.Rate(7 * HOUR, start=FIRST), 0, id="rate-0"),
            pytest.param(ss.Rate(7 * HOUR, start=FIRST), 7, id="rate-7"),
            pytest.param(ss.Rate(7 * HOUR, start=FIRST, end=LAST), 0, id="rate-with-end-0"),
            pytest.param(ss.Rate(7 * HOUR, start=FIRST, end=LAST), 7, id="rate-with-end-7"),
            pytest.param(ss.Rate(7 * HOUR), 0, id="loose-rate-0"),
            pytest.param(ss.Rate(7 * HOUR), 7, id="loose-rate-7"),
            pytest.param(ss.Rate(7 * HOUR, end=LAST), 0, id="loose-rate-with-end-0"),
            pytest.param(ss.Rate(7 * HOUR, end=LAST), 7, id="loose-rate-with-end-7"),
        ],
    )
    def test_the_grid_stays_over_every_verb(
        self, client: ss.SchedulerClient, clock: FakeClock, schedule: ss.Cron | ss.Rate, months: int
    ) -> None:
        created = client.create(job(schedule=schedule))
        grid = created.job.anchored(created.created_at)
        for verb in (
            lambda: client.pause("job"),
            lambda: client.resume("job"),
            lambda: client.update(job(schedule=schedule, description=str(clock.now()))),
            lambda: client.apply([job(schedule=schedule, jitter=MINUTE)]),
        ):
            clock.advance(30 * DAY * months + HOUR + 11 * MINUTE)
            verb()
            record = client.get("job")
            assert record.job.schedule == schedule
            if record.status is ss.JobStatus.ACTIVE:
                assert record.next_run == grid.next_run(after=clock.now())

    def test_an_update_of_the_schedule_takes_the_new_one(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        client.create(job(schedule=ss.Rate(HOUR, start=T0 + DAY)))
        clock.advance(90 * DAY)
        changed = client.update(job(schedule=ss.Rate(2 * HOUR, start=T0)))
        assert changed.next_run == T0 + 90 * DAY + 2 * HOUR
        assert stub.schedules["default", "job"]["StartDate"] >= clock.now().timestamp()

    def test_a_loose_rate_that_has_no_run_left_gets_none_by_a_resume(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        """Without a StartDate the service would run it at once, outside of its grid."""
        client.create(job(schedule=ss.Rate(DAY, end=T0 + 10 * DAY + 12 * HOUR)))
        later(clock)
        client.pause("job")
        clock.move_to(T0 + 10 * DAY + 6 * HOUR)
        record = client.resume("job")
        assert record.status is ss.JobStatus.ENDED
        assert "StartDate" in stub.schedules["default", "job"]

    def test_a_pause_at_the_very_end(self, client: ss.SchedulerClient, clock: FakeClock) -> None:
        client.create(job(schedule=ss.Rate(DAY, end=T0 + 10 * DAY)))
        clock.move_to(T0 + 9 * DAY + HOUR)
        assert client.pause("job").status is ss.JobStatus.PAUSED
        later(clock)
        assert client.resume("job").next_run == T0 + 10 * DAY
        clock.advance(DAY)
        assert client.get("job").status is ss.JobStatus.ENDED
        with pytest.raises(ss.InvalidTransitionError):
            client.pause("job")

    def test_a_one_time_job_that_has_passed_is_not_woken(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        with pytest.raises(ss.InvalidScheduleError, match="never run"):
            client.create(job(schedule=ss.OneTime(T0 - HOUR)))
        client.create(job(schedule=ss.OneTime(T0 + HOUR)))
        client.pause("job")
        clock.advance(2 * HOUR)
        assert client.resume("job").status is ss.JobStatus.ENDED
        assert stub.schedules["default", "job"]["State"] == "DISABLED"
        moved = client.update(job(schedule=ss.OneTime(T0 + DAY)))
        assert moved.status is ss.JobStatus.PAUSED
        later(clock)
        assert client.resume("job").next_run == T0 + DAY

    def test_a_machine_whose_clock_is_behind(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        """By less than the five minutes that the service bears."""
        stub.clock = lambda: T0 + 4 * MINUTE
        assert client.create(job(schedule=ss.Rate(HOUR))).job.schedule == ss.Rate(HOUR)
        stub.clock = lambda: T0 + 6 * MINUTE
        with pytest.raises(ss.BackendError, match="cannot be earlier than 5 minutes ago"):
            client.create(job("late", schedule=ss.Rate(HOUR)))


class TestRole:
    """A role that is too new is refused with the words of one that is wrong."""

    def test_it_is_waited_for(self, stub: SchedulerStub, make: MakeBackend) -> None:
        client = ss.SchedulerClient(make(role_wait=5 * SECOND))
        stub.order("CreateSchedule", "role", times=1)
        client.create(job())
        assert stub.count("CreateSchedule") == 2

    def test_no_longer_than_is_given(self, stub: SchedulerStub, make: MakeBackend) -> None:
        # A refusal after twice that time counts as that of a new role, and a request may be slow.
        client = ss.SchedulerClient(make(role_wait=0.4 * SECOND))
        stub.order("CreateSchedule", "role", times=50)
        with pytest.raises(ss.BackendError, match="assume the role"):
            client.create(job())
        assert stub.count("CreateSchedule") == 2

    def test_not_at_all_where_none_is_given(self, stub: SchedulerStub, client: ss.SchedulerClient) -> None:
        stub.order("CreateSchedule", "role")
        with pytest.raises(ss.BackendError, match="assume the role"):
            client.create(job())
        assert stub.count("CreateSchedule") == 1
        client.create(job())

    def test_not_any_longer_once_the_backend_is_closed(self, stub: SchedulerStub, make: MakeBackend) -> None:
        backend = make(role_wait=HOUR)
        stub.order("CreateSchedule", "role", times=1_000)
        with DaemonExecutor(1, name="test") as threads:
            waits = threads.submit(backend.create, backend.prepare(job()))
            while not stub.count("CreateSchedule"):  # as long as the test may take
                threading.Event().wait(0.001)
            backend.close()
            with pytest.raises(ss.BackendError, match=r"assume the role|CLOSED"):
                waits.result(20)
        assert stub.count("CreateSchedule") == 1

    def test_many_jobs_wait_together(self, stub: SchedulerStub, make: MakeBackend) -> None:
        client = ss.SchedulerClient(make(role_wait=20 * SECOND, workers=8))
        stub.order("CreateSchedule", "role", times=8)
        client.create_many([job(f"job-{number}") for number in range(30)])
        assert len(stub.schedules) == 30


class TestAnswers:
    @pytest.mark.parametrize(
        ("kind", "error", "retryable"),
        [
            pytest.param("throttle", ss.errors.ThrottledError, True, id="throttle"),
            pytest.param("internal", ss.errors.BackendUnavailableError, True, id="internal"),
            pytest.param("unavailable", ss.errors.BackendUnavailableError, True, id="unavailable"),
            pytest.param("quota", ss.BackendError, False, id="quota"),
            pytest.param("denied", ss.errors.AccessDeniedError, False, id="denied"),
            pytest.param("reset", ss.errors.BackendUnavailableError, True, id="reset"),
        ],
    )
    def test_each_refusal_has_its_error(
        self, stub: SchedulerStub, client: ss.SchedulerClient, kind: str, error: Any, retryable: bool
    ) -> None:
        stub.order("CreateSchedule", kind, times=2)  # the short way, and the SDK's
        with pytest.raises(ss.BackendError) as caught:
            client.create(job())
        assert type(caught.value) is error
        assert (caught.value.service, caught.value.operation) == ("scheduler", "CreateSchedule")
        assert caught.value.retryable is retryable
        if kind in ERRORS:
            assert (caught.value.code, caught.value.detail) == ERRORS[kind][1:]

    def test_an_answer_that_does_not_come(self, stub: SchedulerStub, make: MakeBackend) -> None:
        stub.order("GetSchedule", "hang", times=2)
        with pytest.raises(ss.errors.BackendUnavailableError) as caught:
            ss.SchedulerClient(make(session=session(kind=Hasty))).get("job", group="default")
        assert (caught.value.code, caught.value.retryable) == ("ReadTimeoutError", True)

    @pytest.mark.parametrize("body", sorted(BODIES))
    def test_an_answer_that_is_none_is_no_success(
        self, stub: SchedulerStub, client: ss.SchedulerClient, body: str
    ) -> None:
        """Such as of a proxy on the way: status 200, and nothing is stored."""
        stub.order("CreateSchedule", body, times=2)
        with pytest.raises(ss.BackendError):
            client.create(job())
        assert not stub.schedules

    def test_an_expression_that_only_the_service_refuses(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        with pytest.raises(ss.UnsupportedError, match=REGION):
            client.create(job(target=ss.LambdaTarget(FUNCTION.replace(REGION, "us-east-1"))))
        assert stub.log == []


class TestPlaces:
    """Where the account, the Region and the endpoint come from is as in boto3."""

    def test_no_region(self) -> None:
        with pytest.raises(ss.BackendError, match="AWS_DEFAULT_REGION"):
            EventBridgeBackend(ROLE)

    def test_no_such_profile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        with pytest.raises(ss.BackendError, match="nobody"):
            EventBridgeBackend(ROLE)

    def test_no_credentials(self, stub: SchedulerStub, make: MakeBackend) -> None:
        bare = boto3.Session(region_name=REGION)
        client = ss.SchedulerClient(make(session=bare))
        with pytest.raises(ss.errors.AccessDeniedError, match="AWS_PROFILE"):
            client.create(job())
        assert stub.log == []

    def test_the_endpoint_of_the_environment(
        self, stub: SchedulerStub, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
    ) -> None:
        settings = {"AWS_ENDPOINT_URL": stub.endpoint_url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        for name, value in (settings | {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}).items():
            monkeypatch.setenv(name, value)
        backend = EventBridgeBackend(ROLE, clock=clock)
        ss.SchedulerClient(backend).create(job())
        backend.close()
        assert ("default", "job") in stub.schedules

    def test_nobody_listens(self, make: MakeBackend) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            client = ss.SchedulerClient(make(endpoint_url=f"http://127.0.0.1:{free.getsockname()[1]}"))
            with pytest.raises(ss.errors.BackendUnavailableError) as caught:
                client.create(job())
        assert caught.value.retryable

    @pytest.mark.parametrize(
        ("partition", "region"),
        [
            pytest.param("aws-cn", "cn-north-1", id="china"),
            pytest.param("aws-us-gov", "us-gov-west-1", id="government"),
        ],
    )
    def test_other_partitions(self, clock: FakeClock, partition: str, region: str) -> None:
        def there(arn: str) -> str:
            return arn.replace(":aws:", f":{partition}:").replace(REGION, region)

        with SchedulerStub(region=region, partition=partition, clock=clock.now) as stub:
            backend = EventBridgeBackend(
                there(ROLE),
                dead_letter_arn=there(QUEUE),
                kms_key_arn=there(KEY),
                session=session(region),
                endpoint_url=stub.endpoint_url,
                clock=clock,
            )
            client = ss.SchedulerClient(backend)
            wanted = job(target=ss.LambdaTarget(there(FUNCTION)))
            client.create(wanted)
            assert client.get("job").job == wanted
            later(clock)
            client.pause("job")
            assert stub.schedules["default", "job"]["Arn"].startswith(f"arn:{partition}:scheduler:{region}:")
            backend.close()


VERBS: dict[str, Verb] = {
    "create": lambda client: client.create(job("new")),
    "create in a group": lambda client: client.create(job("new", group="fresh")),
    "create_many": lambda client: client.create_many([job("new")]),
    "get": lambda client: client.get("job"),
    "list": lambda client: client.list(),
    "iterate": lambda client: next(client.iterate()),
    "update": lambda client: client.update(job(description="new")),
    "pause": lambda client: client.pause("job"),
    "resume": lambda client: client.resume("paused"),
    "cancel": lambda client: client.cancel("job"),
    "run_now": lambda client: client.run_now("job"),
    "plan": lambda client: client.plan([job()], prune=True),
    "apply": lambda client: client.apply([job(description="new"), job("new")], prune=True),
}
OPERATIONS = (
    *("CreateSchedule", "UpdateSchedule", "GetSchedule", "DeleteSchedule", "ListSchedules"),
    *("ListScheduleGroups", "GetScheduleGroup", "CreateScheduleGroup"),
)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        pytest.param(verb, kind, id=f"{verb}-{kind}")
        for verb in VERBS
        for kind in (*sorted(ERRORS), "reset", *BODIES, "truncated")
    ],
)
def test_nothing_of_the_sdk_comes_through(
    stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock, verb: str, kind: str
) -> None:
    """Whatever goes wrong at each operation in turn, a verb raises our errors or none."""
    client.create_many([job(), job("paused")])
    later(clock)
    client.pause("paused")
    for operation in OPERATIONS:
        later(clock)
        stub.order(operation, kind)
        with warnings.catch_warnings(), suppress(ss.StepschedError):
            warnings.simplefilter("ignore", ss.ScheduleWarning)  # what cannot be read is left out of lists
            VERBS[verb](client)
        stub.recover()
