"""Context attributes: what is meant as one is one, and text of others never becomes one."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.context import (
    ATTEMPT_NUMBER,
    ATTRIBUTES,
    EXECUTION_ID,
    SCHEDULE_ARN,
    SCHEDULED_TIME,
    ContextText,
    fill,
    find_look_alike,
    recognise,
    revive,
    write,
)
from stepsched.testing import FakeClock, TimeTravel

T0 = datetime(2030, 1, 7, 12, tzinfo=timezone.utc)
VALUES = {SCHEDULE_ARN: "arn", SCHEDULED_TIME: "time", EXECUTION_ID: "id", ATTEMPT_NUMBER: "1"}
LAMBDA = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")


def job(payload: Any, target: ss.Target = LAMBDA) -> ss.Job:
    return ss.Job(name="job", schedule=ss.Rate(timedelta(hours=1), start=T0), target=target, input=payload)


def test_the_four_attributes_are_the_services_own() -> None:
    assert [str(attribute) for attribute in ATTRIBUTES] == [
        "<aws.scheduler.schedule-arn>",
        "<aws.scheduler.scheduled-time>",
        "<aws.scheduler.execution-id>",
        "<aws.scheduler.attempt-number>",
    ]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        pytest.param(SCHEDULED_TIME, "time", id="alone"),
        pytest.param("at " + SCHEDULED_TIME, "at time", id="text before"),
        pytest.param(SCHEDULED_TIME + "!", "time!", id="text after"),
        pytest.param("a" + EXECUTION_ID + "-" + ATTEMPT_NUMBER + "b", "aid-1b", id="two"),
        pytest.param(SCHEDULE_ARN + SCHEDULE_ARN, "arnarn", id="twice"),
    ],
)
def test_plus_joins_attributes_and_text(text: ContextText, filled: str) -> None:
    assert type(text) is ContextText
    assert text.filled(VALUES) == filled
    assert type(text.filled(VALUES)) is str


def test_an_attribute_without_a_value_stays() -> None:
    assert (SCHEDULED_TIME + EXECUTION_ID).filled({EXECUTION_ID: "id"}) == f"{SCHEDULED_TIME}id"


@pytest.mark.parametrize(
    "join",
    [
        pytest.param(lambda: SCHEDULED_TIME + "<aws.scheduler.execution-id>", id="after"),
        pytest.param(lambda: "<aws.scheduler.execution-id>" + SCHEDULED_TIME, id="before"),
        pytest.param(lambda: SCHEDULED_TIME + "<AWS.Scheduler.x", id="case"),
        pytest.param(lambda: SCHEDULED_TIME + str(EXECUTION_ID), id="an attribute that became text"),
        pytest.param(lambda: SCHEDULED_TIME + "<aws.sched" + "uler.execution-id>", id="in two pieces"),
        pytest.param(
            lambda: "<aws.sched" + ("uler.execution-id>" + SCHEDULED_TIME), id="in two pieces, before"
        ),
    ],
)
def test_plain_text_never_becomes_an_attribute_by_joining(join: Callable[[], ContextText]) -> None:
    with pytest.raises(ValueError, match="looks like a context attribute; use the constants"):
        join()


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(f"{SCHEDULED_TIME}", id="formatted"),
        pytest.param("".join([SCHEDULED_TIME]), id="joined"),
        pytest.param(SCHEDULED_TIME.upper(), id="upper case"),
        pytest.param(str(SCHEDULED_TIME), id="str"),
        pytest.param(SCHEDULED_TIME[:], id="slice"),
    ],
)
def test_only_plus_makes_one(made: str) -> None:
    assert type(made) is str
    assert find_look_alike(made) == "input"


def test_an_attribute_stays_one_in_copies_and_pickles() -> None:
    value = {"at": ["x" + SCHEDULED_TIME]}
    for twin in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert type(twin["at"][0]) is ContextText
        assert twin == value


PAYLOADS = [
    pytest.param(SCHEDULED_TIME, {"$context": "<aws.scheduler.scheduled-time>"}, id="alone"),
    pytest.param(
        {"a": ["x", "at " + SCHEDULED_TIME]},
        {"a": ["x", {"$context": "at <aws.scheduler.scheduled-time>"}]},
        id="deep",
    ),
    pytest.param({"a": "plain", "b": 1}, {"a": "plain", "b": 1}, id="none"),
    pytest.param("<aws.scheduler.scheduled-time>", "<aws.scheduler.scheduled-time>", id="plain text"),
    pytest.param({"$context": "x", "b": 1}, {"$context": "x", "b": 1}, id="two keys"),
]


@pytest.mark.parametrize(("value", "document"), PAYLOADS)
def test_json_tells_an_attribute_from_plain_text_and_is_an_exact_mirror(value: Any, document: Any) -> None:
    assert write(value) == document
    it = job(value)
    assert json.loads(it.model_dump_json())["input"] == document
    again = ss.Job.model_validate_json(it.model_dump_json())
    assert again == it
    assert write(again.input) == document
    request = ss.ApiTarget("sqs", "sendMessage", {"Body": value})
    twin = ss.ApiTarget.model_validate_json(request.model_dump_json())
    assert (twin, write(twin.request)) == (request, {"Body": document})


@pytest.mark.parametrize(("value", "document"), PAYLOADS)
def test_a_file_of_jobs_is_the_same_mirror(value: Any, document: Any, tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(f"[{job(value).model_dump_json()}]")
    (found,) = ss.load_jobs(path)
    assert found == job(value)
    assert write(found.input) == document


def test_an_attribute_and_the_same_plain_text_are_two_jobs() -> None:
    assert job(SCHEDULED_TIME) != job(str(SCHEDULED_TIME))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("plain", "one of the context attributes <aws.*, got 'plain'", id="none"),
        pytest.param(5, "one of the context attributes .*, got 5", id="number"),
        pytest.param("<aws.scheduler.shoe-size>", "one of the context attributes", id="unknown"),
        pytest.param(f"{SCHEDULED_TIME}<aws.scheduler.shoe-size>", "only looks like a context", id="both"),
        pytest.param(f"<aws.sched{SCHEDULED_TIME}uler.x>", "only looks like", id="one in another"),
    ],
)
def test_a_document_with_another_text_under_the_key_is_refused(text: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        revive([{"$context": text}])
    document = json.loads(job(1).model_dump_json()) | {"input": {"a": {"$context": text}}}
    with pytest.raises(ValueError, match=words):
        ss.Job.model_validate_json(json.dumps(document))
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps([document]))
    with pytest.raises(ss.errors.JobFileError, match=words):
        ss.load_jobs(path)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"$context": str(SCHEDULED_TIME)}, id="alone"),
        pytest.param({"a": [{"$context": str(SCHEDULED_TIME)}]}, id="deep"),
        pytest.param({"a": {"$context": 5}}, id="anything"),
    ],
)
def test_data_in_python_is_never_read_as_an_attribute(payload: Any) -> None:
    with pytest.raises(ValueError, match=r"the only key '\$context'.*use the constants of ss\.context"):
        job(payload)
    with pytest.raises(ValueError, match="use the constants"):
        ss.ApiTarget("sqs", "sendMessage", {"a": payload})


def test_the_parameters_of_a_batch_job_keep_their_attributes() -> None:
    target = ss.BatchTarget("d", job_queue="q", parameters={"at": SCHEDULED_TIME})
    assert find_look_alike(target.parameters) is None


def test_what_the_service_keeps_is_taken_at_its_word() -> None:
    found = recognise({"a": [f"at {SCHEDULED_TIME}", "plain", 5, "<aws.scheduler.shoe-size>"]})
    assert [type(each) for each in found["a"]] == [ContextText, str, int, str]


def test_filling_leaves_plain_text_alone() -> None:
    value = {"a": ["at " + SCHEDULED_TIME, str(SCHEDULED_TIME), 5, None], str(EXECUTION_ID): 1}
    assert fill(value, VALUES) == {"a": ["at time", str(SCHEDULED_TIME), 5, None], str(EXECUTION_ID): 1}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        pytest.param("x", None, id="plain"),
        pytest.param(SCHEDULED_TIME, None, id="attribute"),
        pytest.param(5, None, id="number"),
        pytest.param(["a", "<aws.scheduler.x"], "input[1]", id="list"),
        pytest.param({"a": {"b": ["<AWS.SCHEDULER."]}}, "input.a.b[0]", id="deep"),
        pytest.param({"a": {"<aws.scheduler.x>": 1}}, "a key of input.a", id="key"),
        pytest.param({"a": "<aws.schedulers>", "b": "aws.scheduler."}, None, id="other text"),
    ],
)
def test_a_look_alike_is_found_with_its_place(value: Any, place: str | None) -> None:
    assert find_look_alike(value) == place


PAYLOAD = {
    "at": SCHEDULED_TIME,
    "of": [SCHEDULE_ARN + "!"],
    "try": ATTEMPT_NUMBER,
    "id": EXECUTION_ID,
    "n": 1,
}
ARN = "arn:aws:scheduler:local:000000000000:schedule/default/job!"


def test_the_embedded_backend_fills_them() -> None:
    seen: list[Any] = []
    backend = ss.LocalBackend(
        clock=FakeClock(T0 - timedelta(minutes=1)),
        handlers={ss.LambdaTarget: lambda target, payload: seen.append(payload)},
    )
    client = ss.SchedulerClient(backend)
    client.create(job(PAYLOAD))
    backend.run_until(T0)
    (run,) = client.runs("job")
    backend.close()
    assert seen == [{"at": "2030-01-07T12:00:00Z", "of": [ARN], "try": "1", "id": f"{run.id}-1", "n": 1}]


def test_the_embedded_backend_quotes_the_name_of_the_job_in_its_arn() -> None:
    """So that nothing in it is filled in, and the parts of the ARN stay apart."""
    seen: list[Any] = []
    backend = ss.LocalBackend(
        clock=FakeClock(T0 - timedelta(minutes=1)),
        handlers={ss.LambdaTarget: lambda target, payload: seen.append(payload)},
    )
    ss.SchedulerClient(backend).create(job(PAYLOAD).replace(name="a b/<aws.scheduler.scheduled-time>"))
    backend.run_until(T0)
    backend.close()
    name = "a%20b%2F%3Caws.scheduler.scheduled-time%3E"
    assert seen[0]["of"] == [f"arn:aws:scheduler:local:000000000000:schedule/default/{name}!"]


def test_the_embedded_backend_fills_the_request_of_a_call_and_keeps_the_job() -> None:
    seen: list[Any] = []
    target = ss.ApiTarget("sqs", "sendMessage", {"MessageBody": "at " + SCHEDULED_TIME})
    backend = ss.LocalBackend(
        clock=FakeClock(T0 - timedelta(minutes=1)),
        handlers={ss.ApiTarget: lambda target: seen.append(target.request)},
    )
    client = ss.SchedulerClient(backend)
    client.create(job({}, target))
    backend.run_until(T0)
    assert client.get("job").job == job({}, target)
    backend.close()
    assert seen == [{"MessageBody": "at 2030-01-07T12:00:00Z"}]


def test_the_embedded_backend_fills_them_in_every_part_of_a_target(time_travel: TimeTravel) -> None:
    call = ss.ApiTarget("ecs", "runTask", {"due": SCHEDULED_TIME})
    batch = ss.BatchTarget("d", job_queue="q", parameters={"due": SCHEDULED_TIME})
    both = ss.ParallelTarget([call, batch])
    schedule = ss.Rate(timedelta(hours=1), start="2030-01-01T01:00Z")
    wanted = ss.Job(name="job", schedule=schedule, target=both, input={"try": ATTEMPT_NUMBER})
    time_travel.client.create(wanted)
    time_travel.advance(timedelta(hours=1))
    due, seen = "2030-01-01T01:00:00Z", [each.target for each in time_travel.recorder.calls]
    assert seen == [call.replace(request={"due": due}), batch.replace(parameters={"due": due})]
    assert [each.input for each in time_travel.recorder.calls] == [{"try": "1"}] * 2
    assert time_travel.client.get("job").job == wanted
