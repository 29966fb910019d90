"""The short way: what it sends is what the SDK would send, and what it cannot settle the SDK does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

import stepsched as ss
from stepsched.backends.eventbridge.direct import Direct
from stepsched.testing import FakeClock
from tests.parts.scheduler_stub import ACCOUNT, SchedulerStub
from tests.sessions import new_session

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:work"
TARGET = {"Arn": FUNCTION, "RoleArn": ROLE, "Input": '{"é": "\U0001f600"}'}
SCHEDULE = {
    "Name": "job.a_b-c",
    "GroupName": "g",
    "ScheduleExpression": "rate(1 hour)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "StartDate": T0,
    "Target": TARGET,
    "ClientToken": "t",
}
CALLS = [
    pytest.param("CreateSchedule", "create_schedule", SCHEDULE, id="create"),
    pytest.param("UpdateSchedule", "update_schedule", SCHEDULE, id="update"),
    pytest.param("GetSchedule", "get_schedule", {"Name": "j.1", "GroupName": "g"}, id="get"),
    pytest.param(
        "DeleteSchedule",
        "delete_schedule",
        {"Name": "j", "GroupName": "g", "ClientToken": "t"},
        id="delete",
    ),
    pytest.param(
        "ListSchedules",
        "list_schedules",
        {"GroupName": "g", "NamePrefix": "a", "State": "ENABLED", "MaxResults": 7, "NextToken": "a/b+c="},
        id="list",
    ),
]


class Wire:
    """A client that reaches nobody: it keeps what would be sent, and answers what it is told."""

    def __init__(self, *, token: str | None = None) -> None:
        self.sent: list[Any] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.session = new_session(
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            aws_session_token=token,
            region_name=REGION,
        )
        self.session.events.register("before-send.scheduler.*", self._answer)  # type: ignore[arg-type]  # the stubs forget answers
        self.client = self.session.client("scheduler")
        self.direct = Direct(self.client)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.sent.append(request)
        status, headers, body = self.answers.pop(0) if self.answers else (200, {}, b"{}")
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), Raw(body))


class Raw:
    """A body as the SDK's connections give one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.client.close()


@pytest.mark.parametrize(("operation", "method", "parameters"), CALLS)
def test_it_sends_what_the_sdk_sends(
    wire: Wire, operation: str, method: str, parameters: dict[str, Any]
) -> None:
    wire.direct.call(operation, parameters)
    getattr(wire.client, method)(**parameters)
    ours, theirs = wire.sent
    assert ours.method == theirs.method
    here, there = urlsplit(ours.url), urlsplit(theirs.url)
    assert (here.scheme, here.netloc, here.path) == (there.scheme, there.netloc, there.path)
    assert sorted(parse_qsl(here.query)) == sorted(parse_qsl(there.query))
    assert json.loads(ours.body or b"{}") == json.loads(theirs.body or b"{}")


@pytest.mark.parametrize("token", [None, "session-token"])
@pytest.mark.parametrize(("operation", "method", "parameters"), CALLS)
def test_its_signature_is_the_signer_s_own(
    operation: str, method: str, parameters: dict[str, Any], token: str | None
) -> None:
    wire = Wire(token=token)
    wire.direct.call(operation, parameters)
    (sent,) = wire.sent
    headers = {name: value for name, value in sent.headers.items() if name in ("Content-Type", "User-Agent")}
    again = AWSRequest(sent.method, sent.url, headers, sent.body)
    again.context["timestamp"] = _text(sent.headers["X-Amz-Date"])
    signer = SigV4Auth(Credentials("key", "secret", token), "scheduler", REGION)
    again.headers["X-Amz-Date"] = again.context["timestamp"]
    if token is not None:
        again.headers["X-Amz-Security-Token"] = token
    canonical = signer.canonical_request(again)
    signature = signer.signature(signer.string_to_sign(again, canonical), again)
    assert _text(sent.headers["Authorization"]).endswith(f"Signature={signature}")
    wire.client.close()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((429, {"x-amzn-errortype": "ThrottlingException"}, b'{"Message": "slow"}'), id="429"),
        pytest.param((500, {"x-amzn-errortype": "InternalServerException"}, b"{}"), id="500"),
        pytest.param((503, {}, b"<html>"), id="a page"),
        pytest.param((404, {}, b"{}"), id="no code"),
        pytest.param((200, {}, b"[1]"), id="a list"),
        pytest.param((200, {}, b'{"Name": "j'), id="cut"),
        pytest.param((200, {}, b"\xff\xfe"), id="binary"),
    ],
)
def test_what_another_attempt_might_mend_is_left_to_the_sdk(
    wire: Wire, answer: tuple[int, dict[str, str], bytes]
) -> None:
    wire.answers.append(answer)
    assert wire.direct.call("GetSchedule", {"Name": "j", "GroupName": "g"}) is None


def test_a_refusal_for_good_is_raised_as_the_sdk_would(wire: Wire) -> None:
    body = b'{"Message": "Schedule j does not exist."}'
    headers = {"x-amzn-errortype": "ResourceNotFoundException:http://x", "x-amzn-requestid": "r-1"}
    wire.answers.append((404, headers, body))
    with pytest.raises(Exception, match="Schedule j does not exist") as caught:
        wire.direct.call("GetSchedule", {"Name": "j", "GroupName": "g"})
    assert caught.type.__name__ == "ClientError"
    response = caught.value.response  # type: ignore[attr-defined]  # of a ClientError
    assert response["Error"]["Code"] == "ResourceNotFoundException"
    assert response["ResponseMetadata"]["RequestId"] == "r-1"


def test_an_answer_has_dates_and_no_empty_members(wire: Wire) -> None:
    seconds = T0.timestamp() + 0.25
    wire.answers.append((200, {}, json.dumps({"StartDate": seconds, "EndDate": None, "New": 1}).encode()))
    answer = wire.direct.call("GetSchedule", {"Name": "j", "GroupName": "g"})
    assert answer == {"StartDate": T0 + timedelta(milliseconds=250), "New": 1}


def test_other_operations_go_the_long_way(wire: Wire) -> None:
    assert wire.direct.call("GetScheduleGroup", {"Name": "g"}) is None
    assert wire.sent == []


# -- with the backend --------------------------------------------------------------------------------


@pytest.fixture
def stub() -> Iterator[SchedulerStub]:
    with SchedulerStub(clock=FakeClock(T0).now) as stub:
        yield stub


@pytest.fixture
def client(stub: SchedulerStub) -> Iterator[ss.SchedulerClient]:
    session = new_session(aws_access_key_id=ACCOUNT, aws_secret_access_key="secret", region_name=REGION)
    backend = ss.EventBridgeBackend(
        ROLE, session=session, endpoint_url=stub.endpoint_url, clock=FakeClock(T0), workers=4
    )
    yield ss.SchedulerClient(backend)
    backend.close()


def test_what_nobody_knows_yet_survives_every_verb(stub: SchedulerStub, client: ss.SchedulerClient) -> None:
    target = {"Arn": FUNCTION, "RoleArn": ROLE, "FutureParameters": {"Deep": [1, {"Two": None}]}}
    stub.put("theirs", Target=target, StartDate=T0.timestamp() + 86_400.5)
    before = dict(stub.schedules["default", "theirs"])
    client.pause("theirs", group="default")
    client.resume("theirs", group="default")
    after = stub.schedules["default", "theirs"]
    assert after["Target"] == before["Target"]
    assert after["StartDate"] == before["StartDate"]


def test_after_a_throttle_the_sdk_has_the_word(stub: SchedulerStub, client: ss.SchedulerClient) -> None:
    short = list[bool]()
    service = client.backend._service  # type: ignore[attr-defined]
    service._client.meta.events.register(
        "before-send.scheduler.*", lambda request, **_: short.append("amz-sdk-request" not in request.headers)
    )
    stub.put("a")
    client.get("a", group="default")
    stub.order("GetSchedule", "throttle")
    client.get("a", group="default")
    client.get("a", group="default")
    assert short == [True, True, False, False]
