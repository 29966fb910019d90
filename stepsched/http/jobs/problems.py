"""Refusals as problem details (RFC 9457): one table gives every error its status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from itertools import islice
from math import ceil
from typing import NamedTuple

from stepsched.core import errors
from stepsched.core.masking import text_without_secrets
from stepsched.core.quoting import shortened
from stepsched.jobs.written import Place

MEDIA_TYPE = "application/problem+json"
URN = "urn:stepsched:problem:"
"""The beginning of the ``type`` of a problem; its code follows."""
RETRY_AFTER = 5
"""The seconds after which to try again, if the backend does not say."""
MOST_FAULTS = 100
"""The maximum number of faults of a body that an answer lists."""
_LONGEST = 2_000
"""The maximum number of characters of a sentence in an answer."""


class Fault(NamedTuple):
    """One thing that is wrong with a request."""

    place: str
    """Where it stands: a JSON pointer into the body (RFC 6901), ``?name`` for a parameter, or the name of a
    header."""
    reason: str


class Refusal(Exception):  # noqa: N818 -- it is an answer, and never leaves this package
    """Ends a request with a problem."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def document(self) -> dict[str, object]:
        """Returns the problem details, without secrets."""
        document: dict[str, object] = {
            "type": URN + self.code.lower(),
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": _sentence(self.detail),
            "code": self.code,
            **self.more,
        }
        if self.faults:
            document["errors"] = [
                {"place": shortened(place, 300), "reason": _sentence(reason)} for place, reason in self.faults
            ]
        return document


def _sentence(text: str) -> str:
    return shortened(text_without_secrets(text), _LONGEST)


class Kind(NamedTuple):
    """How a class of errors is answered."""

    status: int
    code: str
    """The code of the problem. Empty: that of the error, as the backend gave it."""


KINDS: Mapping[type[errors.StepschedError], Kind] = {
    errors.StepschedError: Kind(500, "internal_error"),
    errors.InvalidScheduleError: Kind(422, "invalid_schedule"),
    errors.RenderError: Kind(422, "cannot_render"),
    errors.DefinitionError: Kind(422, "invalid_definition"),
    errors.UnsupportedError: Kind(501, "unsupported"),
    errors.JobNotFoundError: Kind(404, "job_not_found"),
    errors.JobExistsError: Kind(409, "job_exists"),
    errors.RunNotFoundError: Kind(404, "run_not_found"),
    errors.WaitTimeoutError: Kind(504, "wait_timeout"),
    errors.WorkflowNotFoundError: Kind(404, "workflow_not_found"),
    errors.InvalidTransitionError: Kind(409, "invalid_transition"),
    errors.ConflictError: Kind(409, "conflict"),
    errors.JobFileError: Kind(422, "invalid_file"),
    errors.BulkError: Kind(409, "partly_failed"),
    errors.HandlerError: Kind(500, "handler_failed"),
    errors.WebhookError: Kind(400, "invalid_webhook"),
    errors.BackendError: Kind(500, ""),
    errors.AccessDeniedError: Kind(500, ""),
    errors.ThrottledError: Kind(503, ""),
    errors.BackendUnavailableError: Kind(503, ""),
}
"""The answers to the classes of errors. A class is listed itself: a new one is not answered by accident."""


def refusal_of(error: errors.StepschedError) -> Refusal:
    """Returns the answer to an error."""
    kind = next(KINDS[each] for each in type(error).__mro__ if each in KINDS)
    match error:
        case errors.UnsupportedError():
            return Refusal(*kind, str(error), more={"instead": list(error.alternatives)})
        case errors.InvalidScheduleError():
            return Refusal(*kind, str(error), faults=[Fault("/schedule", f"{error.field}: {error.reason}")])
        case errors.BulkError():
            return _of_bulk(error)
        case errors.BackendError():
            return _of_backend(error, kind)
        case _ if kind.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return internal_error()
        case _:
            return Refusal(*kind, str(error))


def _of_backend(error: errors.BackendError, kind: Kind) -> Refusal:
    """Returns the answer to an error of the store. What the service said is left out: it may name files,
    accounts and roles."""
    if error.code == errors.ErrorCode.AMBIGUOUS:
        return Refusal(409, error.code, error.detail or "several groups have a job of this name; use ?group=")
    detail = f"{error.service} {error.operation} failed with {error.code}"
    if not error.retryable and kind.status != HTTPStatus.SERVICE_UNAVAILABLE:
        return Refusal(kind.status, error.code, detail)
    wait = getattr(error, "retry_after", None)
    seconds = RETRY_AFTER if wait is None else max(1, ceil(wait.total_seconds()))
    again = f"{detail}; the same request may succeed later"
    return Refusal(503, error.code, again, headers={"retry-after": str(seconds)})


def _of_bulk(error: errors.BulkError) -> Refusal:
    """Returns the answer to a call of which a part failed: the gravest status of its failures."""
    found = {name: refusal_of(each) for name, each in error.failures.items()}
    status = max((each.status for each in found.values()), default=409)
    detail = f"{len(found)} of {len(found) + error.done} failed; the others are done"
    faults = [Fault(name, each.detail) for name, each in found.items()]
    headers = {"retry-after": str(RETRY_AFTER)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Refusal(status, "partly_failed", detail, faults=faults, headers=headers, more={"done": error.done})


def internal_error() -> Refusal:
    """Returns the answer to what nobody expected: it says nothing of the cause."""
    return Refusal(500, "internal_error", "the server failed; its log has the cause")


def invalid(detail: str, *faults: Fault, code: str = "invalid_job") -> Refusal:
    """Returns the refusal of a body whose content is not valid."""
    return Refusal(422, code, detail, faults=islice(faults, MOST_FAULTS))


def invalid_parameter(name: str, reason: str) -> Refusal:
    """Returns the refusal of a parameter of the query."""
    return Refusal(400, "invalid_parameter", f"{name}: {reason}", faults=[Fault(f"?{name}", reason)])


def pointer(place: Place) -> str:
    """Returns a place in a body as a JSON pointer (RFC 6901).

    >>> pointer(("jobs", 0, "a/b"))
    '/jobs/0/a~1b'
    """
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)
