"""Scheduling of tasks: what is checked, in which order, and what is stored."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import stepsched as ss
from stepsched.http import one_shot_app
from tests.unit.http.one_shot.asking import NOON, SECOND, SECRET, Service, ask, sample, service

WRONG = "Secret on incoming request doesn't match the configured secret"
NO_TIMESTAMP = (
    "No timestamp included in payload. Please provide an ISO8601 timestamp in the 'timestamp' field"
)
NO_MESSAGE = "No message passed in payload"
LATER = "2030-01-07T12:00:30.250Z"


@pytest.fixture
def guarded() -> Iterator[Service]:
    with service() as made:
        yield made


def body(**changes: Any) -> dict[str, Any]:
    return {"timestamp": LATER, "message": "m", "secret": SECRET, **changes}


def errors(answer: Any) -> list[str]:
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert list(found) == ["errors"]
    return list(found["errors"])


# -- the known interface -----------------------------------------------------------------------------------


def test_the_request_of_the_known_system_is_answered_in_its_shape(guarded: Service) -> None:
    answer = guarded.ask("/schedule", sample("schedule-request"))
    known = sample("schedule-response")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert (found.keys(), found["msg"].keys()) == (known.keys(), known["msg"].keys())
    assert found["msg"]["timestamp"] == known["msg"]["timestamp"]


def test_without_a_configured_secret_none_is_asked_for() -> None:
    with service(secret=None) as free:
        assert free.ask("/schedule", sample("schedule-request-without-secret")).status_code == 200
        assert free.ask("/schedule", sample("schedule-request")).status_code == 200


@pytest.mark.parametrize(
    "secret", ["ABC123", "abc1234", "", None, True, 0, 1.5, ["abc123"], {}, "äß", "\x00"]
)
def test_a_wrong_secret_is_the_one_error(guarded: Service, secret: object) -> None:
    assert errors(guarded.ask("/schedule", body(secret=secret))) == [WRONG]


def test_a_missing_secret_is_the_one_error(guarded: Service) -> None:
    assert errors(guarded.ask("/schedule", sample("schedule-request-without-secret"))) == [WRONG]


@pytest.mark.parametrize("content", [b"{}", b"", b" \n"])
def test_an_empty_request_has_three_errors_in_order(guarded: Service, content: bytes) -> None:
    assert errors(guarded.ask("/schedule", content=content)) == [WRONG, NO_TIMESTAMP, NO_MESSAGE]


@pytest.mark.parametrize("timestamp", [None, "", 0, False])
def test_a_timestamp_that_is_nothing_is_missing(guarded: Service, timestamp: object) -> None:
    assert errors(guarded.ask("/schedule", body(timestamp=timestamp))) == [NO_TIMESTAMP]


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "SCHEDULE"])
def test_the_verb_is_not_checked(guarded: Service, verb: str) -> None:
    assert guarded.ask("/schedule", body(), method=verb).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/schedule/", "/Schedule", "/", "//", "/schedule/x"])
def test_an_unknown_path_is_404_and_empty(guarded: Service, path: str) -> None:
    answer = guarded.ask(path, {})
    assert (answer.status_code, answer.content) == (404, b"")
    assert {*answer.headers} <= {"content-length"}


def test_a_failure_of_the_backend_is_500_with_the_known_text(
    guarded: Service, caplog: pytest.LogCaptureFixture
) -> None:
    guarded.backend.close()
    answer = guarded.ask("/schedule", body())
    assert (answer.status_code, answer.json()) == (500, {"msg": "Failed to schedule task. Please see logs"})
    assert "a task could not be scheduled" in caplog.text
    assert SECRET not in caplog.text


# -- what is mended ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["", 0, False, None, {}, [], "text", 1.5, {"name": "Luke"}, [1, "a"]])
def test_it_counts_whether_there_is_a_message_and_not_which(guarded: Service, message: object) -> None:
    arn = guarded.schedule(NOON + SECOND, message)
    guarded.play()
    ((_, event),) = guarded.events(1)
    assert event == {"timestamp": (NOON + SECOND).isoformat(), "message": message}
    assert type(event["message"]) is type(message)
    assert arn


@pytest.mark.parametrize(
    ("timestamp", "words"),
    [
        pytest.param("tomorrow", "expected a date and a time", id="word"),
        pytest.param("2030-01-08", "expected a date and a time", id="date"),
        pytest.param("2030-01-08T09:00:00", "expected an offset at its end", id="without offset"),
        pytest.param("2030-02-30T09:00:00Z", "got '2030-02-30T09:00:00Z'", id="no such day"),
        pytest.param("0001-01-01T00:00:00+23:00", "years 1 to 9999", id="before the years"),
        pytest.param(1_893_000_000, "expected text such as", id="number"),
        pytest.param({"a": 1}, "expected text such as", id="object"),
        pytest.param("9" * 5000, "expected a date and a time", id="long"),
    ],
)
def test_a_timestamp_that_is_none_is_refused_with_the_reason(
    guarded: Service, timestamp: object, words: str
) -> None:
    (problem,) = errors(guarded.ask("/schedule", body(timestamp=timestamp)))
    assert problem.startswith("Timestamp isn't a valid ISO 8601 string: ")
    assert words in problem
    assert len(problem) < 300
    assert guarded.client.list() == []


def test_the_horizon_is_stated(guarded: Service) -> None:
    assert guarded.ask("/schedule", body(timestamp="2031-01-07T12:00:00Z")).status_code == 200
    (problem,) = errors(guarded.ask("/schedule", body(timestamp="2031-01-07T12:00:00.000001Z")))
    assert problem == (
        "Timestamp is beyond the horizon: expected an instant up to 2031-01-07T12:00:00Z, which is 365 days "
        "from now, got '2031-01-07T12:00:00.000001Z'"
    )


def test_the_horizon_can_be_set() -> None:
    with service(horizon=timedelta(hours=1)) as near:
        assert (
            "up to 2030-01-07T13:00:00Z"
            in errors(near.ask("/schedule", body(timestamp="2030-01-08T00:00:00Z")))[0]
        )
    with service(horizon=timedelta.max) as far:
        assert far.ask("/schedule", body(timestamp="9999-12-30T00:00:00Z")).status_code == 200


def test_all_errors_come_in_the_order_of_the_known_ones(guarded: Service) -> None:
    found = errors(guarded.ask("/schedule", {"timestamp": "x", "secret": 1}))
    assert [problem[:14] for problem in found] == [WRONG[:14], "Timestamp isn'", NO_MESSAGE[:14]]


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        pytest.param(LATER, NOON + timedelta(seconds=30.25), id="milliseconds"),
        pytest.param("2030-01-07T14:00:00.000001+02:00", NOON + timedelta(microseconds=1), id="offset"),
        pytest.param("2030-01-07T13:00:00+01:00[Europe/Paris]", NOON, id="zone"),
    ],
)
def test_the_instant_is_kept_to_the_microsecond(guarded: Service, timestamp: str, at: datetime) -> None:
    answer = guarded.ask("/schedule", body(timestamp=timestamp))
    (record,) = guarded.client.list()
    assert answer.json()["msg"]["timestamp"] == timestamp
    assert record.next_run is not None
    assert record.next_run == max(at, NOON + timedelta(milliseconds=20))


@pytest.mark.parametrize(
    "timestamp", ["2020-08-21T04:29:00.951Z", "0001-01-01T00:00:00Z", "2030-01-07T12:00:00Z"]
)
def test_a_past_instant_is_delivered_at_once(guarded: Service, timestamp: str) -> None:
    guarded.ask("/schedule", body(timestamp=timestamp))
    guarded.play(0.1)
    assert guarded.events(1)[0].data == {"timestamp": timestamp, "message": "m"}


def test_thirty_seconds_from_now_is_one_event_at_the_timestamp(guarded: Service) -> None:
    at = NOON + timedelta(seconds=30, milliseconds=250)
    guarded.schedule(at, {"name": "Luke"})
    guarded.play(30.2)
    assert guarded.client.runs() == []
    guarded.play(0.05)
    (run,) = guarded.client.runs()
    assert (run.scheduled_for, run.status) == (at, ss.RunStatus.SUCCEEDED)
    guarded.play(3600)
    assert guarded.client.runs() == [run]
    assert guarded.events(1)[0].data == {"timestamp": at.isoformat(), "message": {"name": "Luke"}}


@pytest.mark.parametrize("size", [4_096, 100_000, 262_000])
def test_a_large_message_arrives_whole(guarded: Service, size: int) -> None:
    message = "ä" * (size // 2)
    content = json.dumps({**body(message=message), "secret": SECRET}, ensure_ascii=False).encode()
    assert guarded.ask("/schedule", content=content).status_code == 200
    guarded.play()
    assert guarded.events(1)[0].data["message"] == message


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        pytest.param(b"[", 400, "expected JSON", id="cut off"),
        pytest.param(b"[1]", 400, "expected a JSON object", id="list"),
        pytest.param(b'"text"', 400, "expected a JSON object", id="text"),
        pytest.param(b"timestamp=1&message=2", 400, "expected JSON", id="form"),
        pytest.param(b'{"message": 1, "message": 2}', 400, "each key once", id="twice"),
        pytest.param(b'{"message": NaN}', 400, "not a number in JSON", id="NaN"),
        pytest.param(b"{" + b" " * 262_144 + b"}", 413, "at most 262,144 bytes", id="large"),
    ],
)
def test_a_body_that_is_no_object_is_refused(
    guarded: Service, content: bytes, status: int, words: str
) -> None:
    answer = guarded.ask("/schedule", content=content)
    assert answer.status_code == status
    assert words in answer.json()["errors"][0]
    assert guarded.client.list() == []


def test_a_message_that_grows_too_large_is_refused(guarded: Service) -> None:
    """As JSON, 1e15 is written with all its digits."""
    numbers = b",".join([b"1e15"] * 40_000)
    content = b'{"timestamp":"%b","secret":"%b","message":[%b]}' % (LATER.encode(), SECRET.encode(), numbers)
    (problem,) = errors(guarded.ask("/schedule", content=content))
    assert "expected at most 262,144 bytes of JSON" in problem


def test_a_message_that_means_something_to_the_store_is_refused(guarded: Service) -> None:
    from stepsched.core.context import JSON_KEY

    (problem,) = errors(guarded.ask("/schedule", body(message={JSON_KEY: "scheduled_time"})))
    assert "which means a context attribute" in problem


def test_unknown_keys_are_left_out(guarded: Service) -> None:
    assert guarded.ask("/schedule", body(more=1)).status_code == 200
    (record,) = guarded.client.list()
    assert record.job.input == {"timestamp": LATER, "message": "m"}


@pytest.mark.parametrize(
    "headers",
    [{"x-secret": SECRET}, {"authorization": f"Bearer {SECRET}"}, {"authorization": f"bearer  {SECRET}"}],
)
def test_the_secret_may_come_in_a_header(guarded: Service, headers: dict[str, str]) -> None:
    given = body()
    del given["secret"]
    assert guarded.ask("/schedule", given, headers=headers).status_code == 200
    assert errors(guarded.ask("/schedule", body(secret="x"), headers=headers)) == [WRONG]


def test_a_secret_that_is_not_ascii_is_compared_as_utf_8() -> None:
    with service(secret="schlüssel🔑") as made:
        assert made.ask("/schedule", body(secret="schlüssel🔑")).status_code == 200
        assert errors(made.ask("/schedule", body(secret="schlüssel"))) == [WRONG]
        answer = ask(made.app, "/tasks", method="GET", headers=None, content=None)
        assert answer.status_code == 401


def test_the_secret_is_stored_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "never-to-be-found-7f3a"
    path = tmp_path / "tasks.db"
    with service(path, secret=secret) as made:
        for given in (body(secret=secret), body(secret=secret, timestamp="x"), body(secret=secret + "x")):
            answer = made.ask("/schedule", given)
            assert secret not in answer.text + repr(answer.headers)
        made.play()
        runs = repr(made.client.runs()) + repr(made.client.list()) + repr(made.app) + repr(vars(made.app))
        assert secret not in runs
        assert secret not in caplog.text
        files = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
        assert "tasks.db" in files
        assert not [name for name, content in files.items() if secret.encode() in content]
    assert secret.encode() not in path.read_bytes()
    with closing(sqlite3.connect(path)) as stored:
        assert secret not in "\n".join(stored.iterdump())


# -- idempotency -------------------------------------------------------------------------------------------


def test_a_key_makes_a_repetition_one_task(guarded: Service) -> None:
    first = guarded.ask("/schedule", body(), headers={"idempotency-key": "k-1"})
    again = guarded.ask("/schedule", body(), headers={"idempotency-key": "k-1"})
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(guarded.client.list()) == 1


def test_a_key_holds_after_the_delivery_and_for_past_instants(guarded: Service) -> None:
    past = body(timestamp="2020-01-01T00:00:00Z")
    first = guarded.ask("/schedule", past, headers={"idempotency-key": "k"})
    guarded.play(3600)
    again = guarded.ask("/schedule", past, headers={"idempotency-key": "k"})
    guarded.play(3600)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert len(guarded.client.runs()) == 1


@pytest.mark.parametrize(
    "change", [{"message": "other"}, {"message": True}, {"timestamp": "2030-01-07T12:01:00Z"}]
)
def test_a_key_with_another_body_is_422(guarded: Service, change: dict[str, Any]) -> None:
    guarded.ask("/schedule", body(message=1), headers={"idempotency-key": "k"})
    answer = guarded.ask("/schedule", body(**{"message": 1, **change}), headers={"idempotency-key": "k"})
    assert answer.status_code == 422
    assert "came with another timestamp or message before" in answer.json()["errors"][0]
    assert len(guarded.client.list()) == 1


def test_a_key_is_durable(tmp_path: Path) -> None:
    answers = []
    for _ in range(2):
        with service(tmp_path / "tasks.db") as made:
            answers.append(made.ask("/schedule", body(), headers={"idempotency-key": "k"}))
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replayed"] == "true"


def test_the_order_of_keys_in_the_message_does_not_matter(guarded: Service) -> None:
    for message in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        answer = guarded.ask("/schedule", body(message=message), headers={"idempotency-key": "k"})
        assert answer.status_code == 200


@pytest.mark.parametrize("key", ["", "a b", "k" * 256])
def test_a_key_that_is_none_is_refused(guarded: Service, key: str) -> None:
    (problem,) = errors(guarded.ask("/schedule", body(), headers={"idempotency-key": key}))
    assert "expected an Idempotency-Key of 1 to 255 visible ASCII characters" in problem
    assert guarded.client.list() == []


# -- arguments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"secret": ""}, "expected a secret, got an empty text", id="empty secret"),
        pytest.param({"horizon": -SECOND}, "expected horizon of at least 0", id="horizon"),
        pytest.param({"keep": -SECOND}, "expected keep of at least 0", id="keep"),
        pytest.param({"topics": "arn:aws:sns:eu-west-1:1:t"}, "expected a list of ARNs", id="one topic"),
        pytest.param({"topics": ["news"]}, "expected a list of ARNs", id="no topic"),
    ],
)
def test_a_wrong_argument_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words), service(**options):
        pass


def test_a_wrong_type_is_refused_and_the_secret_not_shown() -> None:
    with pytest.raises(TypeError, match="expected text or None for secret, got a bytes"):
        one_shot_app(ss.SchedulerClient(), secret=b"abc123")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"got LocalBackend; use for example SchedulerClient\("):
        one_shot_app(ss.LocalBackend())  # type: ignore[arg-type]


def test_a_backend_that_may_not_import_the_delivery_is_refused_at_once(tmp_path: Path) -> None:
    closed = ss.SchedulerClient(ss.LocalBackend(tmp_path / "a.db", handlers_from=["myapp"]))
    with pytest.raises(ss.StepschedError, match=r"stepsched\.http\.one_shot"):
        one_shot_app(closed)
    closed.backend.close()
    opened = ss.SchedulerClient(ss.LocalBackend(tmp_path / "a.db", handlers_from=["stepsched.http.one_shot"]))
    one_shot_app(opened)
    opened.backend.close()


def test_a_target_gets_the_event(tmp_path: Path) -> None:
    kept: list[object] = []
    with service(target=ss.HandlerTarget(lambda event: kept.append(event))) as made:
        made.schedule(NOON + SECOND, {"name": "Luke"})
        made.play()
        event = {"timestamp": (NOON + SECOND).isoformat(), "message": {"name": "Luke"}}
        assert kept == [event]
        assert made.events(1)[0].data == event


def test_a_topic_is_one_target_of_several() -> None:
    """The delivery of the known system."""
    topic = ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:tasks")
    published: list[object] = []
    clock = ss.testing.FakeClock(NOON)
    backend = ss.LocalBackend(
        clock=clock, handlers={ss.TopicTarget: lambda _target, event: published.append(event)}
    )
    client = ss.SchedulerClient(backend)
    made = Service(one_shot_app(client, secret=SECRET, target=topic), client, clock)
    made.schedule(NOON + SECOND, "m")
    made.play()
    assert published == [{"timestamp": (NOON + SECOND).isoformat(), "message": "m"}]
    backend.close()


def test_utc_is_the_zone_of_a_task(guarded: Service) -> None:
    guarded.schedule(datetime(2030, 1, 8, 9, tzinfo=timezone(timedelta(hours=5))))
    (record,) = guarded.client.list()
    assert record.job.schedule == ss.OneTime("2030-01-08T04:00:00")


def test_the_application_can_be_mounted_under_a_path() -> None:
    with service() as made:
        outer = Starlette(routes=[Mount("/one-shot", made.app)])
        headers = {"x-secret": SECRET}
        content = json.dumps(body()).encode()
        answers = [
            ask(outer, path, method=method, headers=headers, content=content)
            for method, path in (
                ("POST", "/one-shot/schedule"),
                ("GET", "/one-shot/tasks"),
                ("GET", "/one-shot/x"),
            )
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 404]
        assert answers[1].json()["tasks"][0]["timestamp"] == LATER


def test_a_process_that_runs_the_tasks_needs_no_web_framework() -> None:
    program = (
        "import sys\n"
        "import stepsched.http.one_shot.delivery\n"
        "assert not {'starlette', 'httpx', 'uvicorn', 'cryptography'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_reading_is_not_changed_by_bodies(guarded: Service, method: str) -> None:
    assert guarded.ask("/openapi.json", content=b"x" * 1000, method=method).status_code == 200


# -- pages of other sites ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://service"},
    ],
)
def test_without_a_secret_pages_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    """A browser sends such requests wherever its owner looks, also to this machine."""
    with service(secret=None) as free:
        arn = free.schedule(NOON + SECOND)
        body = {"timestamp": "2030-01-07T13:00:00Z", "message": "m", "executionArn": arn}
        for path in ("/schedule", "/cancel"):
            assert free.ask(path, body, headers=headers).status_code == 403
        assert len(free.client.list()) == 1
    with service() as guarded:
        assert guarded.ask("/schedule", {**body, "secret": SECRET}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://service"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin", "origin": "https://before.the.proxy"},
    ],
)
def test_without_a_secret_own_pages_may_schedule(headers: dict[str, str]) -> None:
    with service(secret=None) as free:
        body = {"timestamp": "2030-01-07T13:00:00Z", "message": "m"}
        assert free.ask("/schedule", body, headers=headers).status_code == 200
