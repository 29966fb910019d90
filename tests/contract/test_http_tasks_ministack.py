"""One-shot tasks over HTTP in a stack, with everything that API Gateway does played on the emulator."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest

import stepsched as ss
from stepsched import asl
from stepsched.deploy import HttpPart, template
from stepsched.testing import FakeClock
from tests.contract.deployed import Deployed
from tests.parts.api_gateway import Answer, RestApi, render
from tests.parts.ministack import Ministack

NOW = datetime(2030, 1, 7, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
SECRET = "abc123"
SECRET_DIFFERS = "Secret on incoming request doesn't match the configured secret"
NO_TIMESTAMP = (
    "No timestamp included in payload. Please provide an ISO8601 timestamp in the 'timestamp' field"
)
NO_MESSAGE = "No message passed in payload"
NO_ARN = "No executionArn included in payload"


class Service(Deployed):
    """An account with a stack that takes one-shot tasks; a queue is subscribed to their topic."""

    def deploy(self, options: HttpPart | bool) -> None:
        self.outputs_of = self.create("tasks", template([], http=options))
        self.api = RestApi(self.aws("apigateway"), self.states, self.outputs_of["HttpUrl"])
        self.aws("sns").subscribe(
            TopicArn=self.outputs_of["HttpTopicArn"],
            Protocol="sqs",
            Endpoint=self.inbox.queue_arn,
            Attributes={"RawMessageDelivery": "true"},
        )

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.api.call(path, json.dumps(body), named)

    def scheduled(self, at: str, message: Any = "hello", **headers: str) -> str:
        """Schedules a task, and returns what identifies it."""
        body = {"timestamp": at, "message": message, "secret": SECRET}
        answer = self.post("/schedule", body, **headers)
        assert answer.status == 200, answer
        return str(answer.json()["msg"]["executionArn"])

    def cancelled(self, arn: str) -> Answer:
        return self.post("/cancel", {"executionArn": arn, "secret": SECRET})

    def delivered(self) -> list[Any]:
        return [json.loads(message) for message in self.messages()]

    def names(self) -> list[str]:
        with self.client("tasks") as client:
            return [record.name for record in client.list()]


@pytest.fixture
def account_of(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Iterator[Service]:
    yield Service(ministack, account, aws, FakeClock(NOW))
    ministack.release_waits()


@pytest.fixture
def service(account_of: Service) -> Service:
    account_of.deploy(HttpPart(secret=SECRET))
    return account_of


def test_the_known_request_is_answered_in_the_known_form(service: Service) -> None:
    body = {"timestamp": "2030-08-21T04:29:00.951Z", "message": {"name": "Luke"}, "secret": SECRET}
    answer = service.post("/schedule", body)
    assert answer.status == 200, answer
    arn = answer.json()["msg"]["executionArn"]
    assert answer.json() == {"msg": {"executionArn": arn, "timestamp": "2030-08-21T04:29:00.951Z"}}
    answer = service.cancelled(arn)
    assert (answer.status, answer.json()) == (200, {"msg": f"Cancelled scheduled task for {arn}"})
    assert service.names() == []


def test_every_refusal_of_the_known_service_comes_in_its_order(service: Service) -> None:
    """And what it took and could not run is refused in the same form."""
    good = {"timestamp": "2030-08-21T04:29:00Z", "message": "hello", "secret": SECRET}
    known: list[tuple[str, Any, list[str]]] = [
        ("/schedule", {}, [SECRET_DIFFERS, NO_TIMESTAMP, NO_MESSAGE]),
        ("/schedule", {**good, "secret": "other"}, [SECRET_DIFFERS]),
        *(
            ("/schedule", {**good, "secret": each}, [SECRET_DIFFERS])
            for each in (None, 7, True, "", [SECRET])
        ),
        ("/schedule", {"message": 1, "secret": SECRET}, [NO_TIMESTAMP]),
        *(("/schedule", {**good, "timestamp": each}, [NO_TIMESTAMP]) for each in (None, "", 0, False)),
        ("/schedule", {"timestamp": "2030-08-21T04:29:00Z", "secret": SECRET}, [NO_MESSAGE]),
        ("/cancel", {}, [SECRET_DIFFERS, NO_ARN]),
        ("/cancel", {"secret": SECRET, "executionArn": ""}, [NO_ARN]),
    ]
    for path, body, errors in known:
        answer = service.post(path, body)
        assert (answer.status, answer.json()) == (400, {"errors": errors}), body
    own: list[tuple[Any, str]] = [
        (good | {"timestamp": "tomorrow"}, "Timestamp isn't a valid ISO 8601 string: .* got 'tomorrow'"),
        (good | {"timestamp": "2030-02-30T00:00:00Z"}, "Timestamp isn't a valid"),
        (good | {"timestamp": "2030-02-20T00:00:00"}, "Timestamp isn't a valid"),
        (good | {"timestamp": 1893456000}, "Timestamp isn't a valid .* got 1893456000"),
        (good | {"timestamp": "2031-01-07T00:00:01Z"}, "Timestamp is beyond the horizon: .* 365 days"),
        (good | {"message": 2**53}, "message: the number .* may have lost digits; use text"),
        (good | {"message": {"$context": "<aws.scheduler.execution-id>"}}, "input: the key [$]context"),
        ([], "expected a JSON object"),
        ("text", "expected a JSON object"),
        (None, "expected a JSON object"),
    ]
    for body, pattern in own:
        answer = service.post("/schedule", body)
        (error,) = answer.json()["errors"]
        assert answer.status == 400
        assert re.match(pattern, error), error
    for text in ("{", "{'a': 1}", "\ufffe"):
        answer = service.api.call("/schedule", text)
        assert (answer.status, answer.json()) == (400, {"errors": ["expected a JSON object as the body"]})
    for key in ("a b", "é", "x" * 256):
        answer = service.post("/schedule", good, Idempotency_Key=key)
        (error,) = answer.json()["errors"]
        assert error.startswith("expected an Idempotency-Key of 1 to 255"), key
    assert service.names() == []


def test_a_task_is_delivered_at_its_instant_without_the_secret(service: Service) -> None:
    """Fractions of a second are rounded up."""
    messages = [
        "",
        0,
        False,
        None,
        {"name": "Luke"},
        [1, "é 😀"],
        {"a": {"b": ["\u2028", '"', "\\", "$x #if"]}},
    ]
    for message in messages:
        service.scheduled("2030-01-07T01:00:10.951+01:00", message)
    assert {name[:5] for name in service.names()} == {"task-"}
    assert {len(name) for name in service.names()} == {37}
    service.play(NOW + 10 * SECOND)
    assert service.delivered() == []
    service.play(NOW + 11 * SECOND)
    expected = [{"timestamp": "2030-01-07T01:00:10.951+01:00", "message": message} for message in messages]
    assert sorted(map(json.dumps, service.delivered())) == sorted(map(json.dumps, expected))
    assert service.names() == []
    assert SECRET not in json.dumps(service.dynamodb.scan(TableName=service.outputs_of["TableName"])["Items"])


def test_an_instant_that_has_passed_is_delivered_at_once(service: Service) -> None:
    service.scheduled("2020-08-21T04:29:00.951Z", "late")
    service.scheduled("2030-01-07T00:00:00Z", "now")
    with service.client("tasks") as client:
        due = [record.next_run for record in client.list()]
    assert all(each is not None and each <= NOW + 10 * SECOND for each in due)
    service.play(NOW + 10 * SECOND)
    assert sorted(each["message"] for each in service.delivered()) == ["late", "now"]


def test_only_a_waiting_task_of_the_service_is_cancelled(service: Service) -> None:
    arn = service.scheduled("2030-01-07T01:00:00Z")
    other = "urn:stepsched:task:task-" + 32 * "0"
    execution = "arn:aws:states:us-east-1:123456789:execution:pipedream-scheduled-tasks-dc_abc123:8699662d"
    with service.client("tasks") as client:
        hourly = ss.Cron("0 * * * ? *")
        topic = ss.TopicTarget(service.outputs_of["HttpTopicArn"])
        client.create(ss.Job(name="task-" + 32 * "a", schedule=hourly, target=topic))
    for each in (other, execution, f"urn:stepsched:task:task-{32 * 'a'}", "task-" + 32 * "a", f"{arn}0"):
        answer = service.cancelled(each)
        (error,) = answer.json()["errors"]
        assert answer.status == 404, each
        assert error.startswith(f"No task '{each}' is known here"[:40])
    assert service.cancelled(arn).status == 200
    assert service.cancelled(arn).status == 404
    delivered = service.scheduled("2030-01-07T00:30:00Z")
    service.play(NOW + timedelta(minutes=31))
    answer = service.cancelled(delivered)
    assert (answer.status, answer.json()) == (
        410,
        {"errors": [f"Task '{delivered}' was delivered, so it cannot be cancelled"]},
    )
    assert service.names() == ["task-" + 32 * "a"]


def test_a_request_with_the_same_idempotency_key_is_the_same_task(service: Service) -> None:
    at = "2030-01-07T01:00:00Z"
    arn = service.scheduled(at, {"a": 1}, Idempotency_Key="order 7".replace(" ", "-"))
    assert arn == "urn:stepsched:task:task-" + sha256(b"order-7").hexdigest()[:32]
    assert service.scheduled(at, {"a": 1}, idempotency_key="order-7") == arn
    for other in (
        {"timestamp": at, "message": {"a": 2}},
        {"timestamp": "2030-01-07T01:00:01Z", "message": 1},
    ):
        answer = service.post("/schedule", {**other, "secret": SECRET}, Idempotency_Key="order-7")
        assert answer.status == 422
        assert answer.json()["errors"][0].startswith("The Idempotency-Key 'order-7' came with another")
    assert len(service.names()) == 1
    service.play(NOW + timedelta(hours=1))
    assert service.scheduled(at, {"a": 1}, Idempotency_Key="order-7") == arn
    assert len(service.delivered()) == 1
    assert service.names() == []


def test_a_large_body_is_refused_and_one_of_64_kb_is_not(service: Service) -> None:
    assert service.scheduled("2030-01-07T01:00:00Z", '"' * 32_000)
    body = {"timestamp": "2030-01-07T01:00:00Z", "message": "é" * 45_000, "secret": SECRET}
    answer = service.api.call("/schedule", json.dumps(body, ensure_ascii=False))
    assert (answer.status, answer.json()) == (413, {"errors": ["expected a body of at most 64 KB"]})
    answer = service.post("/schedule", {**body, "message": "x" * 110_000})
    assert answer.status == 400
    assert answer.json()["errors"][0].startswith("input: the job is too large")
    assert service.api.call("/cancel", "{}", media_type="image/png").status == 415


def test_an_unexpected_failure_is_answered_in_the_known_words(service: Service) -> None:
    arn = service.scheduled("2030-01-07T01:00:00Z")
    broken = asl.StateMachine(states={"Fail": asl.Fail(error="Any", cause="any")}).to_json()
    service.states.update_state_machine(stateMachineArn=service.outputs_of["RegisterArn"], definition=broken)
    body = {"timestamp": "2030-01-07T01:00:00Z", "message": 1, "secret": SECRET}
    answer = service.post("/schedule", body)
    assert (answer.status, answer.json()) == (500, {"msg": "Failed to schedule task. Please see logs"})
    answer = service.cancelled(arn)
    assert (answer.status, answer.json()) == (500, {"msg": "Failed to cancel task. Please see logs"})


def test_without_a_secret_requests_are_signed(account_of: Service) -> None:
    """The emulator checks no signature; that the methods ask for one is read back."""
    account_of.deploy(True)
    for path in ("/schedule", "/cancel"):
        assert account_of.api.method(path)["authorizationType"] == "AWS_IAM"
    answer = account_of.post(
        "/schedule", {"timestamp": "2030-01-07T01:00:00Z", "message": "x", "secret": "any"}
    )
    assert answer.status == 200
    account_of.play(NOW + timedelta(hours=1))
    assert account_of.delivered() == [{"timestamp": "2030-01-07T01:00:00Z", "message": "x"}]


def test_another_path_is_answered_with_404_and_nothing(service: Service) -> None:
    """By the emulator itself, which runs this part, but not the template of the response."""
    port = int(service.server.endpoint_url.rpartition(":")[2])
    scope = f"{service.account}/20300107/eu-west-1/execute-api/aws4_request"
    owner = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"  # names the account
    for path in ("/", "/other", "/schedule/more", "/events"):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            place = f"/_aws/execute-api/{service.api.id}/v1{path}"
            connection.request("POST", place, body=b"{}", headers={"Authorization": owner})
            response = connection.getresponse()
            template_text = response.read().decode()
        assert (response.status, render(template_text, "", {}, {})) == (404, ""), path


def test_the_stack_is_changed_and_destroyed_whole(service: Service) -> None:
    before = service.resources("tasks")
    service.scheduled("2030-01-07T01:00:00Z")
    changes = service.change("tasks", template([], http=HttpPart(secret="other", rate=5)))
    assert {name for name, each in changes.items() if each["Action"] == "Modify"} >= {"Http", "HttpStage"}
    assert service.post("/cancel", {"secret": SECRET, "executionArn": "x"}).status == 400
    assert service.post("/cancel", {"secret": "other", "executionArn": "x"}).status == 404
    assert service.resources("tasks").keys() == before.keys()
    place: dict[str, Any] = {"session": service.session(), "endpoint_url": service.server.endpoint_url}
    with pytest.raises(ss.BackendError, match="holds 1 waiting job: task-"):
        ss.deploy.destroy("tasks", **place)
    ss.deploy.destroy("tasks", keep_table=False, force=True, **place)
    assert service.aws("apigateway").get_rest_apis()["items"] == []
    assert service.states.list_state_machines()["stateMachines"] == []
    assert service.aws("sns").list_topics()["Topics"] == []
    assert service.aws("iam").list_roles()["Roles"] == []
