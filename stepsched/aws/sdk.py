"""Maps the errors of the SDK to those of stepsched (P-20), so that no error of botocore leaves the
package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from stepsched.core.errors import (
    AccessDeniedError,
    BackendError,
    BackendUnavailableError,
    ErrorCode,
    InvalidScheduleError,
    ThrottledError,
)
from stepsched.core.masking import without_secrets
from stepsched.core.quoting import quoted

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
"""The error codes of further errors after which the same call may succeed later."""
_UNREACHABLE = {"ConnectionError", "HTTPClientError", "MetadataRetrievalError", "ResponseParserError"}
"""The SDK's error classes, with their subclasses, for no response or one that cannot be read."""
_NO_ACCESS = {
    *("CredentialRetrievalError", "NoAuthTokenError", "NoCredentialsError", "PartialCredentialsError"),
    *("RefreshWithMFAUnsupportedError", "SSOError", "TokenRetrievalError"),
}
_REMEDIES = {
    "NoCredentialsError": "set AWS_PROFILE or credentials, or pass session=boto3.Session(...)",
    "InvalidRegionError": "use the name of a Region, such as eu-west-1",
    "NoRegionError": "set AWS_DEFAULT_REGION, or pass session=boto3.Session(region_name=...)",
    "ProfileNotFound": "correct AWS_PROFILE or ~/.aws/config",
}


class Closed:
    """Replaces a closed client of boto3. Every call raises :class:`BackendError`."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):  # Python itself looks these up
            raise AttributeError(method)
        raise closed(self._service, camel_case(method))

    def close(self) -> None:
        """Has no effect."""


def closed(service: str, operation: str) -> BackendError:
    """The error of a call on a closed backend."""
    return BackendError(
        service, operation, ErrorCode.CLOSED, detail="the backend has been closed; make a new one"
    )


_URL = re.compile(r"https?://[^\s/?#@]+/?", re.ASCII)


def validate_connection(session: Any, endpoint_url: Any) -> None:
    """Validates the session and the endpoint of calls. Both may be None.

    Raises:
        TypeError: ``session`` is not a ``boto3.Session``.
        ValueError: ``endpoint_url`` is malformed.
    """
    if session is not None and not callable(getattr(session, "client", None)):
        raise TypeError(f"expected a boto3.Session for session, got {quoted(session)}")
    if endpoint_url is not None and not _is_endpoint(endpoint_url):
        shown = without_secrets(endpoint_url)
        if isinstance(shown, str):  # such as user:password@host, which is no URL
            shown = re.sub(r":[^/@]+@", ":***@", shown)
        raise ValueError(f"expected endpoint_url to be such as 'http://127.0.0.1:4566', got {quoted(shown)}")


def _is_endpoint(url: Any) -> bool:
    """Returns whether something is a URL of a host alone; of its port, if there is one, too."""
    if not isinstance(url, str) or _URL.fullmatch(url) is None:
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as a port out of range
        return False


def camel_case(method: str) -> str:
    """The name of the operation of a boto3 method: ``GetItem`` for ``get_item``."""
    return "".join(word.capitalize() for word in method.split("_"))


@contextmanager
def mapped(service: str, operation: str) -> Iterator[None]:
    """Maps errors of the SDK in its block to those of stepsched.

    Args:
        service: The service that is called.
        operation: The operation, for errors of the SDK that do not name it.
    """
    from botocore import exceptions as sdk
    from botocore.parsers import ResponseParserError

    try:
        yield
    except sdk.ClientError as error:
        raise _from_response(service, error.operation_name or operation, error.response) from error
    except (sdk.BotoCoreError, ResponseParserError) as error:
        raise _from_sdk_error(service, operation, error) from error


def _from_response(service: str, operation: str, response: Any) -> Exception:
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


def _from_sdk_error(service: str, operation: str, error: Exception) -> BackendError:
    code, text = type(error).__name__, str(without_secrets(str(error)))
    classes = {each.__name__ for each in type(error).__mro__}
    words = f"{text.rstrip('.')}; {_REMEDIES[code]}" if code in _REMEDIES else text
    if classes & _NO_ACCESS:
        return AccessDeniedError(service, operation, code, detail=words)
    if classes & _UNREACHABLE:
        return BackendUnavailableError(service, operation, code, retryable=True, detail=words)
    return BackendError(service, operation, code, detail=words)
