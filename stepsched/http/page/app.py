"""The routes of the page: reading works without a script, and every button is part of a form."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from stepsched.client import SchedulerClient
from stepsched.core.errors import (
    InvalidTransitionError,
    JobNotFoundError,
    StepschedError,
    UnsupportedError,
)
from stepsched.core.masking import text_without_secrets
from stepsched.http.access import Access
from stepsched.http.bodies import BodyError, read_body
from stepsched.http.events import EventFeed, last_event_id, stream
from stepsched.http.page import detail, overview
from stepsched.http.page.markup import Child, Markup, element
from stepsched.http.page.parts import VERBS, job_address
from stepsched.jobs.events import RecordedEvent

_ASSETS = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""The files that the page loads, with their types."""
_MOST_BYTES = 8_192
"""The maximum size of a form in bytes."""
_DONE = {"pause": "is paused", "resume": "is active", "run": "runs now", "cancel": "is cancelled"}
"""What is said after a button, behind the name of the job."""


def page_routes(client: SchedulerClient, access: Access, *, title: str = "") -> list[Route]:
    """Returns the routes of the page.

    Args:
        client: The client.
        access: Decides who may use them; its tokens protect the forms.
        title: What is served, such as the name of a file.
    """
    page = _Page(client, access, title)
    return [
        Route("/", page.overview, methods=["GET"]),
        Route("/page/job", page.job, methods=["GET"]),
        Route("/page/do", page.act, methods=["POST"]),
        Route("/page/changes", page.changes, methods=["GET"]),
        Route("/page/login", page.ask_token, methods=["GET"]),
        Route("/page/login", page.log_in, methods=["POST"]),
        Route("/page/logout", page.log_out, methods=["POST"]),
        *(Route(f"/page/{name}", _asset_of(name), methods=["GET"]) for name in _ASSETS),
    ]


class _Page:
    def __init__(self, client: SchedulerClient, access: Access, title: str) -> None:
        self._client = client
        self._access = access
        self._title = title
        self._reader = overview.Reader(client)

    async def overview(self, request: Request) -> Response:
        choice = overview.Choice.of(request.url.query)
        root = _root(request)

        def read() -> Markup:
            return overview.content(self._reader.read(choice), root)

        return await self._answer(request, "", read, back=choice.query())

    async def job(self, request: Request) -> Response:
        name, group, root = (
            request.query_params.get("name", ""),
            request.query_params.get("group"),
            _root(request),
        )

        def read() -> Markup:
            return detail.content(detail.read_detail(self._client, name, group), root)

        return await self._answer(request, name, read, back="job")

    async def changes(self, request: Request) -> Response:
        if not self._client.backend.capabilities.keeps_events:
            return Response(status_code=204)  # a browser does not ask again
        try:
            after = last_event_id(request)
        except ValueError as error:
            return Response(str(error), 400, media_type="text/plain")
        return stream(request, EventFeed.of(self._client.backend), _change, after=after)

    async def act(self, request: Request) -> Response:
        form = await _form(request)
        if isinstance(form, Response):
            return form
        if not self._access.is_own_form(request, form.get("csrf", "")):
            return self._refusal(request, 403, "This page is out of date. Go back, reload it and try again.")
        verb = next((each for each in VERBS if each in form), "")
        group, _, name = form.get(verb, "").partition("/")
        try:
            await run_in_threadpool(self._perform, verb, name, group)
        except StepschedError as error:
            return self._refusal(request, _status_of(error), str(error))
        return RedirectResponse(_after(_root(request), form.get("back", ""), verb, name, group), 303)

    def _perform(self, verb: str, name: str, group: str) -> None:
        verbs: dict[str, Callable[..., object]] = {
            "pause": self._client.pause,
            "resume": self._client.resume,
            "run": self._client.run_now,
            "cancel": self._client.cancel,
        }
        if verb not in verbs:
            raise JobNotFoundError(name)
        verbs[verb](name, group=group)

    # -- token -----------------------------------------------------------------------------------------

    async def ask_token(self, request: Request) -> Response:
        return self._login_page(request, 200, "")

    async def log_in(self, request: Request) -> Response:
        form = await _form(request)
        if isinstance(form, Response):
            return form
        if not self._access.is_token(form.get("token", "")):
            return self._login_page(request, 403, "This is not the token.")
        answer = RedirectResponse(f"{_root(request)}/", 303)
        self._access.begin_session(request, answer)
        return answer

    async def log_out(self, request: Request) -> Response:
        form = await _form(request)
        if isinstance(form, Response):
            return form
        answer = RedirectResponse(f"{_root(request)}/page/login", 303)
        if self._access.is_own_form(request, form.get("csrf", "")):
            self._access.end_session(answer)
        return answer

    def _login_page(self, request: Request, code: int, problem: str) -> Response:
        field = element(
            "input", type="password", name="token", id="token", required=True, autocomplete="current-password"
        )
        form = element(
            "form",
            # Managers of passwords keep the token under this name.
            element("input", name="username", value="stepsched", autocomplete="username", hidden=True),
            element("label", "Token", field, for_="token"),
            element("button", "Open", type="submit"),
            method="post",
            action=f"{_root(request)}/page/login",
            class_="login",
        )
        told = element("p", problem, class_="warning", role="alert", id="problem") if problem else None
        main = element("main", element("h2", "Who is there?"), told, form, id="main")
        return self._document(request, "Token", main, code=code)

    # -- documents -------------------------------------------------------------------------------------

    async def _answer(
        self, request: Request, title: str, read: Callable[[], Markup], *, back: str
    ) -> Response:
        try:
            main = await run_in_threadpool(read)
        except StepschedError as error:
            return self._refusal(request, _status_of(error), str(error))
        forms = self._forms(request, back)
        return self._document(request, title, main, forms, notice=_notice(request))

    def _forms(self, request: Request, back: str) -> Markup:
        """Returns the form to which all buttons belong."""
        return element(
            "form",
            _hidden("csrf", self._access.form_token(request)),
            _hidden("back", back),
            id="actions",
            method="post",
            action=f"{_root(request)}/page/do",
        )

    def _refusal(self, request: Request, code: int, problem: str) -> Response:
        told = element("p", text_without_secrets(problem), class_="warning", role="alert", id="problem")
        back = element("p", element("a", "All jobs", href=f"{_root(request)}/"))
        return self._document(request, "Not done", element("main", told, back, id="main"), code=code)

    def _document(
        self, request: Request, title: str, main: Markup, *more: Child, code: int = 200, notice: str = ""
    ) -> Response:
        root = _root(request)
        is_live = bool(more)
        words = " · ".join(filter(None, (title, self._title, "stepsched")))
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", words),
            element("link", rel="icon", href=f"{root}/page/icon.svg"),
            element("link", rel="stylesheet", href=f"{root}/page/page.css"),
            element("script", src=f"{root}/page/page.js", defer=True) if is_live else None,
        )
        body = element(
            "body",
            element("a", "Skip to the content", href="#main", class_="skip"),
            self._header(request, is_live=is_live),
            element("p", notice, id="notice", role="status"),
            main,
            more,
            data_changes=f"{root}/page/changes" if is_live else None,
        )
        text = f"<!doctype html>\n{element('html', head, body, lang='en')}\n"
        return Response(text, code, {"Cache-Control": "no-store"}, "text/html")

    def _header(self, request: Request, *, is_live: bool) -> Markup:
        root = _root(request)
        name = element("span", self._title, class_="quiet") if self._title else None
        live = element("span", "Reload to see changes", id="live", class_="quiet")
        leave = element(
            "form",
            _hidden("csrf", self._access.form_token(request)),
            element("button", "Leave", type="submit"),
            method="post",
            action=f"{root}/page/logout",
        )
        return element(
            "header",
            element("h1", element("a", "stepsched", href=f"{root}/")),
            name,
            live if is_live else None,
            leave if is_live and self._access.has_session(request) else None,
        )


def _hidden(name: str, value: str) -> Markup:
    return element("input", type="hidden", name=name, value=value)


def _root(request: Request) -> str:
    """Returns the path under which the application is mounted."""
    return str(request.scope.get("root_path", "")).rstrip("/")


async def _form(request: Request) -> dict[str, str] | Response:
    """Returns the fields of a form, or the answer to a body that is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return Response("expected a form", 415, media_type="text/plain")
    try:
        body = await read_body(request, most=_MOST_BYTES)
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except BodyError as error:
        return Response(error.reason, error.status, media_type="text/plain")
    except ValueError:
        return Response("expected a form", 400, media_type="text/plain")


def _after(root: str, back: str, verb: str, name: str, group: str) -> str:
    """Returns the address to which a browser goes after a button: only ever one of this page."""
    done = urlencode({"done": verb, "job": name})
    if back == "job" and verb != "cancel":
        return f"{job_address(name, group, root)}&{done}"
    query = overview.Choice.of(back.removeprefix("?")).query()
    return f"{root}/{query}{'' if query == '?' else '&'}{done}"


def _notice(request: Request) -> str:
    """Returns what is said after a button."""
    words = _DONE.get(request.query_params.get("done", ""))
    name = request.query_params.get("job", "") or request.query_params.get("name", "")
    return "" if words is None else f"{name[:256]} {words}."


def _status_of(error: StepschedError) -> int:
    match error:
        case JobNotFoundError():
            return 404
        case InvalidTransitionError() | UnsupportedError():
            return 409
        case _:
            return 503


def _change(event: RecordedEvent) -> dict[str, str]:
    return {"event": "change", "data": json.dumps({"kind": event.kind.value, "job": event.job})}


def _asset_of(name: str) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        del request
        return Response(_read(name), media_type=_ASSETS[name], headers={"Cache-Control": "no-cache"})

    return answer


@cache
def _read(name: str) -> bytes:
    return (files("stepsched.http.page") / "assets" / name).read_bytes()


PUBLIC: Sequence[str] = ("/page/login", *(f"/page/{name}" for name in _ASSETS))
"""The paths that nobody needs a token for."""
