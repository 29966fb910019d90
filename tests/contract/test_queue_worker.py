"""Workers on emulators of SQS, and as processes that end in every way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from typing_extensions import Self

import stepsched as ss
from stepsched.workers import QueueMessage, WorkerEvent, WorkerEventKind
from tests.parts.ministack import REGION, Ministack
from tests.sessions import new_session

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30


class Account:
    """An account of an emulator, with queues."""

    def __init__(self, number: str, endpoint_url: str | None) -> None:
        self.number = number
        self.endpoint_url = endpoint_url
        self.session = new_session(aws_access_key_id=number, aws_secret_access_key="test", region_name=REGION)
        self.sqs: Any = self.session.client("sqs", endpoint_url=endpoint_url)

    def queue(self, name: str, *, visibility: int = 30, receives: int | None = None) -> str:
        """Creates a queue, with a dead-letter queue ``dead``; returns its URL."""
        kind = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        attributes = {"VisibilityTimeout": str(visibility), **kind}
        if receives is not None:
            dead = "dead.fifo" if kind else "dead"
            url = self.sqs.create_queue(QueueName=dead, Attributes=kind)["QueueUrl"]
            arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            policy = {"deadLetterTargetArn": arn, "maxReceiveCount": str(receives)}
            attributes["RedrivePolicy"] = json.dumps(policy)
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def send(self, url: str, texts: list[str], group: Callable[[int], str] | None = None) -> None:
        for first in range(0, len(texts), 10):
            entries = [
                {"Id": str(at), "MessageBody": texts[at]}
                | ({} if group is None else {"MessageGroupId": group(at), "MessageDeduplicationId": str(at)})
                for at in range(first, min(first + 10, len(texts)))
            ]
            assert not self.sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")

    def worker(self, url: str, handler: Any, **options: Any) -> ss.QueueWorker:
        given = {"session": self.session, "endpoint_url": self.endpoint_url, "wait_time": 1, "retry_delay": 0}
        return ss.QueueWorker(url, handler, **(given | options))

    def count(self, url: str) -> tuple[int, int]:
        """How many messages can be received, and how many are hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        own = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(own[names[0]]), int(own[names[1]])


@pytest.fixture(params=["ministack", "moto"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    if request.param == "moto":
        with mock_aws():
            yield Account("123456789012", None)
    else:
        server: Ministack = request.getfixturevalue("ministack")
        yield Account(server.new_account(), server.endpoint_url)


@pytest.fixture
def real(ministack: Ministack) -> Account:
    """An account that other processes reach too."""
    return Account(ministack.new_account(), ministack.endpoint_url)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it does not happen"
        threading.Event().wait(0.01)


@contextmanager
def working(workers: Iterable[ss.QueueWorker]) -> Iterator[None]:
    """Starts workers, and stops them at the same time: each waits for its last request."""
    started = list(workers)
    for worker in started:
        worker.start()
    try:
        yield
    finally:
        stops = [threading.Thread(target=worker.stop) for worker in started]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join(PATIENCE)


class Log:
    """Notes the calls of handlers."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.calls: list[str] = []

    def __call__(self, text: str) -> None:
        self.calls.append(text)
        self.done.append(text)


@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.proof)])
def test_four_workers_share_a_queue_and_do_everything_once(real: Account, count: int) -> None:
    url, texts = real.queue("work", receives=3), [str(number) for number in range(count)]
    real.send(url, texts)
    logs = [Log() for _ in range(4)]
    with working(real.worker(url, log, concurrency=2, batch_size=3) for log in logs):
        until(lambda: sum(len(log.done) for log in logs) >= count)
    assert Counter(text for log in logs for text in log.done) == Counter(texts)
    assert real.count(url) == (0, 0)


def test_a_queue_is_worked_through_until_it_is_empty(account: Account) -> None:
    url, log = account.queue("work", receives=3), Log()
    texts = [str(number) for number in range(25)]
    account.send(url, texts)
    with account.worker(url, log, concurrency=3):
        until(lambda: account.count(url) == (0, 0))
    assert sorted(log.done) == sorted(texts)


@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.proof)])
def test_four_workers_keep_the_order_of_each_group(real: Account, count: int) -> None:
    """Some messages fail at first, and their groups wait for them."""
    url = real.queue("work.fifo", receives=50)
    groups = max(6, count // 20)
    real.send(url, [str(number) for number in range(count)], group=lambda at: f"g{at % groups}")
    lock, done, failed = threading.Lock(), dict[str, list[int]](), set[str]()

    def handle(message: QueueMessage) -> None:
        with lock:
            if int(message.body) % 7 == 3 and message.body not in failed:
                failed.add(message.body)
                raise ValueError("at first")
            done.setdefault(str(message.group), []).append(int(message.body))

    with working(real.worker(url, handle, concurrency=3) for _ in range(4)):
        until(lambda: sum(map(len, done.values())) >= count)
    assert done == {f"g{number}": list(range(number, count, groups)) for number in range(groups)}
    assert real.count(url) == (0, 0)


@pytest.mark.parametrize("name", ["work", "work.fifo"])
def test_a_message_that_always_fails_reaches_the_dead_letter_queue(account: Account, name: str) -> None:
    url = account.queue(name, receives=3)
    group = (lambda _: "a") if name.endswith(".fifo") else None
    account.send(url, ["bad", "good"], group=group)
    deliveries = list[tuple[str, int]]()

    def handle(message: QueueMessage) -> None:
        deliveries.append((message.body, message.receive_count))
        if message.body == "bad":
            raise ValueError("no")

    dead = url.replace("/work", "/dead")
    with account.worker(url, handle):
        until(lambda: "good" in [text for text, _ in deliveries] and account.count(dead)[0] == 1)
    assert [each for each in deliveries if each[0] == "bad"] == [("bad", 1), ("bad", 2), ("bad", 3)]
    assert account.count(url) == (0, 0)


def test_a_message_is_delivered_once_however_long_its_handler_takes(real: Account) -> None:
    """The handler goes on until its message was hidden for a third time, beyond the timeout of a second."""
    url = real.queue("work", visibility=1, receives=5)
    real.send(url, ["long"])
    extended = threading.Semaphore(0)
    events = real.session.events
    events.register("before-call.sqs.ChangeMessageVisibilityBatch", lambda **_: extended.release())
    calls = list[str]()

    def handle(text: str) -> None:
        calls.append(text)
        for _ in range(4):
            assert extended.acquire(timeout=PATIENCE)

    worker = real.worker(url, handle)
    with working([worker, real.worker(url, handle)]):
        until(lambda: real.count(url) == (0, 0))
    assert calls == ["long"]
    assert worker.stop().expired == 0


def test_a_message_that_another_worker_has_got_is_told_as_expired(real: Account) -> None:
    url = real.queue("work", visibility=1, receives=5)
    real.send(url, ["a"])
    events = list[WorkerEvent]()

    def handle(message: QueueMessage) -> None:
        """As long as it runs, something takes the message away from it and deletes it."""
        real.sqs.purge_queue(QueueUrl=url)

    worker = real.worker(url, handle)
    worker.listen(events.append)
    with worker:
        until(lambda: events)
    ((kind, error),) = [(event.kind, event.error) for event in events]
    assert kind is WorkerEventKind.EXPIRED
    assert "ReceiptHandleIsInvalid" in str(error)


def test_a_queue_that_is_not_there_is_told(account: Account) -> None:
    with pytest.raises(ss.BackendError, match="there is no queue 'none' in eu-west-1"):
        account.worker(f"arn:aws:sqs:{REGION}:{account.number}:none", print).start()


def test_an_arn_and_a_target_find_the_queue(real: Account) -> None:
    url = real.queue("work", receives=5)
    arn = f"arn:aws:sqs:{REGION}:{real.number}:work"
    for queue in (arn, ss.QueueTarget(arn), ss.FanOutTarget(arn, ["a"])):
        real.send(url, ["a"])
        log = Log()
        with real.worker(queue, log):  # type: ignore[arg-type]
            until(lambda: log.done)  # noqa: B023 -- before the next round
        assert real.count(url) == (0, 0)


# -- processes -------------------------------------------------------------------------------------------


class Process:
    """The program."""

    def __init__(self, account: Account, way: str, url: str, folder: Path) -> None:
        self.folder = folder
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": str(account.endpoint_url),
            "AWS_ACCESS_KEY_ID": account.number,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.queue_program", way, url, str(folder)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def await_line(self, line: str) -> None:
        assert self.process.stdout is not None
        for each in self.process.stdout:
            if each == f"{line}\n":
                return
        raise AssertionError(f"{line!r} does not come: {self.process.communicate()}")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err

    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()


def test_a_killed_worker_loses_no_message(real: Account, tmp_path: Path) -> None:
    url = real.queue("work", visibility=1, receives=5)
    real.send(url, ["long", "a", "b"])
    with Process(real, "run", url, tmp_path) as process:
        process.await_line("begin long")
        process.process.kill()
        assert process.end()[0] == -signal.SIGKILL
    log = Log()
    with real.worker(url, log):
        until(lambda: real.count(url) == (0, 0))
    assert sorted(log.done) == ["a", "b", "long"]


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.proof)],
    ids=lambda each: each.name,
)
def test_a_signal_ends_a_worker_in_order(real: Account, tmp_path: Path, number: signal.Signals) -> None:
    url = real.queue("work", visibility=600, receives=5)
    real.send(url, ["long", "a", "b"])
    with Process(real, "run", url, tmp_path) as process:
        process.await_line("begin long")
        process.process.send_signal(number)
        until(lambda: real.count(url) == (2, 1))  # what waits is visible at once
        (tmp_path / "released").touch()
        code, out, err = process.end()
        assert (code, err) == (0, "")
        assert "done received    3\nsucceeded   1\nfailed      0\nreleased    2\n" in out
        assert process.log() == ["begin long", "end long"]
    assert real.count(url) == (2, 0)


@pytest.mark.proof
def test_a_second_signal_ends_it_at_once_and_deletes_nothing(real: Account, tmp_path: Path) -> None:
    url = real.queue("work", visibility=600, receives=5)
    real.send(url, ["long", "a"])
    with Process(real, "run", url, tmp_path) as process:
        process.await_line("begin long")
        process.process.send_signal(signal.SIGINT)
        until(lambda: real.count(url) == (1, 1))
        process.process.send_signal(signal.SIGINT)
        code, out, err = process.end()
        assert (code, err) == (0, "")
        assert "unfinished=1" in out
    assert real.count(url) == (1, 1)


@pytest.mark.proof
def test_an_idle_worker_is_ended_quietly(real: Account, tmp_path: Path) -> None:
    url = real.queue("work", receives=5)
    real.send(url, ["a"])
    with Process(real, "run", url, tmp_path) as process:
        process.await_line("succeeded a")
        process.process.send_signal(signal.SIGINT)
        code, out, err = process.end()
    assert (code, err) == (0, "")
    assert "succeeded=1" in out


@pytest.mark.proof
def test_a_program_that_ends_without_a_stop_gives_back_what_waits(real: Account, tmp_path: Path) -> None:
    url = real.queue("work", visibility=600, receives=5)
    real.send(url, ["long", "a", "b"])
    with Process(real, "leave", url, tmp_path) as process:
        code, _, err = process.end()
    assert (code, err) == (0, "")
    assert real.count(url) == (2, 1)


def test_the_child_of_a_fork_leaves_the_messages_of_its_parent_alone(real: Account, tmp_path: Path) -> None:
    url, other = real.queue("work", visibility=600, receives=5), real.queue("work-2", receives=5)
    real.send(url, ["long"])
    real.send(other, ["of child"])
    with Process(real, "fork", url, tmp_path) as process:
        code, out, err = process.end()
        assert (code, err) == (0, "")
        assert "in the child False received    0" in out
        assert "child 7\n" in out
        assert process.log() == ["begin long", "begin of child", "end of child", "end long"]
    assert real.count(url) == real.count(other) == (0, 0)
