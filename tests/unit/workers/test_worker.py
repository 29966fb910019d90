"""The worker with its threads, against an SQS in memory."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from stepsched.workers import QueueMessage, WorkerEvent, WorkerEventKind, WorkSummary
from stepsched.workers.queue import Address, address_of
from tests.unit.workers.service import URL, Service, client_error

ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"
PATIENCE = 15


@pytest.fixture
def service() -> Service:
    return Service(time.monotonic, max_receives=3)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith(("stepsched-worker", "stepsched-receive", "stepsched-handle")):
            thread.join(PATIENCE)
            assert not thread.is_alive(), thread.name


class Noted:
    """Handles messages; a test waits until there are so many."""

    def __init__(self, act: Callable[[str], object] = lambda _: None) -> None:
        self.texts: list[str] = []
        self._act = act
        self._changed = threading.Condition()

    def __call__(self, text: str) -> object:
        with self._changed:
            self.texts.append(text)
            self._changed.notify_all()
        return self._act(text)

    def wait(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.texts) >= count, PATIENCE), self.texts
            return list(self.texts)


def worker(service: Service, handler: Any, **options: Any) -> ss.QueueWorker:
    return ss.QueueWorker(URL, handler, session=service, **{"retry_delay": 0, "wait_time": 1} | options)


def until(service: Service, true: Callable[[], bool]) -> None:
    with service.changed:
        assert service.changed.wait_for(true, PATIENCE)


# -- what is given ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "address"),
    [
        pytest.param(URL, Address("orders", "eu-west-1", url=URL), id="URL"),
        pytest.param(
            "https://eu-west-1.queue.amazonaws.com/1/a.fifo",
            Address("a.fifo", "eu-west-1", url="https://eu-west-1.queue.amazonaws.com/1/a.fifo"),
            id="legacy URL",
        ),
        pytest.param(
            "http://127.0.0.1:4566/000000000001/work",
            Address("work", None, url="http://127.0.0.1:4566/000000000001/work"),
            id="emulator",
        ),
        pytest.param(ARN, Address("orders", "eu-west-1", account="123456789012"), id="ARN"),
        pytest.param(
            ss.QueueTarget(f"{ARN}.fifo", message_group_id="a"),
            Address("orders.fifo", "eu-west-1", account="123456789012"),
            id="target",
        ),
    ],
)
def test_a_queue_is_given_by_its_url_its_arn_or_a_target(queue: Any, address: Address) -> None:
    assert address_of(queue) == address
    assert address.is_fifo == address.name.endswith(".fifo")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"queue": "orders"}, ValueError, "expected queue to be such as 'https://sqs.*got 'orders'"),
        ({"queue": "https://user:secret@sqs/1/a"}, ValueError, "expected queue"),
        ({"queue": "arn:aws:sns:eu-west-1:1:a"}, ValueError, "is of service 'sns'"),
        ({"queue": 3}, TypeError, "expected queue to be a URL, an ARN or a QueueTarget, got 3"),
        ({"handler": 3}, TypeError, "expected handler to be a function or"),
        ({"handler": "os.path"}, ValueError, "in the form 'package.module:function', got 'os.path'"),
        ({"handler": lambda a, b: None}, ValueError, "of one argument"),
        ({"handler": lambda a, *, b: None}, ValueError, "of one argument"),
        ({"handler": lambda a: (yield)}, ValueError, "generator function"),
        ({"concurrency": 0}, ValueError, "from 1 to 1000 for concurrency, got 0"),
        ({"concurrency": True}, ValueError, "for concurrency, got True"),
        ({"batch_size": 11}, ValueError, "from 1 to 10 for batch_size, got 11"),
        ({"visibility_timeout": 0.5}, ValueError, "visibility_timeout from 1 to 43200 seconds, got 0.5"),
        ({"visibility_timeout": timedelta(hours=13)}, ValueError, "visibility_timeout from 1 to 43200"),
        ({"wait_time": 21}, ValueError, "wait_time from 1 to 20 seconds, got 21"),
        ({"wait_time": 0}, ValueError, "wait_time from 1 to 20 seconds, got 0"),
        ({"wait_time": None}, TypeError, "expected wait_time in seconds"),
        ({"retry_delay": -1}, ValueError, "expected retry_delay of at least 0 seconds"),
        ({"max_retry_delay": "1"}, TypeError, "expected max_retry_delay in seconds"),
        ({"session": 3}, TypeError, "expected a boto3.Session for session, got 3"),
        ({"endpoint_url": "here"}, ValueError, "expected endpoint_url to be such as"),
    ],
    ids=lambda value: str(value).partition(" at 0x")[0],
)
def test_what_cannot_work_is_refused_at_once(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    given: dict[str, Any] = {"queue": URL, "handler": print} | options
    with pytest.raises(error, match=text):
        ss.QueueWorker(given.pop("queue"), given.pop("handler"), **given)


class Handlers:
    """Handlers of every kind; each notes what it was called with."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def text(self, text: str) -> None:
        self.seen.append(text)

    def message(self, message: QueueMessage) -> None:
        self.seen.append(message.body + "!")

    def named(self, message: "ss.workers.QueueMessage") -> None:  # noqa: UP037 -- the text is meant
        self.seen.append(message.body + "!")

    def keyword(self, text: str = "none", *, more: int = 1) -> None:
        self.seen.append(text)

    def rest(self, *texts: str) -> None:
        self.seen += texts

    def nothing(self) -> None:
        self.seen.append("a")

    async def awaited(self, text: str) -> None:
        await asyncio.sleep(0)
        self.seen.append(text)

    async def awaited_message(self, message: QueueMessage) -> None:
        self.seen.append(message.body + "!")

    def __call__(self, text: str) -> None:
        self.seen.append(text)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("text", "a"),
        ("message", "a!"),
        ("named", "a!"),
        ("keyword", "a"),
        ("rest", "a"),
        ("nothing", "a"),
        ("awaited", "a"),
        ("awaited_message", "a!"),
        ("__call__", "a"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_handler_gets_the_text_or_the_message_that_it_asks_for(
    service: Service, name: str, seen: str, wrapped: bool
) -> None:
    handlers = Handlers()
    function = getattr(handlers, name)
    service.send("a")
    with worker(service, functools.partial(function) if wrapped else function):
        until(service, lambda: not service.messages)
    assert handlers.seen == [seen]


def test_a_message_tells_of_itself(service: Service) -> None:
    seen = list[QueueMessage]()

    def handle(message: QueueMessage) -> None:
        seen.append(message)

    service.send("a", group="g")
    with worker(service, handle):
        until(service, lambda: not service.messages)
    (message,) = seen
    assert (message.body, message.id, message.group, message.receive_count) == ("a", "id-1", "g", 1)
    assert message.sent_at == datetime(2030, 1, 1, tzinfo=timezone.utc)
    assert message.deadline is not None
    at = message.deadline - timedelta(hours=12)
    assert message.remaining_time(at) == timedelta(hours=12)
    assert message.remaining_time(at + timedelta(hours=13)) == timedelta(0)
    assert timedelta(hours=11) < message.remaining_time() <= timedelta(hours=12)  # type: ignore[operator]
    assert QueueMessage("a", "1").remaining_time() is None
    assert hash(message) == hash(message)


_seen = list[str]()


def handle_by_name(text: str) -> None:
    _seen.append(text)


not_callable = 3


def test_a_handler_is_given_by_its_name(service: Service) -> None:
    service.send("by name")
    with worker(service, f"{__name__}:handle_by_name"):
        until(service, lambda: not service.messages)
    assert _seen.pop() == "by name"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no.such:thing", "handler 'no.such:thing' cannot be imported: ModuleNotFoundError"),
        (f"{__name__}:nothing", "cannot be imported: AttributeError"),
        (f"{__name__}:not_callable", "to be a function, got 3"),
        (f"{__name__}:until", "of one argument"),
    ],
)
def test_a_name_that_stands_for_no_handler_is_refused_before_anything_is_received(
    service: Service, name: str, text: str
) -> None:
    given = worker(service, name)
    with pytest.raises(ValueError, match=text):
        given.start()
    assert service.calls == []


# -- the start -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["get_queue_attributes", "receive_message"])
def test_a_missing_permission_is_told_at_the_start_with_all_that_are_needed(
    service: Service, operation: str
) -> None:
    service.failing[operation] = client_error("AccessDenied", 403)
    given = worker(service, print)
    with pytest.raises(ss.errors.AccessDeniedError, match=r"words; a worker needs .*sqs:DeleteMessage"):
        given.start()
    assert service.open_clients == 0
    assert not given.is_running


def test_a_missing_queue_is_told_at_the_start(service: Service) -> None:
    service.failing["get_queue_url"] = client_error("AWS.SimpleQueueService.NonExistentQueue")
    with pytest.raises(ss.BackendError, match="there is no queue 'orders' in eu-west-1; check its name"):
        ss.QueueWorker(ARN, print, session=service).run()


def test_a_queue_that_hides_no_message_is_refused(service: Service) -> None:
    service.visibility = 0
    with pytest.raises(
        ValueError, match=r"visibility timeout of queue orders is 0.*use visibility_timeout=30"
    ):
        worker(service, print).start()
    with worker(service, Noted(), visibility_timeout=30):
        pass


@pytest.mark.parametrize("most", [None, 5])
def test_a_queue_without_a_dead_letter_queue_is_warned_of(
    most: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    with worker(Service(time.monotonic, max_receives=most), print):
        pass
    texts = [record.getMessage() for record in caplog.records]
    assert [bool(re.search("no dead-letter queue: .* for 4 days, the", text)) for text in texts] == [True] * (
        not most
    )


@pytest.mark.parametrize(
    ("fifo", "given", "sent"), [(False, None, 10), (True, None, 1), (True, 5, 5), (False, 2, 2)]
)
def test_of_a_fifo_queue_one_message_is_received_at_a_time(
    service: Service, fifo: bool, given: int | None, sent: int
) -> None:
    service.fifo = fifo
    url = URL + ".fifo" * fifo
    with ss.QueueWorker(url, print, session=service, wait_time=1, batch_size=given):
        pass
    asked = {request["MaxNumberOfMessages"] for name, request in service.calls if name == "receive_message"}
    assert asked == {sent}


@pytest.mark.parametrize(("given", "sent"), [(None, 30), (90, 90), (timedelta(minutes=2), 120)])
def test_the_visibility_timeout_is_that_of_the_queue_or_the_given_one(
    service: Service, given: Any, sent: int
) -> None:
    with worker(service, print, visibility_timeout=given):
        pass
    assert {request["VisibilityTimeout"] for name, request in service.calls if name == "receive_message"} == {
        sent
    }


def test_a_fifo_queue_is_asked_again_for_an_answer_that_was_lost(service: Service) -> None:
    service.fifo = True
    with ss.QueueWorker(f"{URL}.fifo", print, session=service, wait_time=1):
        pass
    keys = [
        request["ReceiveRequestAttemptId"] for name, request in service.calls if name == "receive_message"
    ]
    assert len(set(keys)) == len(keys)


# -- handling --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()]
)
@pytest.mark.parametrize("is_awaited", [False, True])
def test_whatever_a_handler_raises_its_message_has_failed_and_the_worker_goes_on(
    service: Service, error: BaseException, is_awaited: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(text: str) -> None:
        if text == "bad":
            raise error

    async def fail_later(text: str) -> None:
        fail(text)

    given = worker(service, fail_later if is_awaited else fail)
    service.send("bad")
    service.send("good")
    events = list[WorkerEvent]()
    given.listen(events.append)
    with given:
        until(service, lambda: len(service.dead) == 1)
    summary = given.stop()
    assert summary == WorkSummary(received=4, succeeded=1, failed=3)
    assert [each.body for each in service.dead] == ["bad"]
    failed = [event for event in events if event.kind is WorkerEventKind.FAILED]
    assert [event.message.receive_count for event in failed] == [1, 2, 3]
    assert {str(event.error).partition(":")[0] for event in failed} == {type(error).__name__}
    assert {event.delay for event in failed} == {timedelta(0)}
    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "in delivery 1, the next one is in 0 s" in logged[0]
    assert "in delivery 3, the last one before the dead-letter queue" in logged[2]
    assert "Traceback" in logged[2]


def test_messages_are_handled_in_so_many_threads(service: Service) -> None:
    together = threading.Barrier(4)
    noted = Noted(lambda _: together.wait(PATIENCE))
    for number in range(8):
        service.send(str(number))
    with worker(service, noted, concurrency=4):
        noted.wait(8)
        until(service, lambda: not service.messages)


def test_an_outage_of_the_queue_is_survived_and_logged_once(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    noted = Noted()
    with worker(service, noted):
        with service.changed:
            service.failing["receive_message"] = client_error("Throttling")
            before = len(service.calls)
        until(service, lambda: len(service.calls) > before + 1)
        with service.changed:
            service.failing.clear()
        service.send("a")
        noted.wait(1)
    texts = [record.getMessage() for record in caplog.records]
    assert [text.partition(" queue")[0] for text in texts] == [
        "cannot receive messages from",
        "can receive messages from",
    ]
    assert "ThrottledError" in texts[0]


def test_listeners_are_told_of_each_message_and_their_exceptions_end_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    events = list[WorkerEvent]()
    given = worker(service, Noted())
    given.listen(lambda _: sys.exit("no"))
    given.listen(events.append)
    for text in "ab":
        service.send(text)
    with given:
        until(service, lambda: not service.messages)
    assert [(event.kind, event.message.body, event.error) for event in events] == [
        (WorkerEventKind.SUCCEEDED, "a", None),
        (WorkerEventKind.SUCCEEDED, "b", None),
    ]
    assert "a listener failed on message id-1: SystemExit: no" in caplog.text


# -- the end ---------------------------------------------------------------------------------------------


def test_a_stop_awaits_the_handler_and_gives_back_what_waits(service: Service) -> None:
    go_on = threading.Event()
    noted = Noted(lambda _: go_on.wait(PATIENCE))
    for text in "abc":
        service.send(text)
    given = worker(service, noted)
    given.start()
    assert given.is_running
    noted.wait(1)
    stop = threading.Thread(target=given.stop)
    stop.start()
    until(service, lambda: sum(each.visible_at <= time.monotonic() for each in service.messages) == 2)
    assert stop.is_alive()
    assert not given.is_running
    go_on.set()
    stop.join(PATIENCE)
    assert given.stop() == WorkSummary(received=3, succeeded=1, released=2)
    assert [each.body for each in service.messages] == ["b", "c"]
    assert service.open_clients == 0


def test_a_stop_with_a_timeout_leaves_the_handler_and_deletes_nothing_that_has_not_ended(
    service: Service,
) -> None:
    go_on = threading.Event()
    noted = Noted(lambda _: go_on.wait(PATIENCE))
    service.send("a")
    given = worker(service, noted)
    given.start()
    noted.wait(1)
    assert given.stop(timeout=0).unfinished == 1
    assert [each.body for each in service.messages] == ["a"]
    go_on.set()
    until(service, lambda: not service.messages)
    assert given.stop() == WorkSummary(received=1, succeeded=1)


def test_a_worker_can_be_started_again_and_twice(service: Service) -> None:
    noted = Noted()
    given = worker(service, noted)
    assert given.stop() == WorkSummary()
    for round_ in range(1, 4):
        service.send("a")
        with given:
            given.start()
            noted.wait(round_)
            until(service, lambda: not service.messages)
        assert given.stop().succeeded == 1
    assert service.open_clients == 0


@pytest.mark.parametrize("place", ["handler", "coroutine", "listener"])
def test_a_stop_inside_does_not_wait_for_itself(service: Service, place: str) -> None:
    def stop(_: object = None) -> None:
        given.stop()

    async def stop_later() -> None:
        stop()

    given = worker(service, {"handler": stop, "coroutine": stop_later, "listener": Noted()}[place])
    if place == "listener":
        given.listen(stop)
    service.send("a")
    assert given.run() == WorkSummary(received=1, succeeded=1)


def test_run_returns_what_was_done_when_another_thread_stops_it(service: Service) -> None:
    noted = Noted()
    given = worker(service, noted)
    service.send("a")

    def stop() -> None:
        noted.wait(1)
        given.stop()

    other = threading.Thread(target=stop)
    other.start()
    assert given.run(grace=PATIENCE) == WorkSummary(received=1, succeeded=1)
    other.join(PATIENCE)


def test_run_works_in_any_thread(service: Service) -> None:
    noted = Noted()
    given = worker(service, noted)
    service.send("a")
    found = list[WorkSummary]()
    thread = threading.Thread(target=lambda: found.append(given.run()))
    thread.start()
    noted.wait(1)
    given.stop()
    thread.join(PATIENCE)
    assert found == [WorkSummary(received=1, succeeded=1)]


def test_a_pause_after_a_failure_does_not_delay_the_stop(service: Service) -> None:
    given = worker(service, print)
    given.start()
    with service.changed:
        service.failing["receive_message"] = client_error("Throttling")
        before = len(service.calls)
    until(service, lambda: len(service.calls) > before)
    given.stop()


# -- on the embedded backend -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "body"), [("hello", "hello"), ({"a": [1, "é"]}, '{"a":[1,"é"]}'), (3, "3")], ids=str
)
def test_the_embedded_backend_calls_the_same_handler_with_what_the_queue_would_carry(
    given: Any, body: str
) -> None:
    seen = list[QueueMessage]()

    def handle(message: QueueMessage) -> None:
        seen.append(message)
        if message.receive_count == 1:
            raise ValueError("again")

    start = datetime(2030, 1, 1, tzinfo=timezone.utc)
    backend = ss.LocalBackend(clock=FakeClock(start))
    target = ss.QueueTarget(f"{ARN}.fifo", message_group_id="eu")
    backend.register(ss.QueueTarget, ss.QueueWorker(target, handle).handler)
    client = ss.SchedulerClient(backend)
    client.create(
        ss.Job(name="a", schedule=ss.OneTime(start + timedelta(hours=1)), target=target, input=given)
    )
    backend.run_until(start + timedelta(hours=2))
    assert [message.body for message in seen] == [body, body]
    assert [message.receive_count for message in seen] == [1, 2]
    assert {(message.group, message.sent_at) for message in seen} == {("eu", start + timedelta(hours=1))}
    assert len({message.id for message in seen}) == 1
    if not isinstance(given, str):
        assert json.loads(body) == given


def test_the_embedded_backend_awaits_a_coroutine(service: Service) -> None:
    handlers = Handlers()
    start = datetime(2030, 1, 1, tzinfo=timezone.utc)
    backend = ss.LocalBackend(clock=FakeClock(start))
    backend.register(ss.QueueTarget, ss.QueueWorker(ARN, handlers.awaited).handler)
    job = ss.Job(name="a", schedule=ss.Rate(timedelta(hours=1)), target=ss.QueueTarget(ARN), input="a")
    ss.SchedulerClient(backend).create(job)
    backend.run_until(start + timedelta(minutes=1))
    assert handlers.seen == ["a"]


def test_a_failure_is_logged_before_the_worker_has_ended(service: Service) -> None:
    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            threading.Event().wait(0.2)
            told.append(record)

    def fail(_: str) -> None:
        raise ValueError("no")

    told, slow = list[logging.LogRecord](), Slow(logging.ERROR)
    logging.getLogger("stepsched.worker").addHandler(slow)
    try:
        given = worker(service, fail)
        service.send("bad")
        with given:
            until(service, lambda: len(service.dead) == 1)
        given.stop()
    finally:
        logging.getLogger("stepsched.worker").removeHandler(slow)
    assert len(told) == 3
