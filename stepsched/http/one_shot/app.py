"""The ASGI application of one-shot tasks."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from stepsched.backends.base import idle_reason
from stepsched.client import SchedulerClient
from stepsched.core.durations import step_of
from stepsched.core.errors import StepschedError, UnsupportedError
from stepsched.core.instants import utc_text
from stepsched.core.payloads import to_json
from stepsched.http.access import is_of_other_site
from stepsched.http.bodies import MOST_BYTES, BodyError, parse_object, read_body
from stepsched.http.events import EventFeed, last_event_id, stream
from stepsched.http.headers import REPLAYED, is_position
from stepsched.http.one_shot import names, texts
from stepsched.http.one_shot.delivery import DELIVERY
from stepsched.http.one_shot.openapi import MOST_TASKS, PAGE, document
from stepsched.http.one_shot.reading import Secret, read_cancellation, read_key, read_task
from stepsched.http.one_shot.sns import Fetch, SnsMessage, UntrustedError, Verifier, event_in, fetch
from stepsched.http.one_shot.sweeping import Sweeper
from stepsched.http.one_shot.tasks import Refused, Tasks
from stepsched.jobs.events import EventKind, RecordedEvent
from stepsched.machines.shared import one_shot_words as words
from stepsched.schedules.zones import UTC
from stepsched.targets import Target

_log = logging.getLogger("stepsched.http")
_WEEK = timedelta(days=7)
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]+:[A-Za-z0-9_.-]{1,256}")
_MOST_OF_SNS = 6 * MOST_BYTES
"""The maximum size of a message of SNS in bytes: its text of 256 KB may be escaped character by character."""
_CHALLENGE = {"WWW-Authenticate": "Bearer"}

Endpoint = Callable[[Request], Awaitable[Response]]


def one_shot_app(
    client: SchedulerClient,
    *,
    secret: str | None = None,
    target: Target | None = None,
    horizon: timedelta = words.HORIZON,
    keep: timedelta = _WEEK,
    topics: Collection[str] = (),
    fetch: Fetch = fetch,
) -> Starlette:
    """Makes the application: ``/schedule``, ``/cancel``, ``/events``, ``/tasks``, ``/openapi.json``,
    ``/healthz``, and ``/`` for notifications of SNS.

    It neither starts nor stops the backend. Several applications, in one process or in several, may share a
    file: each cancels and sends the tasks of all.

    Args:
        client: The client whose backend stores and runs the tasks.
        secret: What callers have to give. None: nothing is asked for.
        target: The target that gets each event, ``{"timestamp": ..., "message": ...}``. None: the event is
            sent to the listeners of ``/events``, which get it in the other case too, once the target has
            succeeded.
        horizon: How far ahead a task may be, inclusive.
        keep: How long tasks are kept after their end, so that listeners can resume and late cancellations are
            told apart. The history of the backend must be kept as long.
        topics: The ARNs of the SNS topics whose notifications are accepted. Empty: ``/`` does not exist.
        fetch: Fetches the certificates of SNS, and confirms subscriptions; it is called with a URL, in a
            thread.

    Raises:
        TypeError: ``client`` is no :class:`SchedulerClient`.
        UnsupportedError: The backend cannot run such a task, for example because it runs no functions, or its
            ``handlers_from`` does not allow ``stepsched.http.one_shot``.
        ValueError: An argument is not valid.

    Example:
        >>> import stepsched as ss
        >>> app = one_shot_app(ss.SchedulerClient(), secret="abc123")
    """
    if not isinstance(client, SchedulerClient):
        raise TypeError(
            f"expected a SchedulerClient, got {type(client).__name__}; "
            "use for example SchedulerClient(LocalBackend('jobs.db'))"
        )
    for name, length in (("horizon", step_of(horizon, "horizon")), ("keep", step_of(keep, "keep"))):
        if length < timedelta(0):
            raise ValueError(f"expected {name} of at least 0, got {length}")
    tasks = Tasks(client, DELIVERY if target is None else target)
    service = _Service(client, tasks, Secret(secret), horizon, keep, _checked_topics(topics), fetch)
    app = Starlette(
        routes=service.routes(),
        exception_handlers={
            HTTPException: _without_content,
            BodyError: _refused,
            Refused: _refused,
            Exception: _failed,
        },
    )
    app.router.redirect_slashes = False
    return app


def _checked_topics(topics: Collection[str]) -> frozenset[str]:
    if isinstance(topics, str) or not all(
        isinstance(each, str) and _TOPIC.fullmatch(each) for each in topics
    ):
        raise ValueError(f"expected a list of ARNs of topics for topics, got {topics!r}")
    return frozenset(topics)


class _AnyVerb:
    """An endpoint that answers every verb, as the known interface does."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


class _Service:
    """The endpoints of one application. What blocks is done in threads."""

    def __init__(
        self,
        client: SchedulerClient,
        tasks: Tasks,
        secret: Secret,
        horizon: timedelta,
        keep: timedelta,
        topics: frozenset[str],
        fetch: Fetch,
    ) -> None:
        self._backend = client.backend
        self._tasks = tasks
        self._secret = secret
        self._horizon = horizon
        self._keep = keep
        self._has_topics = bool(topics)
        self._description = document(
            has_secret=secret.is_set,
            has_events=client.backend.capabilities.keeps_events,
            has_topics=self._has_topics,
        )
        self._verifier = Verifier(topics, fetch)
        self._sweeper = Sweeper(tasks, keep)

    def routes(self) -> list[Route]:
        """Returns the routes."""
        found = [
            Route(words.SCHEDULE, _AnyVerb(self.schedule)),
            Route(words.CANCEL, _AnyVerb(self.cancel)),
            Route("/events", self.events),
            Route("/tasks", self.tasks),
            Route("/openapi.json", self.openapi),
            Route("/healthz", self.healthz),
        ]
        return [*found, Route("/", self.notify, methods=["POST"])] if self._has_topics else found

    # -- the known interface -------------------------------------------------------------------------------

    async def schedule(self, request: Request) -> Response:
        """Schedules a task."""
        self._refuse_other_site(request)
        body = await _object(request)
        is_trusted = self._trusts(body, request)
        given = read_task(body, is_trusted=is_trusted, now=self._tasks.now(), horizon=self._horizon)
        if isinstance(given, list):
            return _errors(400, *given)
        try:
            key = read_key(request.headers)
            done = await asyncio.to_thread(self._tasks.schedule, given, key)
        except UnsupportedError as error:
            return _errors(400, error.reason)
        except StepschedError:
            _log.exception("a task could not be scheduled")
            return JSONResponse({"msg": words.NOT_SCHEDULED}, 500)
        except ValueError as error:
            return _errors(400, _reason(error))
        return JSONResponse(
            {"msg": {"executionArn": done.arn, "timestamp": done.timestamp}},
            headers={REPLAYED: "true"} if done.is_replay else None,
            background=BackgroundTask(self._sweeper.sweep) if self._sweeper.is_due() else None,
        )

    async def cancel(self, request: Request) -> Response:
        """Cancels a task."""
        self._refuse_other_site(request)
        body = await _object(request)
        arn = read_cancellation(body, is_trusted=self._trusts(body, request))
        if isinstance(arn, list):
            return _errors(400, *arn)
        try:
            await asyncio.to_thread(self._tasks.cancel, arn)
        except StepschedError:
            _log.exception("a task could not be cancelled")
            return JSONResponse({"msg": words.NOT_CANCELLED}, 500)
        return JSONResponse({"msg": texts.cancelled(arn)})

    def _refuse_other_site(self, request: Request) -> None:
        """Refuses what a page of another site has a browser send, unless it has to know the secret."""
        if not self._secret.is_set and is_of_other_site(request):
            raise Refused(403, texts.OTHER_SITE)

    def _trusts(self, body: Mapping[str, JsonValue], request: Request) -> bool:
        if "secret" in body:
            return self._secret.accepts(body["secret"])
        return self._secret.accepts_headers(request.headers)

    # -- reading -------------------------------------------------------------------------------------------

    async def events(self, request: Request) -> Response:
        """Sends the events of tasks as they are delivered."""
        self._refuse_untrusted(request)
        if not self._backend.capabilities.keeps_events:
            return _errors(501, texts.NO_EVENTS)
        try:
            after = _position(request)
        except ValueError as error:
            return _errors(400, str(error))
        return stream(request, EventFeed.of(self._backend), self.message, after=after)

    async def message(self, event: RecordedEvent) -> Mapping[str, str] | None:
        """Returns the message about a recorded event. None: it is not the delivery of a task."""
        if event.kind is not EventKind.SUCCEEDED or not names.has_event(event.job):
            return None
        data = await asyncio.to_thread(self._tasks.event_of, event.job)
        return None if data is None else {"event": "task", "data": data}

    async def tasks(self, request: Request) -> Response:
        """Lists the tasks that wait."""
        self._refuse_untrusted(request)
        limit, after = request.query_params.get("limit", str(PAGE)), request.query_params.get("after")
        if not re.fullmatch(r"[0-9]{1,4}", limit, re.ASCII) or not 1 <= int(limit) <= MOST_TASKS:
            return _errors(400, f"expected a limit of 1 to {MOST_TASKS:,} in the URL")
        if after is not None and not names.is_task_name(after):
            return _errors(400, "expected the value of next of the page before as after in the URL")
        page, following = await asyncio.to_thread(self._tasks.waiting, int(limit), after)
        waiting = [
            {
                "executionArn": task.arn,
                "timestamp": task.timestamp,
                "due": utc_text(task.due),
            }
            for task in page
        ]
        return JSONResponse({"tasks": waiting, "next": following})

    def _refuse_untrusted(self, request: Request) -> None:
        if not self._secret.accepts_headers(request.headers):
            raise Refused(401, words.SECRET_DIFFERS)

    async def openapi(self, _: Request) -> Response:
        """Describes the interface."""
        return JSONResponse(self._description)

    async def healthz(self, _: Request) -> Response:
        """Tells whether tasks are delivered at present."""
        try:
            reason = await asyncio.to_thread(idle_reason, self._backend)
        except StepschedError:
            _log.exception("the backend cannot be read")
            return JSONResponse({"status": "failing", "reason": texts.FAILED}, 503)
        if reason is not None:
            return JSONResponse({"status": "idle", "reason": reason}, 503)
        return JSONResponse({"status": "ok", "reason": None})

    # -- notifications of SNS ------------------------------------------------------------------------------

    async def notify(self, request: Request) -> Response:
        """Takes a message of SNS."""
        body = await _object(request, most=_MOST_OF_SNS)
        if body.get("Type") == "Notification" and not body.get("Message"):
            return JSONResponse({"msg": "Ignored: there is no Message"})
        try:
            return await asyncio.to_thread(self._take, body)
        except UntrustedError as error:
            return _errors(403, str(error))
        except OSError as error:
            _log.warning("a message of SNS could not be verified or confirmed: %s", error)
            return _errors(503, "SNS could not be asked; send the message again")

    def _take(self, body: Mapping[str, JsonValue]) -> Response:
        message = self._verifier.read(body, now=self._tasks.now(), oldest=self._keep)
        if message.type == "SubscriptionConfirmation":
            self._verifier.confirm(message)
            return JSONResponse({"msg": f"Confirmed the subscription to {message.topic}"})
        if message.type != "Notification":
            return JSONResponse({"msg": "Ignored: it is no notification"})
        event = event_in(message.message)
        if not self._secret.accepts(event.pop("secret", None)):
            return JSONResponse({"msg": "Ignored: " + words.SECRET_DIFFERS})
        return self._record(message, event)

    def _record(self, message: SnsMessage, event: Mapping[str, JsonValue]) -> Response:
        """Stores a job that delivers the event at once; the ID of the message makes its name."""
        try:
            summary = message.subject or _words_of(event)
            present = self._tasks.store(
                names.notification_name(message.id),
                event,
                message.at.astimezone(UTC),
                description=" ".join(summary[:512].split()),
            )
        except UnsupportedError as error:
            return _errors(400, error.reason)
        except StepschedError:
            _log.exception("a notification of SNS could not be stored")
            return JSONResponse({"msg": texts.FAILED}, 500)
        except ValueError as error:
            return _errors(400, _reason(error))
        return JSONResponse({"msg": "Accepted" if present is None else "Accepted before"})


def _position(request: Request) -> int | None:
    """Returns the position that a listener has seen last: of the header, which a client sends that connects
    again, otherwise of the URL.

    Raises:
        ValueError: It is none.
    """
    given = request.query_params.get("last_event_id")
    if given and not request.headers.get("last-event-id"):
        if not is_position(given):
            raise ValueError("expected a position, which is a whole number, as last_event_id in the URL")
        return int(given)
    return last_event_id(request)


async def _object(request: Request, *, most: int = MOST_BYTES) -> dict[str, JsonValue]:
    """Returns the body, which is an object; none counts as ``{}``."""
    body = await read_body(request, most=most)
    return parse_object(body) if body.strip() else {}


def _errors(status: int, *problems: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"errors": problems}, status, headers)


def _words_of(event: Mapping[str, JsonValue]) -> str:
    """Returns an event, which has no secret any more, as text."""
    return str(event["rawMessage"]) if event.keys() == {"rawMessage"} else to_json(dict(event))


def _reason(error: ValueError) -> str:
    """Returns what is wrong with a message, without the words of the library that found it."""
    found = getattr(error, "errors", None)
    if callable(found):
        return "; ".join(each["msg"].removeprefix("Value error, ") for each in found())
    return str(error)


async def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, BodyError):
        return _errors(error.status, error.reason, headers=error.headers)
    if not isinstance(error, Refused):
        raise error
    return _errors(error.status, error.problem, headers=_CHALLENGE if error.status == 401 else None)


async def _failed(request: Request, _: Exception) -> Response:
    """Answers what nobody has foreseen. The server logs the error."""
    known = {words.SCHEDULE: words.NOT_SCHEDULED, words.CANCEL: words.NOT_CANCELLED}
    last = f"/{request.url.path.rpartition('/')[2]}"
    return JSONResponse({"msg": known.get(last, texts.FAILED)}, 500)


async def _without_content(_: Request, error: Exception) -> Response:
    """Answers a path that does not exist, or a verb that a path does not have."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    return Response(status_code=status, headers=getattr(error, "headers", None))
