"""What a worker does with its messages, played on a clock: hours pass at once."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsched.workers.desk import Desk, Settings
from stepsched.workers.messages import QueueMessage, WorkerEventKind
from tests.unit.workers.service import HOURS_12, Player, Service, Time, client_error, play

SUCCEEDED, FAILED = WorkerEventKind.SUCCEEDED, WorkerEventKind.FAILED
RELEASED, EXPIRED = WorkerEventKind.RELEASED, WorkerEventKind.EXPIRED
HIDE, DELETE, RECEIVE = "change_message_visibility_batch", "delete_message_batch", "receive_message"


def deliveries(service: Service, *bodies: str) -> list[list[float]]:
    return [each.deliveries for each in service.messages + service.dead if each.body in bodies]


def entries(service: Service, name: str) -> list[tuple[str, int | None]]:
    return [
        (entry["ReceiptHandle"], entry.get("VisibilityTimeout"))
        for call, request in service.calls
        if call == name
        for entry in request["Entries"]
    ]


def test_a_message_is_deleted_after_its_handler_and_not_before() -> None:
    service = Service(Time())
    message = service.send("a")
    player = Player(service, Settings(), lasts=lambda _: 7)
    play(100, player)
    assert service.deleted == {message.id: 7.0}
    assert message.deliveries == [0.0]
    assert player.desk.summary.succeeded == 1


@pytest.mark.parametrize("visibility", [1, 30, 900])
def test_a_message_is_hidden_as_long_as_its_handler_runs(visibility: int) -> None:
    service = Service(Time())
    message = service.send("a")
    player = Player(service, Settings(visibility=visibility), lasts=lambda _: 1_800)
    other = Player(service, Settings(visibility=visibility))
    play(4_000, player, other)
    assert message.deliveries == [0.0]
    assert service.deleted == {message.id: 1_800.0}
    assert len(entries(service, HIDE)) <= 2 * 1_800 / visibility + 1


def test_messages_that_wait_their_turn_are_hidden_too() -> None:
    service = Service(Time())
    sent = [service.send(str(number)) for number in range(10)]
    player = Player(service, Settings(visibility=30), lasts=lambda _: 600)
    play(10_000, player)
    assert [each.deliveries for each in sent] == [[0.0]] * 10
    assert sorted(service.deleted.values()) == [600.0 * number for number in range(1, 11)]


def test_twelve_hours_are_the_end_and_another_worker_gets_the_message() -> None:
    service = Service(Time())
    message = service.send("a")
    player = Player(service, Settings(visibility=1_000), lasts=lambda _: 13 * 3_600)
    other = Player(service, Settings(visibility=1_000), lasts=lambda _: 10)
    play(15 * 3_600, player, other)
    assert player.told(EXPIRED) == ["a"]
    ((at, news),) = player.news
    assert at == pytest.approx(HOURS_12, abs=1)
    assert "12 hours" in str(news.error)
    assert message.deliveries == [0.0, pytest.approx(HOURS_12, abs=2)]
    assert other.told(SUCCEEDED) == ["a"]
    assert player.desk.is_empty
    assert all(seconds != 0 for _, seconds in entries(service, HIDE))


def test_a_failed_message_comes_back_later_each_time_until_the_queue_gives_it_up() -> None:
    service = Service(Time(), max_receives=6)
    message = service.send("a")
    settings = Settings(retry_delay=10, max_retry_delay=60, max_receives=6)
    player = Player(service, settings, fails=lambda _: True)
    play(1_000, player)
    waits = [after - before - 1 for before, after in itertools.pairwise(message.deliveries)]
    assert waits == pytest.approx([10, 20, 40, 60, 60], abs=1)
    assert service.dead == [message]
    assert message.receipts[-1] == "id-1/6"
    assert entries(service, HIDE)[-1] == ("id-1/6", 0), "the last failure waits for nothing"
    assert not service.deleted
    assert player.desk.summary.failed == 6


@pytest.mark.parametrize(("delay", "seconds"), [(0, 0), (0.2, 1), (10, 10), (60, 60), (1_000, 900)])
def test_the_delay_is_whole_seconds_and_limited(delay: float, seconds: int) -> None:
    service = Service(Time())
    service.send("a")
    player = Player(service, Settings(retry_delay=delay, max_retry_delay=900), fails=lambda _: True)
    play(1.5, player)
    assert entries(service, HIDE)[0] == ("id-1/1", seconds)


def test_a_failure_touches_no_other_message_of_its_batch() -> None:
    service = Service(Time())
    for number in range(10):
        service.send(str(number))
    player = Player(
        service,
        Settings(concurrency=10, retry_delay=500, max_retry_delay=500),
        fails=lambda m: m.body in "37",
    )
    play(100, player)
    assert sorted(service.deleted) == sorted(f"id-{n + 1}" for n in range(10) if n not in (3, 7))
    assert deliveries(service, "3", "7") == [[0.0], [0.0]]
    assert {receipt for receipt, _ in entries(service, HIDE)} == {"id-4/1", "id-8/1"}


def test_deletions_go_in_batches() -> None:
    service = Service(Time())
    for number in range(30):
        service.send(str(number))
    play(10, Player(service, Settings(concurrency=30)))
    assert [len(request["Entries"]) for name, request in service.calls if name == DELETE] == [10, 10, 10]


def test_an_entry_that_fails_is_tried_again_and_the_others_are_not() -> None:
    service = Service(Time())
    service.send("a")
    service.refused[DELETE] = False
    player = Player(service, Settings(visibility=600))
    play(200, player, events={100: service.refused.clear})
    assert service.deleted["id-1"] > 100
    assert player.told(SUCCEEDED) == ["a"]
    assert len(player.ended) == 1
    tries = entries(service, DELETE)
    assert 5 <= len(tries) <= 12, "it waits longer after each try"


def test_a_message_whose_receipt_has_expired_is_told_and_comes_again() -> None:
    service = Service(Time())
    service.send("a")
    service.refused[DELETE] = True
    player = Player(service, Settings(visibility=30), lasts=lambda _: 1)
    play(100, player, events={20: service.refused.clear})
    assert player.told(EXPIRED) == ["a"]
    assert player.told(SUCCEEDED) == ["a"]
    assert len(player.ended) == 2, "the queue has delivered it again"
    assert player.desk.summary.expired == 1


def test_a_message_that_was_delivered_twice_is_not_handled_twice_at_a_time() -> None:
    service = Service(Time())
    message = service.send("a")
    player = Player(service, Settings(visibility=30, concurrency=3), lasts=lambda _: 10)

    def deliver_again() -> None:
        message.visible_at = 0.0

    play(100, player, events={5: deliver_again})
    assert len(message.deliveries) == 2
    assert len(player.ended) == 1
    assert service.deleted == {"id-1": 10.0}, "by the newer receipt"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(client_error("Throttling"), id="throttled"),
        pytest.param(client_error("InternalError", 500), id="unavailable"),
        pytest.param(client_error("AccessDenied", 403), id="denied for a while"),
        pytest.param(OSError("connection lost"), id="any other"),
    ],
)
def test_an_outage_loses_nothing_and_is_logged_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(Time())
    message = service.send("a")
    player = Player(service, Settings(visibility=600), lasts=lambda _: 1)

    def begin() -> None:
        service.failing = {DELETE: error, HIDE: error}

    with caplog.at_level(logging.WARNING, "stepsched.worker"):
        play(1_000, player, events={0.5: begin, 300: lambda: service.failing.clear()})
    assert message.deliveries == [0.0]
    assert service.deleted["id-1"] == pytest.approx(300, abs=31)
    texts = [record.getMessage() for record in caplog.records]
    assert [text.partition(" messages")[0] for text in texts] == ["cannot delete", "can delete"]


def test_a_short_outage_does_not_show_a_message_to_others() -> None:
    service = Service(Time())
    message = service.send("a")
    player = Player(service, Settings(visibility=60), lasts=lambda _: 600)
    down = {at: (lambda: service.failing.update({HIDE: client_error("Throttling")})) for at in (29.0, 200.0)}
    up = dict.fromkeys((52.0, 222.0), service.failing.clear)
    play(1_000, player, Player(service, Settings(visibility=60)), events=down | up)
    assert message.deliveries == [0.0]


def test_a_stop_gives_back_what_waits_and_awaits_what_runs() -> None:
    service = Service(Time())
    for number in range(10):
        service.send(str(number))
    player = Player(service, Settings(concurrency=2, visibility=30), lasts=lambda _: 100)
    other = Player(service, Settings(concurrency=8, visibility=30), lasts=lambda _: 1)
    play(50, player, events={50: player.desk.stop})
    play(300, player, other)
    assert sorted(player.told(RELEASED)) == [str(number) for number in range(2, 10)]
    assert player.told(SUCCEEDED) == ["0", "1"]
    assert sorted(other.told(SUCCEEDED)) == [str(number) for number in range(2, 10)]
    assert max(at for key, at in service.deleted.items() if key not in ("id-1", "id-2")) < 60, "at once"
    assert player.desk.is_empty
    assert player.desk.summary.released == 8


def test_after_the_patience_nothing_is_extended_and_a_handler_that_returns_counts_all_the_same() -> None:
    service = Service(Time())
    service.send("short")
    service.send("long")
    lasts = {"short": 40.0, "long": 100.0}
    player = Player(service, Settings(concurrency=2, visibility=30), lasts=lambda m: lasts[m.body])
    other = Player(service, Settings(visibility=30))
    play(35, player, events={35: player.desk.abandon})
    assert player.desk.summary.unfinished == 2
    play(300, player, other)
    assert player.told(SUCCEEDED) == ["short"]
    assert other.told(SUCCEEDED) == ["long"]
    assert player.told(EXPIRED) == ["long"], "its own deletion came too late, and is told"
    assert player.desk.is_empty


def test_after_the_patience_a_request_that_fails_is_not_repeated() -> None:
    service = Service(Time())
    service.send("a")
    player = Player(service, Settings())
    service.failing[DELETE] = client_error("Throttling")
    play(10, player, events={10: player.desk.abandon})
    play(11, player)
    assert player.desk.is_empty
    assert service.messages


def test_with_one_message_at_a_time_none_waits_here_while_another_worker_is_free() -> None:
    service = Service(Time())
    for number in range(6):
        service.send(str(number))
    players = [Player(service, Settings(batch_size=1), lasts=lambda _: 100) for _ in range(3)]
    play(250, *players)
    assert [len(player.ended) for player in players] == [2, 2, 2]


# -- FIFO ----------------------------------------------------------------------------------------------


def test_groups_are_handled_in_parallel_and_each_in_order() -> None:
    service = Service(Time(), fifo=True)
    for number in range(9):
        service.send(str(number), group="abc"[number % 3])
    player = Player(service, Settings(concurrency=9, is_fifo=True), lasts=lambda _: 10)
    play(100, player)
    assert {each.message.body: each.began for each in player.ended} == {
        str(number): 10.0 * (number // 3) for number in range(9)
    }


def test_a_group_of_a_standard_queue_does_not_wait() -> None:
    service = Service(Time())
    for number in range(3):
        service.send(str(number), group="fair")
    player = Player(service, Settings(concurrency=3))
    play(10, player)
    assert {each.began for each in player.ended} == {0.0}


def test_a_failed_message_of_a_group_holds_up_its_group_alone() -> None:
    service = Service(Time(), fifo=True)
    for number in range(6):
        service.send(str(number), group="ab"[number % 2])
    player = Player(
        service,
        Settings(concurrency=2, is_fifo=True, retry_delay=10, max_retry_delay=10),
        fails=lambda m: m.body == "0" and m.receive_count < 3,
    )
    play(200, player)
    of_a = [(each.message.body, each.failed) for each in player.ended if each.message.group == "a"]
    assert of_a == [("0", True), ("0", True), ("0", False), ("2", False), ("4", False)]
    assert [each.ended for each in player.ended if each.message.group == "b"] == [1.0, 2.0, 3.0]
    assert Counter(player.told(RELEASED)) == {"2": 2, "4": 2}


groups = st.lists(st.sampled_from("abc"), min_size=1, max_size=25)


@settings(max_examples=20, deadline=None)
@given(data=st.data(), names=groups, visibility=st.sampled_from([2, 5, 30]), concurrency=st.integers(1, 5))
def test_the_order_within_a_group_is_kept_whatever_fails(
    data: Any, names: list[str], visibility: int, concurrency: int
) -> None:
    service = Service(Time(), fifo=True, max_receives=50)
    for number, group in enumerate(names):
        service.send(str(number), group=group)
    fails = {str(n): data.draw(st.integers(0, 2)) for n in range(len(names))}
    lasts = {str(n): data.draw(st.sampled_from([0.0, 0.5, 3.0, 20.0])) for n in range(len(names))}
    settings = Settings(
        concurrency=concurrency,
        visibility=visibility,
        is_fifo=True,
        retry_delay=data.draw(st.sampled_from([0, 3])),
        max_retry_delay=3,
        batch_size=data.draw(st.integers(1, 10)),
    )
    failed = Counter[str]()

    def fail(message: Any) -> bool:
        failed[message.body] += 1
        return bool(failed[message.body] <= fails[message.body])

    players = [Player(service, settings, lambda m: lasts[m.body], fail) for _ in range(2)]
    play(3_000, *players)
    assert len(service.deleted) == len(names)
    calls = sorted((each for player in players for each in player.ended), key=lambda each: each.began)
    for group in set(names):
        of_group = [each for each in calls if each.message.group == group]
        assert all(before.ended <= after.began for before, after in itertools.pairwise(of_group))
        done = [int(each.message.body) for each in of_group if not each.failed]
        assert done == [number for number, name in enumerate(names) if name == group]


@settings(max_examples=20, deadline=None)
@given(data=st.data(), count=st.integers(1, 30), fifo=st.booleans())
def test_workers_that_die_lose_no_message(data: Any, count: int, fifo: bool) -> None:
    """A worker that is killed does nothing any more; another one takes its place."""
    service = Service(Time(), fifo=fifo)
    for number in range(count):
        service.send(str(number), group=str(number % 4) if fifo else None)
    settings = Settings(concurrency=data.draw(st.integers(1, 4)), visibility=10, is_fifo=fifo)
    players = [Player(service, settings, lasts=lambda _: 4) for _ in range(3)]
    dies = [data.draw(st.floats(0, 60)) for _ in players]

    def kill(player: Player) -> None:
        player.is_dead = True

    events = {at: (lambda player=player: kill(player)) for at, player in zip(dies, players, strict=True)}
    last = Player(service, settings)
    play(60, *players, events=events)
    play(2_000, *players, last, events=events)
    calls = [each for player in [*players, last] for each in player.ended]
    assert len(service.deleted) == count
    for key, at in service.deleted.items():
        assert any(each.message.id == key and each.ended <= at for each in calls), (
            "deleted without its handler"
        )


def test_nothing_is_received_while_a_message_waits_that_can_be_started() -> None:
    desk = Desk(Settings(concurrency=3))
    assert desk.asks_for() == 10
    desk.take([(QueueMessage("a", "1"), "r")], 0)
    assert desk.asks_for() == 0, "it is about to be started"
    desk.decide(0)
    assert desk.asks_for() == 10
    desk.take([(QueueMessage("b", str(key)), "r") for key in range(2, 5)], 0)
    desk.decide(0)
    assert desk.asks_for() == 0, "all threads are busy"


def test_a_stopped_worker_repeats_a_request_no_longer_than_its_message_is_hidden() -> None:
    service = Service(Time())
    service.send("a")
    player = Player(service, Settings(visibility=30), lasts=lambda _: 1)
    play(0.5, player)
    desk = player.desk
    (held,) = desk._held.values()
    desk.ended(held, None, 1)
    desk.stop()
    desk.postponed(held, "the network is down", 29)
    assert not desk.is_empty
    desk.postponed(held, "the network is down", 31)
    assert desk.is_empty
    assert desk.summary.expired == 1
    assert [(each.kind, each.error) for each in desk.read_news()] == [(EXPIRED, "the network is down")]


def test_a_message_of_a_queue_that_is_gone_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(Time())
    service.send("a")
    player = Player(service, Settings(visibility=30), lasts=lambda _: 1)
    service.failing[DELETE] = client_error("AWS.SimpleQueueService.NonExistentQueue")
    play(5, player)
    assert player.desk.is_empty
    assert player.desk.summary.expired == 1
