"""Requests with an ``Idempotency-Key``: of several, one acts, and all get its answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

import stepsched as ss
from stepsched.core.errors import BackendError, BackendUnavailableError
from stepsched.http import jobs_app
from stepsched.http.jobs import idempotency
from stepsched.http.jobs.idempotency import Answers, Claim, KeptAnswer, place_of_answers, stored_key
from stepsched.testing import FakeClock
from tests.unit.http.jobs.asking import Asking

START = datetime(2030, 1, 1, tzinfo=timezone.utc)
JOB = {"name": "a", "in": "5m", "target": "os:getcwd"}
KEY = {"idempotency-key": "k1"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture(params=["memory", "file"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "jobs.db" if request.param == "file" else None


@pytest.fixture
def backend(path: Path | None, clock: FakeClock) -> Iterator[ss.LocalBackend]:
    with ss.LocalBackend(path, clock=clock) as backend:
        backend.stop()
        yield backend


@pytest.fixture
def client(backend: ss.LocalBackend) -> ss.SchedulerClient:
    return ss.SchedulerClient(backend)


@pytest.fixture
def ask(client: ss.SchedulerClient) -> Asking:
    return Asking(jobs_app(client, authenticate=None, allow_targets=["handler"]))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_answer_is_sent_again(ask: Asking, client: ss.SchedulerClient, clock: FakeClock) -> None:
    first = ask("POST", "/jobs", JOB, headers=KEY)
    assert "idempotent-replayed" not in first.headers
    clock.move_to(START + timedelta(hours=23, minutes=59))
    again = ask("POST", "/jobs", JOB, headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("location", "etag", "content-type"):
        assert again.headers[name] == first.headers[name]


def test_a_run_is_made_once(ask: Asking) -> None:
    ask("POST", "/jobs", {**JOB, "in": "5h"})
    answers = [ask("POST", "/jobs/a/run", headers=KEY) for _ in range(3)]
    assert len({each.headers["location"] for each in answers}) == 1
    assert len(ask("GET", "/runs").json()["items"]) == 1
    assert ask("POST", "/jobs/a/run", headers={"idempotency-key": "k2"}).status_code == 202
    assert len(ask("GET", "/runs").json()["items"]) == 2


def test_an_answer_is_kept_for_a_day(ask: Asking, clock: FakeClock) -> None:
    ask("POST", "/jobs", {**JOB, "in": "99h"})
    ask("POST", "/jobs/a/run", headers=KEY)
    clock.move_to(START + timedelta(hours=24))
    answer = ask("POST", "/jobs/a/run", headers=KEY)
    assert "idempotent-replayed" not in answer.headers
    assert len(ask("GET", "/runs").json()["items"]) == 2


@pytest.mark.parametrize(
    ("method", "resource", "body"),
    [
        pytest.param("POST", "/jobs", {**JOB, "description": "x"}, id="another body"),
        pytest.param("POST", "/plan", JOB, id="another path"),
        pytest.param("PUT", "/jobs/a", JOB, id="another method"),
        pytest.param("POST", "/jobs?group=b", JOB, id="another query"),
    ],
)
def test_a_key_belongs_to_one_request(ask: Asking, method: str, resource: str, body: object) -> None:
    ask("POST", "/jobs", JOB, headers=KEY)
    assert code(ask(method, resource, body, headers=KEY)) == (422, "key_reused")


def test_keys_of_different_callers_differ(client: ss.SchedulerClient) -> None:
    app = jobs_app(client, authenticate=lambda request: request.headers["x-user"], allow_targets=["handler"])
    ask = Asking(app)
    ask("POST", "/jobs", JOB, headers={"x-user": "ann"})
    for user in ("ann", "bob", "ann"):
        ask("POST", "/jobs/a/run", headers={**KEY, "x-user": user})
    assert len(client.runs("a")) == 2


def test_a_refusal_is_not_kept(ask: Asking) -> None:
    assert ask("POST", "/jobs/a/run", headers=KEY).status_code == 404
    ask("POST", "/jobs", JOB)
    answer = ask("POST", "/jobs/a/run", headers=KEY)
    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (202, False)


@pytest.mark.parametrize(
    ("method", "resource", "body", "status"),
    [
        ("PUT", "/jobs/b", {"in": "5m", "target": "os:getcwd"}, 201),
        ("PATCH", "/jobs/a", {"in": "10m"}, 200),
        ("DELETE", "/jobs/a", None, 200),
    ],
)
def test_every_change_may_have_a_key(
    ask: Asking, method: str, resource: str, body: object, status: int
) -> None:
    ask("POST", "/jobs", JOB)
    answers = [ask(method, resource, body, headers=KEY) for _ in range(2)]
    assert [each.status_code for each in answers] == [status, status]
    assert answers[1].headers["idempotent-replayed"] == "true"


def test_a_read_has_no_need_of_a_key(ask: Asking) -> None:
    assert ask("GET", "/jobs", headers=KEY).json()["items"] == []
    ask("POST", "/jobs", JOB)
    assert len(ask("GET", "/jobs", headers=KEY).json()["items"]) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
def test_what_is_no_key_is_refused(ask: Asking, key: str) -> None:
    answer = ask("POST", "/jobs", JOB, headers={"idempotency-key": key.encode()})
    assert code(answer) == (400, "invalid_header")


# -- in progress ---------------------------------------------------------------------------------------


def test_a_request_in_progress_is_not_made_twice(backend: ss.LocalBackend) -> None:
    began, go_on = threading.Event(), threading.Event()

    class Slow(ss.SchedulerClient):
        def create(self, job: ss.Job) -> ss.JobRecord:
            began.set()
            assert go_on.wait(60)
            return super().create(job)

    ask = Asking(jobs_app(Slow(backend), authenticate=None, allow_targets=["handler"]))
    found = list[Any]()
    first = threading.Thread(target=lambda: found.append(ask("POST", "/jobs", JOB, headers=KEY)))
    first.start()
    assert began.wait(60)
    second = ask("POST", "/jobs", JOB, headers=KEY)
    other = ask("POST", "/jobs", {**JOB, "name": "b"}, headers=KEY)
    go_on.set()
    first.join(60)
    assert code(second) == (409, "key_in_progress")
    assert second.headers["retry-after"] == "60"
    assert code(other) == (422, "key_reused")
    assert found[0].status_code == 201
    assert ask("POST", "/jobs", JOB, headers=KEY).headers["idempotent-replayed"] == "true"


def cut_off(client: ss.SchedulerClient, verb: str) -> None:
    """Makes a request with ``KEY`` whose process ends after the verb has acted, before it is answered."""
    answers = Answers(place_of_answers(None, client.backend), client.backend)
    path, body = ("/jobs/a/run", {}) if verb == "run" else ("/jobs", JOB)
    content = httpx.Request("POST", "http://localhost", json=body).read()
    claim = answers.claim(stored_key("anyone", "k1"), idempotency.digest_of("POST", path, "", content))
    assert isinstance(claim, Claim)
    if verb == "run":
        client.run_now("a")
    else:
        at = claim.claimed_at + timedelta(minutes=5)
        client.create(ss.Job(name="a", schedule=ss.OneTime(at), target=ss.HandlerTarget("os:getcwd")))


@pytest.mark.parametrize("path", ["file"], indirect=True)
def test_a_job_that_was_created_before_the_end_of_its_process_is_found(
    client: ss.SchedulerClient, ask: Asking, clock: FakeClock
) -> None:
    """``in`` counts from the first request, so that it is the same job."""
    cut_off(client, "create")
    assert code(ask("POST", "/jobs", JOB, headers=KEY)) == (409, "key_in_progress")
    clock.move_to(START + timedelta(seconds=61))
    answer = ask("POST", "/jobs", JOB, headers=KEY)
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert answer.json()["next_run"] == "2030-01-01T00:05:00Z"
    assert ask("POST", "/jobs", JOB, headers=KEY).headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("path", ["file"], indirect=True)
def test_a_run_that_was_made_before_the_end_of_its_process_is_found(
    client: ss.SchedulerClient, ask: Asking, clock: FakeClock
) -> None:
    ask("POST", "/jobs", {**JOB, "in": "5h"})
    ask("POST", "/jobs/a/run", {}, headers={"idempotency-key": "another"})
    clock.move_to(START + timedelta(seconds=1))
    cut_off(client, "run")
    clock.move_to(START + timedelta(seconds=62))
    answer = ask("POST", "/jobs/a/run", {}, headers=KEY)
    assert (answer.status_code, answer.json()["scheduled_for"]) == (202, "2030-01-01T00:00:01Z")
    assert len(client.runs("a")) == 2


# -- the store -----------------------------------------------------------------------------------------


def claimed(answers: Answers, key: str = "k", request: bytes = b"r") -> Any:
    return answers.claim(stored_key("p", key), request)


def test_a_key_is_kept_for_a_request_that_takes_long(backend: ss.LocalBackend, clock: FakeClock) -> None:
    answers = Answers(None, backend)
    claim = claimed(answers)
    for minutes in range(1, 5):
        clock.move_to(START + timedelta(seconds=50 * minutes))
        answers.renew(claim)
        assert isinstance(claimed(answers), idempotency.InProgress)


def test_an_owner_that_lost_its_key_changes_nothing(backend: ss.LocalBackend, clock: FakeClock) -> None:
    answers = Answers(None, backend)
    late = claimed(answers)
    clock.move_to(START + timedelta(seconds=61))
    present = claimed(answers)
    assert (present.is_repeated, present.claimed_at) == (True, START)
    for act in (answers.renew, answers.release, lambda claim: answers.keep(claim, KeptAnswer(200, {}, b"1"))):
        act(late)
    assert isinstance(claimed(answers), idempotency.InProgress)
    answers.keep(present, KeptAnswer(201, {"a": "b"}, b"2"))
    assert claimed(answers) == KeptAnswer(201, {"a": "b"}, b"2")


def test_the_store_is_bounded(backend: ss.LocalBackend, clock: FakeClock) -> None:
    answers = Answers(None, backend)
    large = KeptAnswer(200, {}, b"x" * (idempotency.MOST_BYTES // 2))
    for key in "ab":
        answers.keep(claimed(answers, key), large)
    assert isinstance(claimed(answers, "c"), idempotency.Full)
    assert claimed(answers, "a") == large
    clock.move_to(START + timedelta(hours=24))
    assert isinstance(claimed(answers, "c"), Claim)


def test_a_key_that_was_left_behind_is_kept_for_a_day(backend: ss.LocalBackend, clock: FakeClock) -> None:
    answers = Answers(None, backend, most_keys=1)
    left = answers.claim(b"k", b"request")
    assert isinstance(left, Claim)
    for hours in (1, 24):
        clock.move_to(START + timedelta(hours=hours))
        again = answers.claim(b"k", b"request")
        assert isinstance(again, Claim)
        assert again.is_repeated
    clock.move_to(START + timedelta(hours=48, minutes=2))
    other = answers.claim(b"l", b"request")
    assert isinstance(other, Claim)
    assert not other.is_repeated


def test_no_more_keys_than_the_maximum_are_kept(backend: ss.LocalBackend) -> None:
    answers = Answers(None, backend, most_keys=3)
    for number in range(3):
        assert isinstance(claimed(answers, str(number)), Claim)
    assert isinstance(claimed(answers, "one more"), idempotency.Full)


def test_a_full_store_is_said_to_be(ask: Asking, backend: ss.LocalBackend) -> None:
    large = KeptAnswer(200, {}, b"x" * idempotency.MOST_BYTES)
    path = place_of_answers(None, backend)
    if path is None:
        return  # the application has its own in memory
    store = Answers(path, backend)
    store.keep(claimed(store), large)
    answer = ask("POST", "/jobs", JOB, headers=KEY)
    assert code(answer) == (503, "too_many_keys")
    assert answer.headers["retry-after"] == "5"


def test_the_answers_are_beside_the_file_of_the_backend(tmp_path: Path) -> None:
    own = tmp_path / "jobs.db"
    with ss.LocalBackend(own) as backend:
        assert place_of_answers(None, backend) == tmp_path / "jobs.db-answers"
        assert place_of_answers(tmp_path / "x.db", backend) == tmp_path / "x.db"
        with pytest.raises(ValueError, match="expected a file of its own"):
            jobs_app(ss.SchedulerClient(backend), authenticate=None, answers=own)
    assert place_of_answers(None, ss.LocalBackend()) is None


def test_two_processes_share_the_keys(tmp_path: Path) -> None:
    with ss.LocalBackend(tmp_path / "jobs.db") as backend:
        one, two = (Answers(tmp_path / "a.db", backend) for _ in range(2))
        claim = claimed(one)
        assert isinstance(claimed(two), idempotency.InProgress)
        one.keep(claim, KeptAnswer(200, {}, b"1"))
        assert claimed(two) == KeptAnswer(200, {}, b"1")
    assert (tmp_path / "a.db").stat().st_mode & 0o077 == 0


def test_the_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with ss.LocalBackend(tmp_path / "jobs.db") as backend:
        before = (tmp_path / "jobs.db").read_bytes()
        with pytest.raises(BackendError, match="claim of a key failed"):
            claimed(Answers(tmp_path / "jobs.db", backend))
        assert (tmp_path / "jobs.db").read_bytes() == before


def test_a_file_that_cannot_be_opened_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailableError):
        claimed(Answers(tmp_path / "no" / "a.db", ss.LocalBackend()))
    client = ss.SchedulerClient(ss.LocalBackend())
    app = jobs_app(client, authenticate=None, allow_targets=["handler"], answers=tmp_path / "no" / "a.db")
    assert Asking(app)("POST", "/jobs", JOB, headers=KEY).status_code == 503
    assert client.list() == []
