"""Jobs that change their group: moved once, never lost, and nothing of anybody else's is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.eventbridge import EventBridgeBackend
from stepsched.testing import FakeClock
from tests.parts.scheduler_stub import SchedulerStub
from tests.unit.eventbridge.test_backend import ROLE, job, session

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
MakeClient = Callable[..., ss.SchedulerClient]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def stub(clock: FakeClock) -> Iterator[SchedulerStub]:
    with SchedulerStub(clock=clock.now) as stub:
        yield stub


@pytest.fixture
def open_client(stub: SchedulerStub, clock: FakeClock) -> Iterator[MakeClient]:
    made = list[EventBridgeBackend]()

    def open_client(**changes: Any) -> ss.SchedulerClient:
        given: dict[str, Any] = {"session": session(), "endpoint_url": stub.endpoint_url, "clock": clock}
        made.append(EventBridgeBackend(ROLE, **(given | {"role_wait": timedelta(0)} | changes)))
        return ss.SchedulerClient(made[-1])

    yield open_client
    for backend in made:
        backend.close()


@pytest.fixture
def client(open_client: MakeClient) -> ss.SchedulerClient:
    return open_client()


def places(stub: SchedulerStub) -> list[str]:
    return sorted(f"{group}/{name}" for group, name in stub.schedules)


class TestMove:
    def test_keeps_the_grid_the_state_and_counts_as_a_change(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        hourly = job(group="g", schedule=ss.Rate(timedelta(hours=1)))
        client.create(hourly)
        client.pause("job")
        clock.advance(90 * MINUTE)
        client.apply([hourly.replace(group="g2")], prune=True)
        assert client.get("job").status is ss.JobStatus.PAUSED
        record = client.resume("job")
        assert places(stub) == ["g2/job"]
        assert (record.version, record.job.group) == (2, "g2")
        assert record.next_run == T0 + timedelta(hours=2)

    def test_is_repeated_until_it_is_done_whatever_fails(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create(job(group="g"))
        wanted = [job(group="g2")]
        for kind in ("internal", "reset"):
            for operation in ("CreateSchedule", "DeleteSchedule", "GetSchedule", "ListSchedules"):
                for after in (False, True):
                    stub.order(operation, kind, after=after)
                    for _ in range(3):
                        with suppress(ss.StepschedError):
                            client.apply(wanted, prune=True)
                        assert places(stub), "the job is lost"
                    assert places(stub) == [f"{wanted[0].group}/job"]
                    stub.recover()
                    wanted = [wanted[0].replace(group="g" if wanted[0].group == "g2" else "g2")]

    def test_that_ended_between_its_two_steps_is_completed_by_another_process(
        self, stub: SchedulerStub, client: ss.SchedulerClient, open_client: MakeClient, clock: FakeClock
    ) -> None:
        client.create_many([job(group="g"), job("stays", group="g")])
        stub.order("DeleteSchedule", "internal", times=9)
        with pytest.raises(ss.errors.BulkError):
            client.apply([job(group="g2")], prune=True)
        assert places(stub) == ["g/job", "g/stays", "g2/job"]
        stub.recover()
        clock.advance(MINUTE)
        later = open_client()
        plan = later.plan([job(group="g2")], prune=True)
        assert str(plan).splitlines()[0] == "- job  group: g"
        later.apply(plan)
        assert places(stub) == ["g/stays", "g2/job"]
        assert later.plan([job(group="g2")], prune=True).is_empty

    def test_leaves_a_job_that_has_been_created_in_the_old_group_since(
        self, stub: SchedulerStub, client: ss.SchedulerClient, clock: FakeClock
    ) -> None:
        client.create(job(group="g"))
        client.apply([job(group="g2")], prune=True)
        clock.advance(MINUTE)
        client.create(job(group="g"))
        assert client.apply([job(group="g2")], prune=True).is_empty
        assert places(stub) == ["g/job", "g2/job"]

    def test_does_not_replace_another_job_of_that_name(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create(job(group="g"))
        plan = client.plan([job(group="g2")], prune=True)
        client.create(job(group="g2", description="another"))
        with pytest.raises(ss.errors.BulkError) as caught:
            client.apply(plan)
        assert isinstance(caught.value.failures["job"], ss.JobExistsError)
        assert places(stub) == ["g/job", "g2/job"]

    def test_of_a_long_description_leaves_no_room_for_the_old_group_and_still_works(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        long = job(group="g" * 64, description="d" * 425)
        client.create(long)
        client.apply([long.replace(group="g2")], prune=True)
        assert places(stub) == ["g2/job"]
        assert client.get("job").job == long.replace(group="g2")

    def test_is_named_as_the_cure_where_an_update_cannot(self, client: ss.SchedulerClient) -> None:
        client.create(job(group="g"))
        with pytest.raises(ss.UnsupportedError, match=r"client\.apply\(\[job\], prune=True\)"):
            client.update(job(group="g2"))


class TestScope:
    """Which groups of an account a plan looks into."""

    def test_a_backend_with_a_group_prunes_its_last_job_and_nothing_elsewhere(
        self, stub: SchedulerStub, client: ss.SchedulerClient, open_client: MakeClient
    ) -> None:
        client.create_many([job(group="g"), job("other", group="prod")])
        bound = open_client(group="g")
        plan = bound.plan([], prune=True)
        assert ([record.name for record in plan.cancel], plan.unsearched) == (["job"], ())
        bound.apply(plan)
        assert places(stub) == ["prod/other"]
        assert bound.plan([job("other")], prune=True).update == ()

    def test_a_backend_with_a_group_refuses_others(self, open_client: MakeClient) -> None:
        bound = open_client(group="g")
        assert bound.plan([], prune=["g"]).is_empty
        with pytest.raises(
            ValueError, match=r"expected groups of the backend for prune, 'g', got \['prod'\]"
        ):
            bound.plan([], prune=["prod"])

    def test_a_name_that_several_groups_have_means_several_jobs(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create_many([job(group="prod")])
        client.create_many([job(group="test")])
        plan = client.apply([job(group="dev")], prune=True)
        assert [record.job.group for record in plan.namesakes] == ["prod", "test"]
        assert places(stub) == ["dev/job", "prod/job", "test/job"]
        assert client.apply([job(group="dev")], prune=True).is_empty
        assert places(stub) == ["dev/job", "prod/job", "test/job"]

    def test_other_jobs_in_the_group_of_a_moved_job_stay(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create_many([job(group="g"), job("other", group="g")])
        plan = client.apply([job(group="g2")], prune=True)
        assert "g" in plan.unsearched
        assert places(stub) == ["g/other", "g2/job"]

    def test_named_groups_are_the_only_ones_that_lose_jobs(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create_many([job(group="prod"), job("old", group="dev"), job("last", group="test")])
        plan = client.apply([job(group="dev")], prune=["dev", "test"])
        assert [(record.name, record.job.group) for record in plan.namesakes] == [("job", "prod")]
        assert places(stub) == ["dev/job", "prod/job"]

    def test_of_copies_in_named_groups_one_is_moved_and_the_others_go(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create(job(group="a"))
        client.create(job(group="b"))
        plan = client.apply([job(group="c")], prune=["a", "b", "c"])
        assert str(plan).splitlines()[:2] == ["> job  group: a -> c", "- job  group: b"]
        assert places(stub) == ["c/job"]

    @pytest.mark.parametrize("prune", [True, False, ["g", "g2"]], ids=["all", "no", "named"])
    def test_foreign_schedules_of_the_same_name_stay(
        self, stub: SchedulerStub, client: ss.SchedulerClient, prune: Any
    ) -> None:
        stub.put("job", group="g")
        plan = client.apply([job(group="g2")], prune=prune)
        assert ([each.name for each in plan.create], plan.update, plan.namesakes) == (["job"], (), ())
        assert places(stub) == ["g/job", "g2/job"]

    def test_without_jobs_nothing_is_searched_and_the_plan_says_so(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        client.create(job(group="g"))
        plan = client.plan([], prune=True)
        assert (plan.is_empty, plan.unsearched) == (True, ("default", "g"))
        assert str(plan).splitlines()[0] == (
            "! not searched for jobs to cancel: groups default, g; use prune=[...]"
        )

    def test_a_plan_of_stored_jobs_lists_nothing(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        jobs = [job(f"job-{number}", group="g") for number in range(20)]
        client.create_many(jobs)
        before = len(stub.log)
        client.plan(jobs)
        assert {each.operation for each in stub.log[before:]} == {"GetSchedule"}

    @pytest.mark.parametrize(("count", "lists"), [(1, 1), (50, 50), (51, 1)])
    def test_namesakes_cost_a_list_for_each_of_a_few_jobs_and_one_of_all_for_many(
        self, stub: SchedulerStub, client: ss.SchedulerClient, count: int, lists: int
    ) -> None:
        """The names of many jobs usually begin alike."""
        jobs = [job(f"job-{number}", group="g") for number in range(count)]
        client.create_many([*jobs, job("other", group="g")])
        before = stub.count("ListSchedules")
        assert len(client.plan([each.replace(group="g2") for each in jobs]).namesakes) == count
        assert stub.count("ListSchedules") == before + lists

    def test_namesakes_are_left_out_where_to_list_is_denied(
        self, stub: SchedulerStub, client: ss.SchedulerClient
    ) -> None:
        jobs = [job(f"job-{number}", group="g") for number in range(2)]
        client.create_many(jobs)
        wanted = [each.replace(group="g2") for each in jobs]
        assert len(client.plan(wanted).namesakes) == 2
        stub.order("ListSchedules", "denied")
        assert client.plan(wanted).namesakes == ()
        stub.order("ListSchedules", "denied")
        with pytest.raises(ss.errors.AccessDeniedError):
            client.plan(wanted, prune=True)


def test_a_failure_of_a_bulk_verb_names_the_group_where_two_jobs_have_the_name(
    stub: SchedulerStub, clock: FakeClock
) -> None:
    with closing(
        EventBridgeBackend(ROLE, session=session(), endpoint_url=stub.endpoint_url, clock=clock)
    ) as backend:
        client = ss.SchedulerClient(backend)
        client.create(job(group="a"))
        client.create_many([job(group="b"), job("other", group="b")])
        stub.order("UpdateSchedule", "denied", times=9)
        with pytest.raises(ss.errors.BulkError) as caught:
            client.pause_many()
        assert caught.value.failures.keys() == {"a/job", "b/job", "other"}
        stub.recover()
        assert len(client.pause_many()) == 3


def test_a_job_that_is_cancelled_during_a_bulk_verb_is_no_failure(
    stub: SchedulerStub, client: ss.SchedulerClient
) -> None:
    client.create_many([job("a"), job("b")])
    records = client.list()
    client.cancel("a")
    assert [each.name for each in client._perform(client.backend.pause, records, None)] == ["b"]
