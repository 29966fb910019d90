"""A worker: it handles the messages of a queue."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol
from weakref import WeakSet

from typing_extensions import Self

from stepsched.aws.sdk import validate_connection
from stepsched.core.amounts import length_text
from stepsched.core.durations import seconds_of
from stepsched.core.errors import AccessDeniedError
from stepsched.core.payloads import to_json
from stepsched.core.quoting import quoted
from stepsched.core.signals import Signals
from stepsched.workers.desk import LONGEST_VISIBILITY, Settings
from stepsched.workers.handling import Handler, Handling
from stepsched.workers.messages import Listener, QueueMessage, WorkSummary
from stepsched.workers.queue import BATCH, Attributes, Queue, address_of, needs_of_worker
from stepsched.workers.records import handle_records
from stepsched.workers.shift import Shift

_log = logging.getLogger("stepsched.worker")
_MOST_HANDLERS = 1_000
_LONGEST_WAIT = 20
_Duration = float | timedelta


class HasQueue(Protocol):
    """A target that sends messages to a queue, such as a ``QueueTarget`` or a ``FanOutTarget``."""

    @property
    def queue_arn(self) -> str:
        """The ARN of the queue."""
        ...


class QueueWorker:
    """Handles the messages of an SQS queue in this process.

    A message is deleted after its handler has returned. If the handler raises an exception, the queue
    delivers the message again, until its redrive policy moves it to the dead-letter queue. Delivery is at
    least once: a message whose worker ends before the deletion is delivered again, so a handler must allow
    that. Any number of workers, in any number of processes, may share a queue.

    Messages of one group of a FIFO queue are handled one after another, in order; groups in parallel.

    Example:
        >>> import stepsched as ss
        >>> worker = ss.QueueWorker("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", print)
        >>> worker.run()  # until Ctrl-C or SIGTERM  # doctest: +SKIP
    """

    def __init__(
        self,
        queue: str | HasQueue,
        handler: Handler,
        *,
        session: Any = None,
        endpoint_url: str | None = None,
        concurrency: int = 1,
        batch_size: int | None = None,
        visibility_timeout: _Duration | None = None,
        wait_time: _Duration = _LONGEST_WAIT,
        retry_delay: _Duration = 10,
        max_retry_delay: _Duration = 900,
    ) -> None:
        """Creates a worker. It makes no request before :meth:`start` or :meth:`run`.

        Args:
            queue: The URL or ARN of the queue, or a target of it.
            handler: The function, a coroutine function, or its name ``"package.module:function"``. It is
                called with the text of the message, or with the :class:`QueueMessage` if its parameter is
                annotated with that class.
            session: The ``boto3.Session``. None: a new one.
            endpoint_url: The URL of another endpoint than that of AWS, such as an emulator.
            concurrency: The maximum number of messages that are handled at the same time, in threads; 1 to
                1000.
            batch_size: The maximum number of messages that are received at once, 1 to 10. More are faster;
                with 1 no message waits in this process while another worker is free. None: 10, of a FIFO
                queue 1. If a FIFO queue gives several messages of a group at once and the first one fails,
                the others are delivered again with it, and reach the dead-letter queue with it too.
            visibility_timeout: The time for which the queue hides a message from other workers; it is
                extended while the handler runs, up to 12 hours after the delivery. If this process is killed,
                its messages are delivered again after this time. In seconds or as a timedelta, 1 second to 12
                hours. None: the setting of the queue.
            wait_time: How long a request waits for messages, in seconds or as a timedelta, 1 to 20 seconds.
                A stop waits for such a request, too.
            retry_delay: The delay before a message that has failed is delivered again, in seconds or as a
                timedelta. It is doubled with each delivery, and rounded up to a second.
            max_retry_delay: The maximum of this delay; at most 12 hours.

        Raises:
            TypeError: An argument has another type.
            ValueError: An argument is malformed or out of range.
        """
        self._address = address_of(queue)
        self._handling = Handling(handler)
        validate_connection(session, endpoint_url)
        self._connection = (session, endpoint_url)
        self._concurrency = _whole(concurrency, "concurrency", _MOST_HANDLERS)
        if batch_size is None:
            batch_size = 1 if self._address.is_fifo else BATCH
        self._batch_size = _whole(batch_size, "batch_size", BATCH)
        self._wait = _within(wait_time, "wait_time", 1, _LONGEST_WAIT)
        self._retry_delay = _within(retry_delay, "retry_delay", 0, LONGEST_VISIBILITY)
        self._max_retry_delay = _within(max_retry_delay, "max_retry_delay", 0, LONGEST_VISIBILITY)
        self._visibility = (
            None
            if visibility_timeout is None
            else int(_within(visibility_timeout, "visibility_timeout", 1, LONGEST_VISIBILITY))
        )
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()
        self._shift: Shift | None = None
        _WORKERS.add(self)

    def listen(self, listener: Listener) -> None:
        """Registers a function that is called with each :class:`WorkerEvent`, with one at a time, in a thread
        of the worker. It should be fast; its exceptions are logged."""
        self._listeners.append(listener)

    # -- in this process ---------------------------------------------------------------------------

    def run(self, *, grace: _Duration | None = None) -> WorkSummary:
        """Handles messages until :meth:`stop`; in the main thread also until SIGINT or SIGTERM.

        After that no message is received, handlers that run are awaited, and messages that wait are given
        back to the queue at once. A second signal ends the wait.

        Args:
            grace: The longest time to wait for handlers after the first signal, in seconds or as a timedelta.
                Their messages are not deleted, unless they return after all; the queue delivers them again
                after their visibility timeout. None: no limit.

        Returns:
            What was done.

        Raises:
            AccessDeniedError: A permission is missing.
            BackendError: The queue does not exist or cannot be reached, or the worker has no Region.
            ValueError: The handler cannot be imported, or ``grace`` is negative.
        """
        seconds = seconds_of(grace, "grace")
        if threading.current_thread() is not threading.main_thread():
            shift = self._begin()
            try:
                shift.wait()
            finally:
                shift.stop(0)
            return shift.summary
        with Signals() as signals:
            shift = self._begin()
            shift.when_ended(signals.wake)
            try:
                if signals.next():
                    _log.info(
                        "the worker of queue %s stops; a second signal ends it at once", self._address.name
                    )
                    stop = threading.Thread(target=_stop, args=(shift, seconds, signals.wake), daemon=True)
                    stop.start()
                    signals.next()
            finally:
                shift.stop(0)
        return shift.summary

    def start(self) -> None:
        """Begins to handle messages in threads, and returns. May be called more than once.

        After a fork the worker in the child is stopped, and can be started there.

        Raises:
            AccessDeniedError: A permission is missing.
            BackendError: The queue does not exist or cannot be reached, or the worker has no Region.
            ValueError: The handler cannot be imported.
        """
        self._begin()

    def stop(self, *, timeout: _Duration | None = None) -> WorkSummary:
        """Stops receiving, gives back what waits, and waits for handlers that run. May be called more than
        once; a handler that calls it is not awaited, nor are the others then.

        Args:
            timeout: The longest time to wait for handlers, in seconds or as a timedelta; see ``grace`` of
                :meth:`run`. None: no limit.

        Returns:
            What was done since the last start.

        Raises:
            TypeError: ``timeout`` is neither a number nor a timedelta.
            ValueError: ``timeout`` is negative.
        """
        seconds = seconds_of(timeout, "timeout")
        shift = self._shift
        if shift is None:
            return WorkSummary()
        shift.stop(seconds)
        return shift.summary

    @property
    def is_running(self) -> bool:
        """Whether the worker was started, and not stopped."""
        shift = self._shift
        return shift is not None and not shift.is_stopping

    def __enter__(self) -> Self:
        """Starts the worker."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the worker and waits for handlers that run."""
        self.stop()

    def _begin(self) -> Shift:
        with self._lock:
            if self._shift is not None and not self._shift.is_stopping:
                return self._shift
            self._handling.prepare()
            queue = Queue(self._address, *self._connection, self._wait)
            try:
                settings, received = self._look_up(queue)
            except BaseException:
                queue.close()
                raise
            self._shift = Shift(queue, settings, self._handling, self._listeners)
            self._shift.start(received)
            return self._shift

    def _look_up(self, queue: Queue) -> tuple[Settings, list[tuple[QueueMessage, str]]]:
        """Returns the settings, and the first messages: receiving shows whether it is allowed."""
        from stepsched.workers.shift import _clock

        try:
            own = queue.attributes()
            settings = self._settings(own)
            first = queue.receive(settings.batch_size, settings.visibility, _clock.now, wait=False)
        except AccessDeniedError as error:
            detail = f"{error.detail.rstrip('.')}; {needs_of_worker()}"
            raise AccessDeniedError(
                error.service, error.operation, error.code, error.request_id, detail=detail
            ) from error
        if own.max_receives is None:
            _log.warning(
                "queue %s has no dead-letter queue: a message that always fails is delivered again and again "
                "for %s, the retention of the queue; set its RedrivePolicy",
                queue.name,
                length_text(own.retention),
            )
        return settings, first

    def _settings(self, own: Attributes) -> Settings:
        visibility = own.visibility if self._visibility is None else self._visibility
        if visibility < 1:
            raise ValueError(
                f"the visibility timeout of queue {self._address.name} is 0, so that every worker would get "
                "the same message; use visibility_timeout=30, or change the queue"
            )
        return Settings(
            concurrency=self._concurrency,
            batch_size=self._batch_size,
            visibility=visibility,
            retry_delay=self._retry_delay,
            max_retry_delay=self._max_retry_delay,
            is_fifo=self._address.is_fifo,
            max_receives=own.max_receives,
        )

    # -- elsewhere ---------------------------------------------------------------------------------

    def lambda_handler(self, event: Any, context: Any) -> dict[str, Any]:
        """Handles the messages of one event in AWS Lambda, one after another, with the same handler.

        The event source mapping of the queue must have ``ReportBatchItemFailures``. The IDs of messages that
        have failed are returned, and only these are delivered again. In a FIFO queue the messages after a
        failed one of the same group are not handled.

        Args:
            event: The event.
            context: The context.

        Returns:
            The partial batch response.

        Raises:
            ModuleNotFoundError: The extra ``stepsched[powertools]`` is not installed.
            ValueError: ``event`` is not of a queue, or the handler cannot be imported.
        """
        self._handling.prepare()
        return handle_records(event, context, self._handling.call)

    def handler(self, target: Any, input: Any, run: Any) -> None:  # noqa: A002 -- as backends call it
        """Handles the message that a job would send to the queue, on the embedded backend:
        ``backend.register(QueueTarget, worker.handler)``. An exception of the handler fails the run."""
        message = QueueMessage(
            body=input if isinstance(input, str) else to_json(input),
            id=f"{run.job}/{run.id}",
            group=getattr(target, "message_group_id", None),
            receive_count=run.attempt,
            sent_at=run.scheduled_for,
        )
        self._handling.call(message)

    def _reset_after_fork(self) -> None:
        self._lock = threading.RLock()
        self._shift = None
        self._handling.loops.reset()


def _stop(shift: Shift, timeout: float | None, done: Callable[[], object]) -> None:
    shift.stop(timeout)
    done()


def _whole(value: object, argument: str, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"expected a whole number from 1 to {most} for {argument}, got {quoted(value)}")
    return value


def _within(value: _Duration, argument: str, least: int, most: int) -> float:
    seconds = seconds_of(value, argument)
    if seconds is None:
        raise TypeError(f"expected {argument} in seconds or as a timedelta, got None")
    if not least <= seconds <= most:
        raise ValueError(f"expected {argument} from {least} to {most} seconds, got {quoted(value)}")
    return seconds


_WORKERS: WeakSet[QueueWorker] = WeakSet()


def _reset_all() -> None:
    for worker in list(_WORKERS):
        worker._reset_after_fork()  # noqa: SLF001


@atexit.register
def _stop_all() -> None:
    """Gives back what waits: no thread survives the end of the interpreter."""
    for worker in list(_WORKERS):
        worker.stop(timeout=0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
