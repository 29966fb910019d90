"""The ASGI application of jobs."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from inspect import isawaitable
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stepsched.client import SchedulerClient
from stepsched.core.errors import StepschedError
from stepsched.core.quoting import quoted
from stepsched.http.bodies import BodyError, parse_object, read_body
from stepsched.http.events import EventFeed, last_event_id, stream
from stepsched.http.headers import SAFE_METHODS, is_key
from stepsched.http.jobs.calls import Answer, Call
from stepsched.http.jobs.documents import Health
from stepsched.http.jobs.guards import (
    Authenticate,
    check_content_type,
    check_host,
    check_origin,
    checked_allowed,
    checked_hosts,
)
from stepsched.http.jobs.idempotency import (
    LEASE,
    Answers,
    Claim,
    digest_of,
    place_of_answers,
    stored_key,
)
from stepsched.http.jobs.problems import (
    Fault,
    Refusal,
    internal_error,
    invalid_parameter,
    refusal_of,
)
from stepsched.http.jobs.responses import (
    JSON,
    PRIVATE,
    answer_to_repeated,
    kept,
    log_failure,
    refusal_of_body,
    refused,
    response,
)
from stepsched.http.jobs.routes import RESOURCES, Operation
from stepsched.jobs.events import RecordedEvent

_MOST_BYTES = 524_288
"""The maximum size of a body in bytes: an input may have 256 KiB."""
_MOST_BYTES_OF_JOBS = 4_194_304
"""The maximum size of a body with many jobs in bytes."""
Handler = Callable[[Request], Awaitable[Response]]


def jobs_app(
    client: SchedulerClient,
    *,
    authenticate: Authenticate | None,
    allow_targets: Collection[str] = (),
    answers: str | Path | None = None,
    hosts: Collection[str] = (),
) -> Starlette:
    """Makes the ASGI application that offers all verbs of a client over HTTP: see docs/http-jobs.md. It can
    be mounted in another application. It neither starts nor stops the backend.

    Args:
        client: The client.
        authenticate: Returns who asks, from the request; None or False is answered with 401. It may be a
            coroutine function. ``str()`` of the result tells callers apart. None: everyone may do everything,
            if the request is for a host of this machine or of ``hosts``.
        allow_targets: The kinds of targets that run code in this process (``"command"``, ``"handler"``,
            ``"workflow"``) or call the network from it (``"http"``) and that jobs may have all the same; the
            names of functions, such as ``"package.module:function"``; or variables with whose secrets calls
            may be signed, such as ``"env:HOOK_SECRET"``.
        answers: The SQLite file that keeps the answers to requests with an ``Idempotency-Key``. None: a file
            beside that of an embedded backend, with ``-answers`` after its name; in memory, if it has none.
        hosts: The names of hosts for which the application answers without authentication, beside
            ``localhost``, ``127.0.0.1`` and ``::1``.

    Raises:
        TypeError: ``client`` is no :class:`SchedulerClient`, or ``authenticate`` is not callable.
        ValueError: ``allow_targets`` has something else, or ``answers`` is the file of the backend.
    """
    if not isinstance(client, SchedulerClient):
        raise TypeError(
            f"expected a SchedulerClient, got {type(client).__name__}; "
            "use for example SchedulerClient(LocalBackend('jobs.db'))"
        )
    if authenticate is not None and not callable(authenticate):
        raise TypeError(
            f"expected a function or None for authenticate, got {type(authenticate).__name__}; "
            "use bearer_token('...')"
        )
    api = _Api(
        client,
        authenticate,
        checked_allowed(allow_targets),
        Answers(place_of_answers(answers, client.backend), client.backend),
        checked_hosts(hosts),
    )
    routes = [
        Route(path, api.guarded(functools.partial(api.perform, operations)), methods=list(operations))
        for path, operations in RESOURCES.items()
    ]
    routes += [
        Route("/events", api.guarded(api.events), methods=["GET"]),
        Route("/openapi.json", _openapi, methods=["GET"]),
        Route("/healthz", _healthz, methods=["GET"]),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(_EncodedPaths)],
        exception_handlers={HTTPException: _of_routing},  # type: ignore[dict-item]  # Starlette's wider type
    )
    app.router.redirect_slashes = False
    return app


class _EncodedPaths:
    """Routes by the percent-encoded path, so that the name of a job may have a slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            root = scope.get("root_path", "")
            raw: bytes | None = scope.get("raw_path")
            if raw:
                segments = raw.decode("latin-1").split("/")[root.count("/") + 1 :]
            else:  # the server keeps only the decoded path
                segments = [quote(part, safe="") for part in scope["path"].removeprefix(root).split("/")[1:]]
            scope = {**scope, "path": "/".join([root, *segments])}
        await self._app(scope, receive, send)


class _Api:
    """What the requests to one application share."""

    def __init__(
        self,
        client: SchedulerClient,
        authenticate: Authenticate | None,
        allowed: frozenset[str],
        answers: Answers,
        hosts: frozenset[str],
    ) -> None:
        self._client = client
        self._authenticate = authenticate
        self._allowed = allowed
        self._answers = answers
        self._hosts = hosts

    def guarded(self, handle: Callable[[Request, object], Awaitable[Response]]) -> Handler:
        """Returns the endpoint of a resource: it answers whatever is raised, and only who may ask."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handle(request, await self._principal(request))
            except Refusal as refusal:
                return refused(refusal)
            except BodyError as error:
                return refused(refusal_of_body(error))
            except StepschedError as error:
                found = refusal_of(error)
                if found.status == 500:
                    log_failure(request, error)
                return refused(found)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets no details
                log_failure(request, error)
                return refused(internal_error())

        return endpoint

    async def _principal(self, request: Request) -> object:
        """Returns who asks.

        Raises:
            Refusal: The caller may not ask, or was led to ask by a page of another site.
        """
        authenticate = self._authenticate
        principal: object = "anyone"
        if authenticate is None:
            check_host(request, self._hosts)
        else:
            principal = await anyio.to_thread.run_sync(authenticate, request)
            if isawaitable(principal):
                principal = await principal
            if principal is None or principal is False:
                headers = {"www-authenticate": "Bearer"}
                raise Refusal(401, "unauthenticated", "expected valid credentials", headers=headers)
        check_origin(request)
        return principal

    async def perform(
        self, operations: Mapping[str, Operation], request: Request, principal: object
    ) -> Response:
        """Answers a request to a resource."""
        method = "GET" if request.method == "HEAD" else request.method
        operation = operations[method]
        content = await _content(request, operation)
        key = request.headers.get("idempotency-key")
        if key is None or method in SAFE_METHODS:
            return await anyio.to_thread.run_sync(self._read_and_act, operation, method, request, content)
        return await self._perform_once(operation, request, content, _checked_key(principal, key))

    def _read_and_act(self, operation: Operation, method: str, request: Request, content: bytes) -> Response:
        """Performs a request. The body is read here, in a thread, since it may be large."""
        return response(kept(operation.handle(self._call(method, request, content, None))))

    def _call(self, method: str, request: Request, content: bytes, claim: Claim | None) -> Call:
        return Call(
            client=self._client,
            method=method,
            allowed=self._allowed,
            root=quote(request.scope.get("root_path", "")),
            path=_path(request),
            query=_query(request),
            headers=request.headers,
            body=parse_object(content) if content else {},
            now=self._client.backend.now() if claim is None else claim.claimed_at,
            is_repeated=claim is not None and claim.is_repeated,
        )

    async def _perform_once(
        self, operation: Operation, request: Request, content: bytes, key: bytes
    ) -> Response:
        """Answers a request with an ``Idempotency-Key``: of several with the same key, one acts."""
        digest = digest_of(request.method, request.scope["path"], request.url.query, content)
        claim = await anyio.to_thread.run_sync(self._answers.claim, key, digest)
        if not isinstance(claim, Claim):
            return answer_to_repeated(claim)
        renewing = asyncio.ensure_future(self._renew(claim))
        try:
            return await anyio.to_thread.run_sync(self._act, operation, request, content, claim)
        finally:
            renewing.cancel()

    def _act(self, operation: Operation, request: Request, content: bytes, claim: Claim) -> Response:
        """Performs a request whose key is claimed, and keeps its answer. Of a refusal, which has changed
        nothing, the key is free again."""
        try:
            answer = kept(operation.handle(self._call(request.method, request, content, claim)))
        except BaseException:
            self._answers.release(claim)
            raise
        self._answers.keep(claim, answer)
        return response(answer)

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            with suppress(StepschedError):  # the next time may succeed
                await anyio.to_thread.run_sync(self._answers.renew, claim)

    async def events(self, request: Request, _: object) -> Response:
        """Sends recorded events as they come."""
        for name, _value in _query(request):
            raise invalid_parameter(name, "unknown parameter; the parameters are: none")
        try:
            after = last_event_id(request)
        except ValueError as error:
            faults = [Fault("Last-Event-ID", str(error))]
            raise Refusal(400, "invalid_header", str(error), faults=faults) from error
        backend = self._client.backend
        await anyio.to_thread.run_sync(backend.last_event)  # refuses a backend that keeps no events
        return stream(request, EventFeed.of(backend), _message, after=after)


# -- requests ------------------------------------------------------------------------------------------


async def _content(request: Request, operation: Operation) -> bytes:
    """Returns the body of a request.

    Raises:
        BodyError: It is too large or too slow.
        Refusal: It is not wanted, or not said to be JSON.
    """
    most = _MOST_BYTES_OF_JOBS if operation.is_large else _MOST_BYTES
    content = await read_body(request, most=most)
    check_content_type(request, has_body=bool(content))
    if content and not operation.takes:
        reason = "expected no body"
        raise Refusal(400, "unexpected_body", reason, faults=[Fault("", reason)])
    return content


def _path(request: Request) -> dict[str, str]:
    try:
        return {name: unquote(text, errors="strict") for name, text in request.path_params.items()}
    except UnicodeDecodeError as error:
        raise Refusal(404, "no_such_resource", "expected a path in percent-encoded UTF-8") from error


def _query(request: Request) -> tuple[tuple[str, str], ...]:
    try:
        text = request.scope.get("query_string", b"").decode("ascii")
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError as error:  # not of UTF-8, or too many
        reason = "expected at most 100 parameters in percent-encoded UTF-8"
        raise Refusal(400, "invalid_parameter", reason) from error


def _checked_key(principal: object, key: str) -> bytes:
    if not is_key(key):
        reason = "expected 1 to 255 visible ASCII characters"
        raise Refusal(400, "invalid_header", reason, faults=[Fault("Idempotency-Key", reason)])
    return stored_key(principal, key)


# -- resources of the application itself -------------------------------------------------------------


async def _of_routing(request: Request, error: HTTPException) -> Response:
    """Answers what the router refuses: an unknown path or method."""
    allowed = (error.headers or {}).get("Allow")
    if allowed is None:
        return refused(Refusal(404, "no_such_resource", "there is no such resource; /openapi.json lists all"))
    detail = f"expected one of the methods {allowed}, got {quoted(request.method)}"
    return refused(Refusal(405, "method_not_allowed", detail, headers={"allow": allowed}))


async def _openapi(request: Request) -> Response:
    from stepsched.http.jobs.openapi import document

    content = await anyio.to_thread.run_sync(document, quote(request.scope.get("root_path", "")))
    return Response(content, headers=PRIVATE, media_type=JSON)


async def _healthz(_: Request) -> Response:
    return response(kept(Answer(200, Health(status="ok"))))


def _message(event: RecordedEvent) -> dict[str, str]:
    data = {
        "kind": event.kind.value,
        "at": event.at.isoformat(),
        "job": event.job,
        "run": None if event.run is None else str(event.run),
    }
    return {"id": str(event.id), "event": event.kind.value, "data": json.dumps(data, ensure_ascii=False)}
