"""The target that calls a URL."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator

from stepsched.aws.arns import Arn
from stepsched.core.masking import MASK, suggests_secret, text_without_secrets
from stepsched.core.payloads import Text
from stepsched.core.quoting import quoted
from stepsched.core.values import ShortKeys
from stepsched.targets.base import TargetValue
from stepsched.webhooks.hosts import why_no_host
from stepsched.webhooks.signing import ENVIRONMENT, signing_key

Method: TypeAlias = Literal["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD"]
CONNECTION = Arn("events", "connection/", r"[\w.-]{1,64}/[0-9a-f-]{36}", "<name>/<id>")
"""The form of the ARN of a connection of EventBridge."""
MAX_URL = 2_048
"""The maximum length of a URL in characters."""
MAX_HEADERS, MAX_HEADERS_SIZE = 50, 8_192
"""The maximum number of headers, and of their characters in all."""
_URL = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*")
"""The characters of a URL, without ``#``: RFC 3986, section 2."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_HEADER_VALUE = re.compile(r"(?! )[\x20-\x7e]{0,4096}(?<! )")
_RESERVED = re.compile(
    r"(webhook|stepsched|proxy)-.*|host|content-length|transfer-encoding|connection|keep-alive|te|trailer"
    r"|upgrade|expect",
    re.IGNORECASE,
)
"""The headers that belong to the connection, and those that every call sets."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class HttpTarget(TargetValue, frozen=True, hide_input_in_errors=True):
    """Calls a URL. The body is the job's input as JSON.

    A status of 200 to 299 is success, and every other one a failure. Redirects are not followed. Status 410
    pauses the job, since the receiver wants no further calls. The pause that ``Retry-After`` asks for with
    status 429 or 503 is kept.

    The embedded backend makes the call itself. It signs each attempt anew by the Standard Webhooks scheme,
    and refuses addresses that are not public, unless its ``private_hosts`` permit them. Step Functions makes
    it with a connection, and cannot sign. See ``docs/webhooks.md``.
    """

    kind: Literal["http"] = "http"
    url: str = Field(strict=True)
    """The URL: ``https`` or ``http``, at most 2,048 ASCII characters, without user information and
    fragment. It is shown, so a token belongs into a header."""
    method: Method = "POST"
    """The HTTP method. GET and HEAD have no body, and the job has no input then."""
    headers: Annotated[dict[Text, Text], ShortKeys] = Field(default_factory=dict)
    """Headers of the request by name, besides those that every call has. They are stored with the job, and a
    value is shown as ``***`` if the name suggests a secret."""
    signing_secret: tuple[Text, ...] | None = Field(default=None, min_length=1, max_length=2)
    """The secret of the signature: 24 to 64 bytes in base64, with or without ``whsec_``; or ``"env:NAME"``
    for the environment variable ``NAME`` of the process that makes the call, so that the secret is not
    stored. Two secrets while they rotate: both sign. None: the call is not signed."""
    connection_arn: Annotated[str, CONNECTION] | None = None
    """The connection of EventBridge with which Step Functions makes the call; it adds the authorization.
    The embedded backend cannot use it. None: there is none."""

    def __init__(
        self,
        url: str,
        *,
        method: Method = "POST",
        headers: Mapping[str, str] | None = None,
        signing_secret: str | Iterable[str] | None = None,
        connection_arn: str | None = None,
        kind: Literal["http"] = "http",
    ) -> None:
        given: dict[str, Any] = {
            "headers": dict(headers) if isinstance(headers, Mapping) else headers,
            "signing_secret": (signing_secret,) if isinstance(signing_secret, str) else signing_secret,
            "connection_arn": connection_arn,
        }
        present = {name: value for name, value in given.items() if value is not None}
        self._assign(url=url, method=method, kind=kind, **present)

    @property
    def takes_input(self) -> bool:
        """Whether the call passes the job's input. GET and HEAD have no body."""
        return self.method not in ("GET", "HEAD")

    @property
    def host(self) -> str:
        """The host of the URL, in lower case."""
        return urlsplit(self.url).hostname or ""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Yields the fields without secrets."""
        for name, value in super().__repr_args__():
            match name:
                case "url":
                    yield name, text_without_secrets(value)
                case "headers":
                    yield name, {key: MASK if suggests_secret(key) else each for key, each in value.items()}
                case "signing_secret":
                    yield name, tuple(each if each.startswith(ENVIRONMENT) else MASK for each in value)
                case _:
                    yield name, value

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        reason = _why_no_url(url)
        if reason is not None:
            raise ValueError(f"expected {reason}")
        return url

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if _HEADER.fullmatch(name) is None:
                raise ValueError(f"expected names of headers such as 'X-Team', got {quoted(name)}")
            if _RESERVED.fullmatch(name):
                raise ValueError(f"expected other headers, got {name!r}, which every call sets; leave it out")
            if _HEADER_VALUE.fullmatch(value) is None:
                raise ValueError(
                    "expected values of at most 4,096 printable ASCII characters, without spaces at their "
                    f"ends, got another one for {name!r}"
                )
        if len({name.lower() for name in headers}) < len(headers):
            raise ValueError("expected each header once, got names that differ only in case")
        size = sum(len(name) + len(value) for name, value in headers.items())
        if len(headers) > MAX_HEADERS or size > MAX_HEADERS_SIZE:
            raise ValueError(
                f"expected at most {MAX_HEADERS} headers of {MAX_HEADERS_SIZE:,} characters in all, got "
                f"{len(headers)} of {size:,}"
            )
        return headers

    @field_validator("signing_secret", mode="before")
    @classmethod
    def _is_list(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @field_validator("signing_secret")
    @classmethod
    def _are_secrets(cls, secrets: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for secret in secrets or ():
            if not secret.startswith(ENVIRONMENT):
                signing_key(secret)
            elif _VARIABLE.fullmatch(secret.removeprefix(ENVIRONMENT)) is None:
                raise ValueError(f"expected the form 'env:NAME', got {quoted(secret)}")
        return secrets


def _why_no_url(url: str) -> str | None:
    """Returns why a text is not a URL that can be called, as the end of "expected ..."; None if it is one."""
    shown = quoted(text_without_secrets(url))
    if len(url) > MAX_URL:
        return f"a URL of at most {MAX_URL:,} characters, got {len(url):,}"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return f"a URL such as 'https://example.com/hook', got {shown}"
    if "@" in parts.netloc:
        return "a URL without user information; use the header 'Authorization'"
    if parts.scheme not in ("https", "http") or not host or not url.lower().startswith(f"{parts.scheme}://"):
        return f"a URL such as 'https://example.com/hook', got {shown}"
    reason = why_no_host(host)
    if reason is not None:
        return f"a URL with {reason}"
    return _why_no_rest(url, parts, port)


def _why_no_rest(url: str, parts: SplitResult, port: int | None) -> str | None:
    if parts.netloc.endswith(":") or port == 0:
        return "a port from 1 to 65535 in the URL, or none"
    if "#" in url:
        return "a URL without fragment, which is never sent; leave out what begins with '#'"
    if _URL.fullmatch(url) is None:
        return "a URL of ASCII characters without spaces; use urllib.parse.quote for its other characters"
    return None
