"""Who may ask what: authentication, requests that a browser was led to, and targets that run code here."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

from starlette.requests import Request

from stepsched.core.quoting import closest, quoted
from stepsched.http.access import host_of, is_same_origin, names_of_hosts
from stepsched.http.headers import SAFE_METHODS, bearer_token_in, is_visible
from stepsched.http.jobs.problems import Fault, Refusal, pointer
from stepsched.jobs import Job
from stepsched.jobs.written import Place
from stepsched.targets import HandlerTarget, HttpTarget, SingleTarget, parts_of
from stepsched.webhooks.signing import ENVIRONMENT

Authenticate: TypeAlias = Callable[[Request], object]
"""Returns who asks, or an awaitable of it; None and False refuse the request. ``str()`` of it tells callers
apart, to whom an ``Idempotency-Key`` belongs."""
GUARDED = ("command", "handler", "http", "workflow")
"""The kinds of targets that run code in this process or call the network from here, in their steps too."""
_LOCAL = frozenset(("127.0.0.1", "localhost", "::1"))
_VARIABLE = re.compile(rf"{ENVIRONMENT}[A-Za-z_][A-Za-z0-9_]*")
_NOT_SIMPLE = ("authorization", "idempotency-key", "x-requested-with")
"""Headers with which no page of another site can send a request, unless the server allows it."""


def bearer_token(token: str) -> Authenticate:
    """Returns a function for ``authenticate`` that asks for a header ``Authorization: Bearer <token>``. It
    compares in constant time.

    Args:
        token: The token: visible ASCII characters. Use a random one, such as ``secrets.token_urlsafe()``.

    Raises:
        TypeError: ``token`` is not a string.
        ValueError: ``token`` is empty or has other characters.
    """
    if not isinstance(token, str):
        raise TypeError(f"expected a string for token, got {type(token).__name__}")
    if not is_visible(token):
        raise ValueError("expected a token of visible ASCII characters; use secrets.token_urlsafe()")
    wanted = token.encode()

    def authenticate(request: Request) -> str | None:
        given = bearer_token_in(request.headers) or ""
        return "bearer" if hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted) else None

    return authenticate


# -- requests of browsers ------------------------------------------------------------------------------


def checked_hosts(hosts: Collection[str]) -> frozenset[str]:
    """Returns the names of hosts under which an application without authentication answers.

    Raises:
        TypeError: ``hosts`` is a text.
    """
    if isinstance(hosts, str):
        raise TypeError(f"expected a list of names of hosts, got {quoted(hosts)}; use [{quoted(hosts)}]")
    return names_of_hosts(hosts) | _LOCAL


def check_host(request: Request, hosts: frozenset[str]) -> None:
    """Refuses a request for a name that is not one of this server's: without authentication, a page of
    another site could read answers by giving its own name this server's address (DNS rebinding).

    Raises:
        Refusal: The header ``Host`` has another name.
    """
    if host_of(request) not in hosts:
        given = request.headers.get("host", "")
        detail = f"this server does not answer for the host {quoted(given)}; use jobs_app(hosts=[...])"
        raise Refusal(421, "unknown_host", detail, faults=[Fault("Host", "unknown name of a host")])


def check_origin(request: Request) -> None:
    """Refuses a request to change something that a page of another site sends.

    Raises:
        Refusal: The header ``Origin`` or ``Sec-Fetch-Site`` says so; or the request has neither a JSON body
            nor a header that pages of other sites cannot send.
    """
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    is_foreign = origin is not None and not is_same_origin(origin, request)
    if is_foreign or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        detail = f"a page of another site, {quoted(origin)}, may not change anything here"
        raise Refusal(403, "cross_site", detail, faults=[Fault("Origin", "expected this server's own")])


def check_content_type(request: Request, *, has_body: bool) -> None:
    """Refuses a request to change something whose content is not said to be JSON.

    Raises:
        Refusal: The header ``Content-Type`` has another type, or is missing although there is a body; or
            there is none, and no header that pages of other sites cannot send.
    """
    if request.method in SAFE_METHODS:
        return
    given = request.headers.get("content-type")
    types = ("application/json", "application/merge-patch+json")
    wanted = types if request.method == "PATCH" else types[:1]
    if given is None and not has_body:
        if request.method != "POST" or any(name in request.headers for name in _NOT_SIMPLE):
            return
    elif given is not None and given.partition(";")[0].strip().lower() in wanted:
        return
    detail = f"expected the header Content-Type: {wanted[-1]}, got {quoted(given) if given else 'none'}"
    if request.method == "POST" and not has_body:
        detail += "; without a body, X-Requested-With with any value does as well"
    accept = {"accept-post" if request.method == "POST" else "accept-patch": ", ".join(wanted)}
    raise Refusal(415, "content_type", detail, faults=[Fault("Content-Type", detail)], headers=accept)


# -- targets -------------------------------------------------------------------------------------------


def checked_allowed(allow_targets: Collection[str]) -> frozenset[str]:
    """Returns what is allowed: kinds of :data:`GUARDED`, names of functions, and variables that sign calls.

    Raises:
        TypeError: ``allow_targets`` is a text.
        ValueError: It has something else.
    """
    if isinstance(allow_targets, str):
        raise TypeError(f"expected a list for allow_targets, got str; use [{quoted(allow_targets)}]")
    for each in allow_targets:
        if each not in GUARDED and _VARIABLE.fullmatch(each) is None:
            try:
                HandlerTarget(each)
            except ValueError as error:
                cure = closest(each, GUARDED)
                words = "expected kinds of targets or names of functions for allow_targets"
                raise ValueError(
                    f"{words}, got {quoted(each)}; {cure}, or 'package.module:function'"
                ) from error
    return frozenset(allow_targets)


def check_targets(job: Job, allowed: frozenset[str], place: Place = ()) -> None:
    """Refuses a job with a target that runs code here, or that has calls signed with a variable of this
    process, unless that is allowed.

    Raises:
        Refusal: A target of the job is not allowed.
    """
    refused = [part for part in parts_of(job.target) if _is_refused(part, allowed)]
    secrets = sorted(
        {each for part in parts_of(job.target) for each in _secrets(part) if each not in allowed}
    )
    if refused:
        kinds = sorted({part.kind for part in refused})
        lacking = sorted({_name_of(part) for part in refused})
        detail = (
            f"targets of kind {' and '.join(kinds)} are not allowed in job {quoted(job.name)}: they run code "
            "or make calls on the server"
        )
    elif secrets:
        lacking = secrets
        detail = f"calls of job {quoted(job.name)} may not be signed with {' and '.join(secrets)}"
    else:
        return
    detail += (
        f"; its owner allows them by allow_targets=[{', '.join(map(quoted, lacking))}], or by --allow-target "
        "of `stepsched serve`"
    )
    raise Refusal(403, "target_not_allowed", detail, faults=[Fault(pointer((*place, "target")), detail)])


def _is_refused(part: SingleTarget, allowed: frozenset[str]) -> bool:
    is_named = isinstance(part, HandlerTarget) and part.handler in allowed
    return part.kind in GUARDED and part.kind not in allowed and not is_named


def _name_of(part: SingleTarget) -> str:
    """Returns what allows a target, and as little else as possible: the name of a function, or the kind."""
    return part.handler if isinstance(part, HandlerTarget) else part.kind


def _secrets(part: SingleTarget) -> Iterable[str]:
    """Returns the secrets of the server with which a target signs. Whoever has a URL called that is his own
    could have anything signed there, and use the signature elsewhere."""
    secrets = part.signing_secret or () if isinstance(part, HttpTarget) else ()
    return (each for each in secrets if each.startswith(ENVIRONMENT))
