"""Translates the SDK's errors by one table (P-20), so that no error of botocore leaves the package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from stepsched.core.errors import (
    AccessDeniedError,
    BackendError,
    BackendUnavailableError,
    ErrorCode,
    InvalidScheduleError,
    ThrottledError,
)

_DENIED = """
    AccessDenied AccessDeniedException AuthFailure ExpiredToken ExpiredTokenException IncompleteSignature
    InvalidClientTokenId InvalidSignatureException KMSAccessDeniedException MissingAuthenticationToken
    NotAuthorized OptInRequired RequestExpired SignatureDoesNotMatch UnauthorizedOperation
    UnrecognizedClientException
"""
_THROTTLED = """
    ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled
    RequestThrottledException SlowDown Throttling ThrottledException ThrottlingException
    TooManyRequestsException
"""
_UNAVAILABLE = "InternalError InternalFailure InternalServerException ServiceUnavailable"
_CLASSES: dict[str, type[BackendError]] = {
    **dict.fromkeys(_DENIED.split(), AccessDeniedError),
    **dict.fromkeys(_THROTTLED.split(), ThrottledError),
    **dict.fromkeys(_UNAVAILABLE.split(), BackendUnavailableError),
}
_TRANSIENT_CODES = ("ConcurrentModification",)
"""Error codes after which the same call may succeed later, although the service is available."""
_UNREACHABLE = {"ConnectionError", "HTTPClientError", "MetadataRetrievalError", "ResponseParserError"}
"""Exception classes of the SDK, including subclasses: there was no response, or an unreadable one."""
_NO_ACCESS = {
    *("CredentialRetrievalError", "NoAuthTokenError", "NoCredentialsError", "PartialCredentialsError"),
    *("RefreshWithMFAUnsupportedError", "SSOError", "TokenRetrievalError"),
}
_CURES = {
    "NoCredentialsError": "set AWS_PROFILE or credentials, or pass session=boto3.Session(...)",
    "NoRegionError": "set AWS_DEFAULT_REGION, or pass session=boto3.Session(region_name=...)",
    "ProfileNotFound": "correct AWS_PROFILE or ~/.aws/config",
}


class Closed:
    """Replaces a closed boto3 client: every call is refused."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):  # only Python itself uses these
            raise AttributeError(method)
        raise closed(self._service, camel_case(method))

    def close(self) -> None:
        """Does nothing, since the client is closed."""


def closed(service: str, operation: str) -> BackendError:
    """Returns the error of a closed backend."""
    return BackendError(
        service, operation, ErrorCode.CLOSED, detail="the backend has been closed; create a new one"
    )


_URL = re.compile(r"https?://[^\s/?#]+/?", re.ASCII)


def check_place(session: Any, endpoint_url: Any) -> None:
    """Validates a session and an endpoint URL.

    Raises:
        TypeError: ``session`` is not a ``boto3.Session``.
        ValueError: ``endpoint_url`` is malformed.
    """
    if session is not None and not callable(getattr(session, "client", None)):
        raise TypeError(f"expected a boto3.Session for session, got {session!r}")
    if endpoint_url is not None and not (isinstance(endpoint_url, str) and _URL.fullmatch(endpoint_url)):
        raise ValueError(f"expected the form 'http://127.0.0.1:4566' for endpoint_url, got {endpoint_url!r}")


def camel_case(method: str) -> str:
    """Returns the name of the operation of a boto3 method: ``get_item`` is ``GetItem``."""
    return "".join(word.capitalize() for word in method.split("_"))


@contextmanager
def mapped(service: str, operation: str) -> Iterator[None]:
    """Translates errors of the SDK that are raised in the block.

    Args:
        service: The service that is called.
        operation: The operation, if the SDK's error does not name it.
    """
    from botocore import exceptions as sdk
    from botocore.parsers import ResponseParserError

    try:
        yield
    except sdk.ClientError as error:
        raise _of_answer(service, error.operation_name or operation, error.response) from error
    except (sdk.BotoCoreError, ResponseParserError) as error:
        raise _of_sdk(service, operation, error) from error


def _of_answer(service: str, operation: str, response: Any) -> Exception:
    error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, words = str(error.get("Code") or ErrorCode.UNKNOWN), str(error.get("Message") or "")
    status, request = meta.get("HTTPStatusCode", 0), meta.get("RequestId")
    expression = re.search(r"Invalid Schedule Expression (.*?)\.?$", words, re.DOTALL)
    if code == "ValidationException" and expression is not None:
        return InvalidScheduleError(expression[1], "expression", f"EventBridge Scheduler refuses it: {words}")
    kind = _CLASSES.get(code)
    if kind is None and status >= 500:
        kind = BackendUnavailableError
    if kind is None and status in (401, 403):
        kind = AccessDeniedError
    if kind is ThrottledError or status == 429:
        after = _retry_after(meta.get("HTTPHeaders", {}))
        return ThrottledError(service, operation, code, request, detail=words, retry_after=after)
    retryable = kind is BackendUnavailableError or code in _TRANSIENT_CODES
    return (kind or BackendError)(service, operation, code, request, retryable=retryable, detail=words)


def _retry_after(headers: Any) -> timedelta | None:
    for name, unit in (("x-amz-retry-after", "milliseconds"), ("retry-after", "seconds")):
        wait = str(headers.get(name, ""))
        if wait.isascii() and wait.isdigit():
            return timedelta(**{unit: int(wait)})
    return None


def _of_sdk(service: str, operation: str, error: Exception) -> BackendError:
    code = type(error).__name__
    classes = {each.__name__ for each in type(error).__mro__}
    words = f"{str(error).rstrip('.')}; {_CURES[code]}" if code in _CURES else str(error)
    if classes & _NO_ACCESS:
        return AccessDeniedError(service, operation, code, detail=words)
    if classes & _UNREACHABLE:
        return BackendUnavailableError(service, operation, code, retryable=True, detail=words)
    return BackendError(service, operation, code, detail=words)
