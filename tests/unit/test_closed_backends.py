"""What the backends on AWS do once they are closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, TypeAlias

import boto3
import pytest

import stepsched as ss
from stepsched.aws.sdk import Closed

ACCOUNT = "123456789012"
REGION = "eu-west-1"
NOWHERE = "http://127.0.0.1:9"
AT = datetime(2030, 1, 7, tzinfo=timezone.utc)
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"
Call: TypeAlias = Callable[[ss.SchedulerClient], object]


class Watched(boto3.Session):
    """A session that notes which of its clients are open."""

    def __init__(self) -> None:
        super().__init__(region_name=REGION, aws_access_key_id=ACCOUNT, aws_secret_access_key="none")
        self.open = list[str]()

    def client(self, service_name: Any, **options: Any) -> Any:  # type: ignore[override]
        plain: Any = super().client
        made = plain(service_name, **options)
        close = made.close
        self.open.append(service_name)

        def closing() -> None:
            self.open.remove(service_name)
            close()

        made.close = closing
        return made


def eventbridge(session: boto3.Session) -> ss.backends.Backend:
    role = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
    return ss.EventBridgeBackend(
        role, group="default", dead_letter_arn=QUEUE, session=session, endpoint_url=NOWHERE
    )


def stepfunctions(session: boto3.Session) -> ss.backends.Backend:
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:runner"
    return ss.StepFunctionsBackend(
        state_machine_arn=machine, table_name="jobs", session=session, endpoint_url=NOWHERE
    )


BACKENDS = [pytest.param(eventbridge, id="eventbridge"), pytest.param(stepfunctions, id="stepfunctions")]
CALLS: dict[str, Call] = {
    "get": lambda client: client.get("job"),
    "list": lambda client: client.list(),
    "run_now": lambda client: client.run_now("job"),
    "cancel": lambda client: client.cancel("job"),
    "dead_letters": lambda client: client.dead_letters(),
}


@pytest.mark.parametrize("make", BACKENDS)
class TestClosed:
    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    def test_a_call_afterwards_is_an_error_of_ours_that_says_why(
        self, make: Callable[[boto3.Session], ss.backends.Backend], call: Call
    ) -> None:
        backend = make(Watched())
        backend.close()
        with pytest.raises(ss.BackendError, match="the backend has been closed; make a new one") as caught:
            call(ss.SchedulerClient(backend))
        assert caught.value.code == "CLOSED"
        assert not caught.value.retryable

    def test_the_clients_that_it_made_are_closed_once(
        self, make: Callable[[boto3.Session], ss.backends.Backend]
    ) -> None:
        session = Watched()
        backend = make(session)
        assert session.open
        backend.stop()
        assert session.open  # which is not the end
        backend.close(timeout=timedelta(seconds=1))
        assert session.open == []
        backend.close()  # harmless twice

    def test_so_does_leaving_it(self, make: Callable[[boto3.Session], ss.backends.Backend]) -> None:
        session = Watched()
        with make(session):
            assert session.open
        assert session.open == []

    def test_a_timeout_that_is_none_is_refused(
        self, make: Callable[[boto3.Session], ss.backends.Backend]
    ) -> None:
        session = Watched()
        backend = make(session)
        for verb in (backend.stop, backend.close):
            with pytest.raises(ValueError, match="expected timeout of at least 0 seconds, got -1"):
                verb(timeout=-1)
        assert session.open
        backend.close()


def test_the_queue_that_was_read_is_closed_too() -> None:
    session = Watched()
    backend = eventbridge(session)
    with pytest.raises(ss.errors.BackendUnavailableError):
        ss.SchedulerClient(backend).dead_letters()
    assert sorted(session.open) == ["scheduler", "sqs"]
    backend.close()
    assert session.open == []
    with pytest.raises(ss.BackendError, match="closed"):
        ss.SchedulerClient(backend).dead_letters()


def test_what_stands_in_a_clients_place_has_no_other_attribute() -> None:
    closed = Closed("scheduler")
    assert not hasattr(closed, "__deepcopy__")
    closed.close()
    with pytest.raises(ss.BackendError, match="scheduler GetSchedule failed with CLOSED"):
        closed.get_schedule(Name="job")
