"""Makes the responses of answers and refusals, and logs failures without what was sent."""

from __future__ import annotations

import json
import logging
import traceback

from starlette.requests import Request
from starlette.responses import Response

from stepsched.http.bodies import BodyError
from stepsched.http.headers import REPLAYED
from stepsched.http.jobs.calls import Answer
from stepsched.http.jobs.idempotency import Full, InProgress, KeptAnswer, Mismatch
from stepsched.http.jobs.problems import MEDIA_TYPE, RETRY_AFTER, Fault, Refusal

JSON = "application/json"
PRIVATE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""The headers of every answer: no cache keeps it, and no browser takes it for something else."""
_log = logging.getLogger("stepsched.http")


def kept(answer: Answer) -> KeptAnswer:
    """Returns an answer as it is sent."""
    return KeptAnswer(answer.status, {**answer.headers}, answer.content())


def response(answer: KeptAnswer, **more: str) -> Response:
    """Returns the response of an answer, with more headers."""
    headers = {**PRIVATE, **answer.headers, **more}
    return Response(answer.body, answer.status, headers, media_type=JSON)


def answer_to_repeated(found: KeptAnswer | InProgress | Mismatch | Full) -> Response:
    """Returns the response to a request whose key another one has.

    Raises:
        Refusal: That one is not answered yet, or another request; or no more keys can be kept.
    """
    match found:
        case KeptAnswer():
            return response(found, **{REPLAYED: "true"})
        case InProgress(seconds=seconds):
            detail = "a request with this Idempotency-Key is in progress; send it again later"
            raise Refusal(409, "key_in_progress", detail, headers={"retry-after": str(max(1, seconds))})
        case Mismatch():
            detail = "another request had this Idempotency-Key; use a new key for a new request"
            faults = [Fault("Idempotency-Key", "it belongs to another request")]
            raise Refusal(422, "key_reused", detail, faults=faults)
        case _:
            detail = "no more keys can be kept at present; leave Idempotency-Key out, or try again later"
            raise Refusal(503, "too_many_keys", detail, headers={"retry-after": str(RETRY_AFTER)})


def refused(refusal: Refusal) -> Response:
    """Returns the response of a refusal."""
    content = json.dumps(refusal.document(), ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(content, refusal.status, {**PRIVATE, **refusal.headers}, media_type=MEDIA_TYPE)


def refusal_of_body(error: BodyError) -> Refusal:
    """Returns the refusal of a body that is not read."""
    code = {408: "body_too_slow", 413: "body_too_large"}.get(error.status, "malformed_body")
    faults = [Fault("", error.reason)]
    return Refusal(error.status, code, error.reason, faults=faults, headers=error.headers)


def log_failure(request: Request, error: Exception) -> None:
    """Logs where an unexpected error was raised. Its text is left out: it may quote what was sent."""
    found: BaseException | None = error
    parts = list[str]()
    while found is not None:
        parts += [*traceback.format_tb(found.__traceback__), f"{type(found).__name__}\n"]
        found = found.__cause__ or found.__context__
    _log.error("%s %s failed:\n%s", request.method, request.scope["route"].path, "".join(parts).rstrip())
