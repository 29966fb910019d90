"""Jobs of the embedded backend that call URLs, against real servers on 127.0.0.1."""

from __future__ import annotations

import json
import logging
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

import stepsched as ss
from stepsched.backends.local import policy
from stepsched.core.clock import utc_now
from stepsched.testing import Recorder
from tests.unit.webhooks.receiver import LOCAL, Receiver, receiving

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
SECRET, OTHER = "whsec_" + "A" * 43 + "=", "whsec_" + "B" * 43 + "="
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUICK = ss.Retry(max_attempts=3, interval=timedelta(seconds=10), backoff_rate=1)
TOPIC = ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:failed")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def backend() -> Iterator[ss.LocalBackend]:
    with ss.LocalBackend(clock=ss.testing.FakeClock(T0), private_hosts=LOCAL) as found:
        yield found


def hourly(target: ss.Target, **changes: Any) -> ss.Job:
    given: dict[str, Any] = {"name": "report", "schedule": ss.Rate(HOUR, start=T0 + HOUR), **changes}
    return ss.Job(target=target, **{"retry": QUICK, **given})


def played(backend: ss.LocalBackend, job: ss.Job, until: datetime = T0 + HOUR + 59 * MINUTE) -> ss.Run:
    """Creates a job and plays its first run; the run."""
    client = ss.SchedulerClient(backend)
    client.create(job)
    backend.run_until(until)
    (run, *_) = sorted(client.runs(job.name), key=lambda each: each.id)
    return run


# -- the call ------------------------------------------------------------------------------------------


def test_the_input_is_sent_as_compact_json_with_its_attributes_filled_in(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    receiver.answer(201, body=b'{"id": 7}')
    given = {"b": "ü", "a": [1, None], "at": ss.context.SCHEDULED_TIME}
    run = played(backend, hourly(ss.HttpTarget(receiver.url, signing_secret=SECRET), input=given))
    (request,) = receiver.requests
    assert request.body == '{"b":"ü","a":[1,null],"at":"2030-01-07T01:00:00Z"}'.encode()
    assert standardwebhooks.Webhook(SECRET).verify(request.body, request.headers)["b"] == "ü"
    assert request.headers["stepsched-job"] == "report"
    assert request.headers["stepsched-scheduled-for"] == "2030-01-07T01:00:00Z"
    assert request.headers["stepsched-attempt"] == "1"
    assert run.status is ss.RunStatus.SUCCEEDED
    assert run.result == {"id": 7}


def test_a_job_without_input_sends_an_empty_object(backend: ss.LocalBackend, receiver: Receiver) -> None:
    played(backend, hourly(ss.HttpTarget(receiver.url)))
    assert receiver.requests[0].body == b"{}"


def test_a_call_with_get_has_no_body_and_a_job_with_input_is_refused(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    target = ss.HttpTarget(receiver.url, method="GET")
    played(backend, hourly(target))
    assert receiver.requests[0][:2] == ("GET", "/hook")
    assert receiver.requests[0].body == b""
    with pytest.raises(ss.UnsupportedError, match="a call with GET has no body, and the job has an input"):
        ss.SchedulerClient(backend).create(hourly(target, name="other", input={"a": 1}))


def test_every_attempt_is_signed_anew_with_the_same_id(backend: ss.LocalBackend, receiver: Receiver) -> None:
    receiver.answer(500, 500)
    target = ss.HttpTarget(receiver.url, signing_secret=[OTHER, SECRET])
    run = played(backend, hourly(target))
    assert (run.status, run.attempt) == (ss.RunStatus.SUCCEEDED, 3)
    headers = [request.headers for request in receiver.requests]
    assert len({each["webhook-id"] for each in headers}) == 1
    assert {each["stepsched-scheduled-for"] for each in headers} == {"2030-01-07T01:00:00Z"}
    assert [each["stepsched-attempt"] for each in headers] == ["1", "2", "3"]
    for request in receiver.requests:
        for secret in (SECRET, OTHER):
            standardwebhooks.Webhook(secret).verify(request.body, request.headers)


def test_the_timestamp_is_that_of_the_machine_although_time_is_played(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    """A receiver compares it with its own clock."""
    played(backend, hourly(ss.HttpTarget(receiver.url, signing_secret=SECRET)))
    timestamp = int(receiver.requests[0].headers["webhook-timestamp"])
    assert abs(timestamp - utc_now().timestamp()) < 300


def test_no_two_runs_have_the_same_id(receiver: Receiver) -> None:
    """Neither of one backend, nor of several with the same jobs at the same instants."""
    for _ in range(2):
        with ss.LocalBackend(clock=ss.testing.FakeClock(T0), private_hosts=LOCAL) as backend:
            part = ss.HttpTarget(receiver.url)
            played(backend, hourly(ss.ParallelTarget([part, part])), T0 + 3 * HOUR)
    assert len(receiver.requests) == 12
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 12


def test_an_answer_that_is_no_success_fails_the_run_and_is_quoted(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    receiver.answer(409, 409, 409, 409, body=b"no such order")
    run = played(backend, hourly(ss.HttpTarget(receiver.url)))
    assert run.status is ss.RunStatus.FAILED
    assert run.error == "DeliveryError: 127.0.0.1 answered 409 Conflict: no such order"
    assert run.traceback is None


def test_max_run_time_is_the_time_of_the_whole_call(backend: ss.LocalBackend, receiver: Receiver) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        try:
            while not receiver.ended.wait(0.05):
                handler.wfile.write(b"H")
        except OSError:
            pass

    receiver.answers.put(answer)
    job = hourly(
        ss.HttpTarget(receiver.url), max_run_time=timedelta(seconds=1), retry=ss.Retry(max_attempts=0)
    )
    assert played(backend, job).error == "DeliveryError: 127.0.0.1 did not answer within 0:00:01"


def test_calls_are_made_while_the_backend_runs_too(receiver: Receiver) -> None:
    receiver.answer(503, headers={"retry-after": "0"})
    with ss.LocalBackend(private_hosts=LOCAL) as backend:
        client = ss.SchedulerClient(backend)
        at = utc_now() + timedelta(seconds=1)
        target = ss.HttpTarget(receiver.url, signing_secret=SECRET)
        retry = ss.Retry(interval=timedelta(0))
        client.create(
            ss.Job(name="once", schedule=ss.OneTime(at), target=target, retry=retry, completion="keep")
        )
        backend.start()
        run = client.wait(client.run_now("once"), timeout=60)
    assert run.status is ss.RunStatus.SUCCEEDED
    assert run.attempt in (1, 2)
    for request in receiver.requests:
        assert ss.verify_webhook(request.body, request.headers, secret=SECRET)


# -- Retry-After and 410 -------------------------------------------------------------------------------


def starts(receiver: Receiver, backend: ss.LocalBackend, job: ss.Job, until: datetime) -> list[datetime]:
    """Plays a job; the instants of its attempts."""
    found = list[datetime]()
    backend.listen(lambda event: found.append(event.at), kinds=["started"])
    played(backend, job, until)
    return found


def test_the_receiver_may_ask_for_a_longer_pause(backend: ss.LocalBackend, receiver: Receiver) -> None:
    receiver.answer(503, headers={"retry-after": "600"})
    found = starts(receiver, backend, hourly(ss.HttpTarget(receiver.url)), T0 + 2 * HOUR - MINUTE)
    assert found == [T0 + HOUR, T0 + HOUR + 10 * MINUTE]


def test_a_pause_until_a_date_counts_from_the_present_of_the_machine(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    until = format_datetime(utc_now() + 30 * MINUTE, usegmt=True)
    receiver.answer(429, headers={"retry-after": until})
    _, again = starts(receiver, backend, hourly(ss.HttpTarget(receiver.url)), T0 + 2 * HOUR - MINUTE)
    assert T0 + HOUR + 28 * MINUTE < again <= T0 + HOUR + 30 * MINUTE


def test_a_shorter_pause_does_not_replace_that_of_the_policy(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    receiver.answer(503, headers={"retry-after": "1"})
    found = starts(receiver, backend, hourly(ss.HttpTarget(receiver.url)), T0 + 2 * HOUR - MINUTE)
    assert found == [T0 + HOUR, T0 + HOUR + timedelta(seconds=10)]


@pytest.mark.parametrize(
    ("retry", "failures", "asked", "pause"),
    [
        pytest.param(QUICK, 1, None, 10, id="nothing asked for"),
        pytest.param(QUICK, 1, 60, 60, id="a longer pause"),
        pytest.param(QUICK, 1, 5, 10, id="a shorter pause"),
        pytest.param(QUICK.replace(max_delay=timedelta(seconds=30)), 1, 60, 30, id="longer than max_delay"),
        pytest.param(QUICK, 1, 10_000, 3_600, id="longer than max_age"),
        pytest.param(QUICK, 3, 60, 60, id="the last attempt"),
        pytest.param(QUICK, 4, 60, None, id="no attempt is left"),
        pytest.param(
            QUICK.replace(interval=2 * HOUR, max_delay=2 * HOUR),
            1,
            60,
            None,
            id="the pause of the policy is too long",
        ),
    ],
)
def test_a_pause_that_was_asked_for_ends_with_the_policy(
    retry: ss.Retry, failures: int, asked: int | None, pause: int | None
) -> None:
    after = None if asked is None else timedelta(seconds=asked)
    again = policy.next_attempt(retry, failures, T0, T0, after)
    assert again == (None if pause is None else T0 + timedelta(seconds=pause))


def test_status_410_pauses_the_job_with_a_reason_and_notifies(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    told = list[Any]()
    backend.register(ss.TopicTarget, lambda _target, notice: told.append(notice))
    receiver.answer(410)
    run = played(backend, hourly(ss.HttpTarget(receiver.url), notify=TOPIC), T0 + 5 * HOUR)
    record = ss.SchedulerClient(backend).get("report")
    assert (run.status, run.attempt) == (ss.RunStatus.FAILED, 1)
    assert record.status is ss.JobStatus.PAUSED
    assert record.pause_reason == "its URL answered 410 Gone: the receiver wants no further calls"
    assert len(receiver.requests) == 1
    assert [(each["job"], each["cause"]) for each in told] == [("report", "127.0.0.1 answered 410 Gone")]


def test_runs_that_are_due_are_held_back_until_the_job_is_resumed(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    receiver.answer(410)
    client = ss.SchedulerClient(backend)
    client.create(hourly(ss.HttpTarget(receiver.url), overlap="queue"))
    backend.run_until(T0 + 30 * MINUTE)
    client.backfill("report", since=T0 - 2 * HOUR, until=T0)
    backend.run_until(T0 + 3 * HOUR)
    assert client.get("report").status is ss.JobStatus.PAUSED
    gone = len(receiver.requests)
    client.resume("report")
    backend.run_until(T0 + 4 * HOUR)
    assert len(receiver.requests) > gone


def test_a_one_time_job_whose_url_is_gone_has_failed(backend: ss.LocalBackend, receiver: Receiver) -> None:
    receiver.answer(410)
    job = hourly(ss.HttpTarget(receiver.url), schedule=ss.OneTime(T0 + HOUR))
    assert played(backend, job).status is ss.RunStatus.FAILED
    assert ss.SchedulerClient(backend).get("report").status is ss.JobStatus.ENDED
    assert len(receiver.requests) == 1


# -- parts and steps -----------------------------------------------------------------------------------


def test_parts_are_called_and_only_those_that_failed_again(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    first, second = ss.HttpTarget(receiver.url), ss.HttpTarget(receiver.url.replace("/hook", "/other"))
    receiver.answer(200, 503, headers={"retry-after": "600"})
    found = starts(receiver, backend, hourly(ss.ParallelTarget([first, second])), T0 + 2 * HOUR - MINUTE)
    assert [request.path for request in receiver.requests] == ["/hook", "/other", "/other"]
    assert found == [T0 + HOUR, T0 + HOUR + 10 * MINUTE]
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert ids[1] == ids[2] != ids[0]


def test_a_part_that_is_gone_does_not_end_the_attempts_of_another(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    parts = [ss.HttpTarget(f"{receiver.url}?{number}") for number in range(2)]
    receiver.answer(410, 500, 410, 200)
    run = played(backend, hourly(ss.ParallelTarget(parts)), T0 + 5 * HOUR)
    assert (run.status, run.attempt) == (ss.RunStatus.FAILED, 2)
    assert [request.path for request in receiver.requests] == ["/hook?0", "/hook?1"] * 2
    assert ss.SchedulerClient(backend).get("report").status is ss.JobStatus.PAUSED


def test_the_error_of_a_part_names_its_host_and_not_its_whole_url(
    backend: ss.LocalBackend, receiver: Receiver
) -> None:
    receiver.answer(*[500] * 8)
    target = ss.HttpTarget(f"{receiver.url}/hunter2")
    run = played(backend, hourly(ss.ParallelTarget([target, target])))
    assert "part 1 (HttpTarget 127.0.0.1): DeliveryError: 127.0.0.1 answered 500" in (run.error or "")
    assert "hunter2" not in (run.error or "")


def flow(target: ss.Target, **options: Any) -> ss.Workflow:
    return ss.Workflow("flow", steps=[ss.Step("call", target=target, **options)])


def test_a_step_of_a_workflow_calls_a_url(backend: ss.LocalBackend, receiver: Receiver) -> None:
    receiver.answer(503, 200, headers={"retry-after": "120"}, body=b'{"id": 7}')
    flows = ss.WorkflowClient(backend)
    target = ss.HttpTarget(receiver.url, signing_secret=SECRET)
    run = flows.start(flow(target, input={"n": 1}, retry=ss.Retry(max_attempts=2)))
    backend.run_until(T0 + timedelta(seconds=60))
    assert len(receiver.requests) == 1
    backend.run_until(T0 + timedelta(seconds=121))
    step = flows.status(run).steps[0]
    assert (step.status.value, step.output) == ("succeeded", '{"id": 7}')
    headers = [request.headers for request in receiver.requests]
    assert [each["stepsched-attempt"] for each in headers] == ["1", "2"]
    assert len({each["webhook-id"] for each in headers}) == 1
    assert {each["stepsched-job"] for each in headers} == {"flow/call"}
    for request in receiver.requests:
        assert standardwebhooks.Webhook(SECRET).verify(request.body, request.headers) == {"n": 1}


def test_a_step_whose_url_is_gone_is_not_tried_again(backend: ss.LocalBackend, receiver: Receiver) -> None:
    receiver.answer(410)
    flows = ss.WorkflowClient(backend)
    run = flows.start(flow(ss.HttpTarget(receiver.url), retry=ss.Retry(max_attempts=2)))
    backend.run_until(T0 + HOUR)
    assert flows.status(run).steps[0].status.value == "failed"
    assert len(receiver.requests) == 1


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1/", "127.0.0.1 is a loopback address"),
        ("http://[::1]/", "::1 is a loopback address"),
        ("http://10.1.2.3/", "10.1.2.3 is a private address"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is an address of instance metadata"),
        ("http://[::ffff:10.0.0.1]/", "is 10.0.0.1, a private address"),
        ("http://localhost/", "localhost is this machine"),
    ],
)
@pytest.mark.parametrize("is_part", [False, True])
def test_a_private_address_in_a_url_is_refused_at_once(url: str, reason: str, *, is_part: bool) -> None:
    target: ss.Target = ss.HttpTarget(url)
    if is_part:
        target = ss.ParallelTarget([ss.HttpTarget("https://hooks.example.com"), ss.HttpTarget(url)])
    with ss.LocalBackend() as backend:
        with pytest.raises(ss.UnsupportedError) as caught:
            ss.SchedulerClient(backend).create(hourly(target))
        assert reason in caught.value.reason
        assert any("private_hosts=" in each for each in caught.value.alternatives)


def test_names_are_not_resolved_before_the_call() -> None:
    with ss.LocalBackend() as backend:
        ss.SchedulerClient(backend).create(hourly(ss.HttpTarget("https://nowhere.invalid/")))


def test_a_stored_job_waits_in_a_process_that_may_not_call_it(tmp_path: Path, receiver: Receiver) -> None:
    """What is permitted is the choice of who runs the process, and not of who makes the job."""
    path = tmp_path / "jobs.db"
    clock = ss.testing.FakeClock(T0)
    with ss.LocalBackend(path, clock=clock, private_hosts=LOCAL) as backend:
        ss.SchedulerClient(backend).create(hourly(ss.HttpTarget(receiver.url)))
    with ss.LocalBackend(path, clock=clock) as backend:
        backend.run_until(T0 + HOUR)
        (run,) = ss.SchedulerClient(backend).runs("report")
        assert run.status is ss.RunStatus.PENDING
        assert "127.0.0.1 is a loopback address, which is not called" in (run.pending_reason or "")
    assert receiver.requests == []
    with ss.LocalBackend(path, clock=clock, private_hosts=LOCAL) as backend:
        backend.run_until(T0 + HOUR + MINUTE)
    assert len(receiver.requests) == 1


def test_a_connection_of_aws_is_refused(backend: ss.LocalBackend) -> None:
    arn = "arn:aws:events:eu-west-1:123456789012:connection/hooks/0a1b2c3d-1111-2222-3333-0a1b2c3d4e5f"
    with pytest.raises(ss.UnsupportedError, match="connection_arn: a connection of EventBridge is of no use"):
        ss.SchedulerClient(backend).create(hourly(ss.HttpTarget("https://a.example", connection_arn=arn)))


def test_without_httpx_the_extra_is_named(tmp_path: Path) -> None:
    """In a process of its own, in which the module cannot be found."""
    program = (
        "import sys; sys.modules['httpx'] = None\n"
        "import datetime as d, stepsched as ss\n"
        "job = ss.Job(name='n', schedule=ss.Rate(d.timedelta(hours=1)), target=ss.HttpTarget('https://a.example'))\n"
        "try: ss.SchedulerClient(ss.LocalBackend()).create(job)\n"
        "except ss.UnsupportedError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "an HttpTarget needs httpx, which is not installed" in done.stdout
    assert "pip install 'stepsched[webhooks]'" in done.stdout


def test_the_permitted_hosts_survive_pickling(tmp_path: Path) -> None:
    with ss.LocalBackend(tmp_path / "jobs.db", private_hosts=LOCAL) as backend:
        again = pickle.loads(pickle.dumps(backend))
        try:
            ss.SchedulerClient(again).create(hourly(ss.HttpTarget("http://127.0.0.1/")))
        finally:
            again.close()


@pytest.mark.parametrize("given", ["127.0.0.1", ["10.0.0.1/8"], 7])
def test_other_private_hosts_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="for private_hosts, got"):
        ss.LocalBackend(private_hosts=given)


def test_one_private_host_as_text_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"got '127\.0\.0\.1' as text; use \['127\.0\.0\.1'\]$"):
        ss.LocalBackend(private_hosts="127.0.0.1")


# -- functions instead of receivers --------------------------------------------------------------------


def test_a_registered_function_wins_over_the_network(receiver: Receiver) -> None:
    called = list[Any]()
    target = ss.HttpTarget(receiver.url)
    with ss.LocalBackend(clock=ss.testing.FakeClock(T0)) as backend:
        backend.register(
            ss.HttpTarget, lambda target, given, run: called.append((target, given, run.attempt))
        )
        played(backend, hourly(target, input={"a": 1}))
    assert called == [(target, {"a": 1}, 1)]
    assert receiver.requests == []


def test_a_function_may_stand_for_one_url(backend: ss.LocalBackend, receiver: Receiver) -> None:
    called = list[Any]()
    backend.register(ss.HttpTarget("https://hooks.example.com"), called.append)
    played(backend, hourly(ss.HttpTarget("https://hooks.example.com")))
    played(
        backend,
        hourly(ss.HttpTarget(receiver.url), name="other", schedule=ss.OneTime(T0 + 2 * HOUR)),
        T0 + 2 * HOUR,
    )
    assert len(called) == 2
    assert len(receiver.requests) == 1


def test_time_travel_replaces_urls_too() -> None:
    recorder = Recorder(answer={"ok": True})
    with ss.testing.TimeTravel(T0, recorder=recorder) as travel:
        travel.client.create(hourly(ss.HttpTarget("http://10.0.0.1/"), input={"a": 1}))
        travel.advance(HOUR)
    (call,) = recorder.calls
    assert (call.target, call.input) == (ss.HttpTarget("http://10.0.0.1/"), {"a": 1})


# -- secrets -------------------------------------------------------------------------------------------


def test_a_secret_of_the_environment_is_stored_logged_and_shown_nowhere(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "jobs.db"
    key = SECRET.removeprefix("whsec_")

    def repeat(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(500)
        handler.end_headers()
        handler.wfile.write(f"secret {SECRET} {key}".encode())

    receiver.answers.put(repeat)
    with ss.LocalBackend(path, clock=ss.testing.FakeClock(T0), private_hosts=LOCAL) as backend:
        run = played(backend, hourly(ss.HttpTarget(receiver.url, signing_secret="env:HOOK_SECRET")))
        assert run.status is ss.RunStatus.SUCCEEDED
        shown = repr(
            (run, ss.SchedulerClient(backend).get("report"), list(ss.SchedulerClient(backend).runs()))
        )
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"env:HOOK_SECRET" in stored
    for text in (stored.decode("latin-1"), caplog.text, shown):
        assert key not in text
    for request in receiver.requests:
        assert ss.verify_webhook(request.body, request.headers, secret=SECRET)


# -- the end of the process ----------------------------------------------------------------------------

PROGRAM = """
import sys, threading
import stepsched as ss

with ss.LocalBackend(sys.argv[1], private_hosts=["127.0.0.1"]) as backend:
    print("ready", flush=True)
    threading.Event().wait()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the process is killed by a signal")
def test_a_call_that_was_cut_off_is_made_again_with_the_same_id(tmp_path: Path, receiver: Receiver) -> None:
    path = tmp_path / "jobs.db"
    target = ss.HttpTarget(receiver.url, signing_secret=SECRET)
    client = ss.SchedulerClient(ss.LocalBackend(path, private_hosts=LOCAL))
    client.create(ss.Job(name="report", schedule=ss.Rate(24 * HOUR, start=utc_now() + HOUR), target=target))
    run = client.run_now("report")
    first = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE)
    arrived = receiver.ended.__class__()

    def hold(_handler: BaseHTTPRequestHandler) -> None:
        arrived.set()
        receiver.ended.wait()

    receiver.answers.put(hold)
    try:
        assert arrived.wait(60)
    finally:
        first.kill()
        first.communicate()
    second = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE)
    try:
        ended = client.wait(run, timeout=90)
    finally:
        second.terminate()
        second.communicate()
        client.backend.close()
    assert (ended.status, ended.restarted) == (ss.RunStatus.SUCCEEDED, True)
    before, after = receiver.requests
    assert before.headers["webhook-id"] == after.headers["webhook-id"]
    assert before.headers["stepsched-scheduled-for"] == after.headers["stepsched-scheduled-for"]
    assert json.loads(after.body) == {}
    assert ss.verify_webhook(after.body, after.headers, secret=SECRET)
