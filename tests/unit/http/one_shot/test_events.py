"""The events of tasks: from the history, resumable, for every listener, and forgotten in the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.http.one_shot.delivery import DELIVERY
from stepsched.http.one_shot.sweeping import PARTS, Sweeper
from stepsched.http.one_shot.tasks import Tasks
from tests.unit.http.one_shot.asking import NOON, SECOND, SECRET, Service, listen, service

DAY = timedelta(days=1)


@pytest.fixture
def guarded() -> Iterator[Service]:
    with service() as made:
        yield made


def test_a_listener_resumes_after_the_last_event_it_has_seen(guarded: Service) -> None:
    for each in range(4):
        guarded.schedule(NOON + (1 + each) * SECOND, each)
    guarded.play()
    everything = guarded.events(4)
    assert [sent.data["message"] for sent in everything] == [0, 1, 2, 3]
    assert [sent.id for sent in everything] == sorted(sent.id for sent in everything)
    assert guarded.events(2, after=everything[1].id) == everything[2:]


def test_the_position_may_stand_in_the_url(guarded: Service) -> None:
    for each in range(2):
        guarded.schedule(NOON + (1 + each) * SECOND, each)
    guarded.play()
    first, second = guarded.events(2)
    headers = {"x-secret": SECRET}
    assert listen(guarded.app, 1, headers=headers, query=f"last_event_id={first.id}") == [second]
    both = {**headers, "last-event-id": "0"}  # a client that reconnects keeps the URL
    assert listen(guarded.app, 2, headers=both, query=f"last_event_id={first.id}") == [first, second]


def test_without_a_position_only_new_events_are_sent(guarded: Service) -> None:
    guarded.schedule(NOON + SECOND, "old")
    guarded.play()
    guarded.schedule(NOON + 100 * SECOND, "new")
    headers = {"authorization": f"Bearer {SECRET}"}
    (sent,) = listen(guarded.app, 1, headers=headers, meanwhile=lambda: guarded.play(100))
    assert sent.data["message"] == "new"


@pytest.mark.parametrize("position", ["x", "-1", "1.5", "9" * 19])
def test_a_position_that_is_none_is_refused(guarded: Service, position: str) -> None:
    for headers, query in (({"last-event-id": position}, ""), ({}, f"?last_event_id={position}")):
        answer = guarded.get(f"/events{query}", {"x-secret": SECRET, **headers})
        assert answer.status_code == 400
        assert "expected a position" in answer.json()["errors"][0]


def test_another_process_on_the_file_sees_all_events(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    with service(path) as one, service(path) as other:
        one.schedule(NOON + SECOND, "from one")
        other.schedule(NOON + 2 * SECOND, "from the other")
        one.play(1.5)
        other.play()
        assert [sent.data["message"] for sent in one.events(2)] == ["from one", "from the other"]
        assert other.events(2) == one.events(2)


def test_what_is_no_task_is_not_sent(guarded: Service) -> None:
    target = DELIVERY
    at = ss.OneTime(NOON + SECOND)
    guarded.client.create_many(
        [
            ss.Job(name="other", schedule=at, target=target),
            ss.Job(name="task-" + "0" * 32, schedule=at, target=target, input={"secret": "x"}),
        ]
    )
    guarded.schedule(NOON + 2 * SECOND, "task")
    guarded.play()
    assert [sent.data["message"] for sent in guarded.events(1)] == ["task"]


def test_a_task_that_fails_is_not_sent() -> None:
    def fail(event: dict[str, object]) -> None:
        if event["message"] == "bad":
            raise OSError

    with service(target=ss.HandlerTarget(fail)) as made:
        made.schedule(NOON + SECOND, "bad")
        made.schedule(NOON + 2 * SECOND, "good")
        made.play(7_200)
        assert [sent.data["message"] for sent in made.events(1)] == ["good"]


# -- the end of tasks --------------------------------------------------------------------------------------


def swept(made: Service, keep: timedelta) -> list[str]:
    """Sweeps all parts; returns the names of the jobs that are left."""
    tasks = Tasks(made.client, DELIVERY)
    sweeper = Sweeper(tasks, keep)
    for _ in PARTS:
        sweeper.sweep()
    return [record.name for record in made.client.list()]


def test_tasks_are_forgotten_some_time_after_their_end(guarded: Service) -> None:
    old = [guarded.schedule(NOON + each * SECOND) for each in range(1, 30)]
    guarded.play(3 * DAY.total_seconds())
    fresh = guarded.schedule(guarded.clock.now() + SECOND)
    guarded.play(10)
    waiting = guarded.schedule(guarded.clock.now() + 30 * DAY)
    left = swept(guarded, 2 * DAY)
    assert sorted(f"urn:stepsched:task:{name}" for name in left) == sorted([fresh, waiting])
    assert guarded.cancel(old[0]).status_code == 404
    assert guarded.cancel(fresh).status_code == 410


def test_a_foreign_job_is_never_forgotten(guarded: Service) -> None:
    target = DELIVERY
    at = ss.OneTime(NOON + SECOND)
    keep = ss.Completion.KEEP
    for name in ("task-mine", "task-" + "0" * 32):
        guarded.client.create(ss.Job(name=name, schedule=at, target=target, completion=keep))
    guarded.play(3 * DAY.total_seconds())
    assert swept(guarded, SECOND) == ["task-" + "0" * 32, "task-mine"]


def test_a_portion_is_bounded_and_the_rest_follows(guarded: Service) -> None:
    for each in range(20):
        guarded.schedule(NOON + (1 + each) * SECOND)
    guarded.play(3600)
    tasks = Tasks(guarded.client, DELIVERY)
    assert [tasks.forget("", guarded.clock.now(), 8) for _ in range(3)] == [True, True, False]
    assert guarded.client.list() == []


def test_new_tasks_sweep_the_old_ones_after_a_restart(tmp_path: Path) -> None:
    with service(tmp_path / "tasks.db", keep=DAY) as made:
        for each in range(3):
            made.schedule(NOON + (1 + each) * SECOND)
        made.play()
    with service(tmp_path / "tasks.db", keep=DAY) as made:
        made.clock.advance(2 * DAY)
        for _ in range(len(PARTS)):
            made.schedule(made.clock.now() + 365 * DAY - SECOND)
            made.clock.advance(10 * SECOND)
        assert made.client.list(status="ended") == []


def test_a_portion_is_due_after_ten_seconds_or_a_hundred_tasks(guarded: Service) -> None:
    sweeper = Sweeper(Tasks(guarded.client, DELIVERY), DAY)
    assert [sweeper.is_due() for _ in range(3)] == [True, False, False]
    guarded.clock.advance(10 * SECOND)
    assert [sweeper.is_due() for _ in range(3)] == [True, False, False]
    due = [sweeper.is_due() for _ in range(200)]
    assert [number for number, is_due in enumerate(due) if is_due] == [97, 197]
