"""The calls of the SDK: paced, retried and concurrent, with translated errors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from stepsched.aws.sdk import closed, mapped
from stepsched.backends import pool
from stepsched.backends.eventbridge.direct import Direct
from stepsched.backends.eventbridge.quotas import Bucket, request_rates
from stepsched.core.clock import Clock, SystemClock
from stepsched.core.errors import BackendError, BackendUnavailableError, ErrorCode

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 8
"""The number of attempts of one call, in the SDK's adaptive mode, with growing pauses of up to 20 s."""
_ROLE_IS_NEW = "must allow AWS EventBridge Scheduler to assume the role"
"""The service's message about a role that it cannot assume, or not yet."""
_MEMBERS = {
    "CreateSchedule": "ScheduleArn",
    "UpdateSchedule": "ScheduleArn",
    "GetSchedule": "Name",
    "ListSchedules": "Schedules",
    "CreateScheduleGroup": "ScheduleGroupArn",
    "GetScheduleGroup": "Name",
    "ListScheduleGroups": "ScheduleGroups",
}
"""The members that each response must have: a proxy's page with status 200 has none."""
_NO_ANSWER = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""The exceptions that the SDK's parser raises for invalid responses; requests have been checked."""
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def _unreadable(operation: str, why: str) -> BackendUnavailableError:
    words = f"the response cannot be read: {why}"
    return BackendUnavailableError(
        "scheduler", operation, ErrorCode.UNREADABLE_ANSWER, retryable=True, detail=words
    )


def _role_of(parameters: Mapping[str, Any]) -> str:
    return str(parameters.get("Target", {}).get("RoleArn"))


class Service:
    """The operations of EventBridge Scheduler. The object is thread-safe."""

    def __init__(
        self,
        session: Any,
        *,
        endpoint_url: str | None,
        workers: int,
        rates: Mapping[str, float] | None,
        role_wait: timedelta,
    ) -> None:
        import boto3
        import botocore
        from botocore.config import Config

        self._clock: Clock = SystemClock()
        self._workers = workers
        self._role_wait = role_wait.total_seconds()
        self._refused_at: dict[str, float] = {}
        """The time of the first refusal of each role."""
        self._pause = threading.Event()
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=workers,
            connect_timeout=10,
            read_timeout=30,
            # A constant: the SDK would build it again for each request.
            user_agent=f"stepsched Boto3/{boto3.__version__} Botocore/{botocore.__version__}",
        )
        with mapped("scheduler", "connect"):
            self.session: Any = boto3.Session() if session is None else session
            self._endpoint_url = endpoint_url
            self._client = self.session.client("scheduler", endpoint_url=endpoint_url, config=config)
        self.region: str = self._client.meta.region_name
        self.partition: str = self._client.meta.partition
        self._methods = {
            operation: getattr(self._client, method)
            for method, operation in self._client.meta.method_to_api_mapping.items()
        }
        self._direct = Direct(self._client)
        self._buckets = {name: Bucket(rate) for name, rate in request_rates(self.region, rates).items()}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(workers)

    def client(self, name: str) -> Any:
        """Returns a client of another service, with the same session and endpoint.

        Raises:
            BackendError: This object has been closed.
        """
        if self._pause.is_set():
            raise closed(name, "connect")
        with mapped(name, "connect"):
            return self.session.client(name, endpoint_url=self._endpoint_url)

    def close(self) -> None:
        """Closes the connections and ends waits for roles. May be called more than once."""
        if not self._pause.is_set():
            self._pause.set()
            self._client.close()

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Makes one request, paced by its quota.

        Raises:
            BackendError: The call failed, translated by the table in ``sdk``; code CLOSED after ``close``.
        """
        return self._once(operation, lambda: parameters)

    def store(self, operation: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Stores a schedule, and retries while a new role is not usable yet.

        The instants of a request are computed from the present, so that it is built anew for each try, right
        before it is sent: after the waits for the quota and for the role. The SDK's own retries of one try,
        after a response such as a throttled one, repeat it unchanged, with the same client token; their
        pauses take at most 71 s in total.

        Args:
            operation: CreateSchedule or UpdateSchedule.
            make: Returns the parameters, without client token. What it raises is raised here.

        Returns:
            The parameters that the service has accepted.

        Raises:
            BackendError: As for :meth:`call`.
            InvalidScheduleError: The service refuses the expression.
        """
        pause, made = 1.0, dict[str, Any]()

        def tokened() -> dict[str, Any]:
            nonlocal made
            made = make()
            return made | {"ClientToken": uuid4().hex}

        while True:
            try:
                self._once(operation, tokened)
            except BackendError as error:  # noqa: PERF203 -- each turn is a request
                role = _role_of(made)
                left = self._patience(role, error) if _ROLE_IS_NEW in error.detail else 0.0
                if left <= 0:
                    raise
                if self._pause.wait(min(pause, left)):  # closed during the wait
                    raise
                pause = min(2 * pause, 10.0)
            else:
                with self._lock:
                    self._refused_at.pop(_role_of(made), None)
                return made

    def _once(self, operation: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        with self._lock:
            wait = self._buckets[operation].take(self._clock.monotonic())
        if wait:
            self._pause.wait(wait)
        if self._pause.is_set():
            raise closed("scheduler", operation)
        with self._places:
            parameters = make()
            with mapped("scheduler", operation):
                answer = self._send(operation, parameters)
        wanted = _MEMBERS.get(operation)
        if wanted is not None and wanted not in answer:
            raise _unreadable(operation, f"it has no {wanted}")
        return answer

    def _send(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Uses the short path if possible, otherwise the SDK with its retries."""
        answer = self._direct.call(operation, parameters)
        if answer is not None:
            return answer
        try:
            found: dict[str, Any] = self._methods[operation](**parameters)
        except _NO_ANSWER as error:
            raise _unreadable(operation, repr(error)) from error
        return found

    def _patience(self, role: str, error: BackendError) -> float:
        """Returns the remaining seconds to wait for a new role, since its first refusal and for all threads.
        After that calls fail at once; after the same time again a refusal counts as that of a new role."""
        if not self._role_wait:
            return 0.0
        now = self._clock.monotonic()
        with self._lock:
            first = self._refused_at.get(role)
            if first is None or now - first >= 2 * self._role_wait:
                first = self._refused_at[role] = now
                _LOG.warning(
                    "%s; a new role takes some time to become usable, retrying for %g s",
                    error.detail,
                    self._role_wait,
                )
        return first + self._role_wait - now

    def pages(self, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yields the pages of a list."""
        token: str | None = None
        while True:
            more = {} if token is None else {"NextToken": token}
            page = self.call(operation, **parameters, **more)
            yield page
            token = page.get("NextToken")
            if not token:
                return

    def each(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yields the results of a function for each item, concurrently; see :func:`pool.each`."""
        return pool.each(function, items, workers=self._workers)
