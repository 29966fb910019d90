"""Sending a call to a URL, with httpx."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from http import HTTPStatus
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from stepsched.core.clock import utc_now
from stepsched.core.instants import utc_text
from stepsched.core.masking import MASK, suggests_secret, text_without_secrets
from stepsched.core.outcomes import one_line, storable
from stepsched.webhooks.addresses import AddressError, Lookup, PrivateHosts
from stepsched.webhooks.signing import ENVIRONMENT, sign

if TYPE_CHECKING:
    import httpcore

LIMIT = timedelta(seconds=30)
"""The time that a call may take from its beginning to its end, unless the job says otherwise."""
MOST_READ = 65_536
"""The number of bytes of an answer from which no more is read."""
_QUOTED = 200
"""The number of characters of an answer that an error quotes."""
_SHORTEST = 8
"""The length from which a text is masked as a part of a secret; shorter ones stand in other words too."""
_READABLE = " " + "".join(map(chr, range(33, 127))).replace("%", "")
"""The characters of the name of a job that are not percent-encoded in a header."""
_LONGEST_PAUSE = timedelta(days=365)


class DeliveryError(Exception):
    """A call has failed.

    Attributes:
        retry_after: The pause that the receiver asked for. None: it asked for none.
        is_gone: Whether the receiver wants no further calls.
    """

    def __init__(self, reason: str, *, retry_after: timedelta | None = None, is_gone: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_gone = is_gone


class WebhookCall(NamedTuple):
    """An attempt to call a URL."""

    url: str
    method: str
    headers: Mapping[str, str]
    """The headers that the target adds."""
    secrets: tuple[str, ...]
    """The signing secrets, or their variables; empty: the call is not signed."""
    body: bytes | None
    """The body. None: the method has none."""
    id: str
    """The ID of the message: the same for all attempts of a run."""
    job: str
    scheduled_for: datetime
    attempt: int


@lru_cache(maxsize=1)
def has_client() -> bool:
    """Returns whether httpx is installed."""
    return find_spec("httpx") is not None


class Sender:
    """Makes calls."""

    def __init__(self, permitted: PrivateHosts, lookup: Lookup | None = None) -> None:
        """Creates a sender.

        Args:
            permitted: The private hosts that may be called.
            lookup: The function that resolves names. None: the resolver of the operating system.
        """
        self.permitted = permitted
        self._lookup = lookup

    def send(self, call: WebhookCall, limit: timedelta | None = None) -> str | None:
        """Makes a call and waits for its end.

        Args:
            call: The call. It is signed now.
            limit: The time that it may take in all. None: 30 seconds.

        Returns:
            The beginning of the answer as text; None if it has no body, or an encoded one.

        Raises:
            DeliveryError: The status is not one of 200 to 299, the call took too long, or it could not be
                made.
        """
        import httpcore

        from stepsched.webhooks.network import Deadline, connections

        limit = LIMIT if limit is None else limit
        secrets = [_secret(each) for each in call.secrets]
        headers = _headers(call, secrets, utc_now())
        hidden = [each.strip().removeprefix("whsec_") for each in secrets]
        hidden += [value for name, value in call.headers.items() if suggests_secret(name)]
        url, host = _url(call.url), urlsplit(call.url).hostname or ""
        deadline = Deadline(limit.total_seconds())
        try:
            with (
                connections(deadline, self.permitted, self._lookup) as pool,
                pool.stream(call.method, url, headers=headers, content=call.body) as response,
            ):
                text = _read(response, hidden)
                if not 200 <= response.status <= 299:
                    raise _refusal(host, response, text)
                return storable(text) or None
        except AddressError as error:
            raise DeliveryError(str(error)) from error
        except httpcore.ConnectTimeout as error:
            raise DeliveryError(f"{host} could not be reached in time") from error
        except httpcore.TimeoutException as error:
            raise DeliveryError(f"{host} did not answer within {limit}") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            reason = _without(one_line(str(error)), hidden) or type(error).__name__
            raise DeliveryError(f"the call to {host} failed: {reason}") from error


def _url(text: str) -> httpcore.URL:
    import httpcore

    parts = urlsplit(text)
    return httpcore.URL(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )


def _secret(given: str) -> str:
    """Returns a secret, which may be in an environment variable."""
    if not given.startswith(ENVIRONMENT):
        return given
    name = given.removeprefix(ENVIRONMENT)
    value = os.environ.get(name)
    if value is None:
        raise DeliveryError(f"the environment variable {name} of the signing secret is not set")
    return value


def _headers(call: WebhookCall, secrets: list[str], now: datetime) -> list[tuple[bytes, bytes]]:
    """Returns the headers of an attempt, signed now."""
    try:
        signed = sign(call.body or b"", id=call.id, at=now, secrets=secrets)
    except ValueError as error:  # of a secret in a variable
        raise DeliveryError(str(error)) from error
    if not secrets:
        del signed["webhook-signature"]
    own = {"host": urlsplit(call.url).netloc, "user-agent": _agent(), "accept-encoding": "identity"}
    if call.body is not None:
        own["content-type"] = "application/json"
    given = {name.lower(): value for name, value in call.headers.items()}
    of_run = {
        "stepsched-job": quote(call.job, safe=_READABLE),
        "stepsched-scheduled-for": utc_text(call.scheduled_for),
        "stepsched-attempt": str(call.attempt),
    }
    all_of_them = {**own, **given, **signed, **of_run}
    return [(name.encode(), value.encode()) for name, value in all_of_them.items()]


def _agent() -> str:
    return f"stepsched/{import_module('stepsched').__version__}"


def _read(response: httpcore.Response, hidden: Iterable[str]) -> str:
    """Returns the beginning of an answer. Its status has been received already, and decides; what breaks off
    afterwards is left out."""
    import httpcore

    parts, size = list[bytes](), 0
    with suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        for part in response.iter_stream():
            parts.append(part)
            size += len(part)
            if size >= MOST_READ:
                break
    if _header(response, b"content-encoding") not in ("", "identity"):
        return ""  # it is not decoded, since a few bytes may stand for any number of them
    return _without(b"".join(parts)[:MOST_READ].decode(errors="replace"), hidden)


def _refusal(host: str, response: httpcore.Response, text: str) -> DeliveryError:
    """Returns the error of an answer with a status that is not one of success."""
    status = response.status
    known = status in HTTPStatus._value2member_map_
    answer = f"{status} {HTTPStatus(status).phrase}" if known else str(status)
    hint = "; redirects are not followed: use the new URL" if 300 <= status <= 399 else ""
    said = one_line(text_without_secrets(text.strip()[:_QUOTED]))
    pause = _pause(_header(response, b"retry-after"), utc_now()) if status in (429, 503) else None
    return DeliveryError(
        f"{host} answered {answer}{hint}{f': {said}' if said else ''}",
        retry_after=pause,
        is_gone=status == HTTPStatus.GONE,
    )


def _header(response: httpcore.Response, name: bytes) -> str:
    found = (value.decode("latin-1") for each, value in response.headers if each.lower() == name)
    return next(found, "").strip().lower()


def _pause(value: str, now: datetime) -> timedelta | None:
    """Returns the pause of a header ``Retry-After``, in seconds or until a date; None if it is neither."""
    if re.fullmatch("[0-9]{1,18}", value):
        return timedelta(seconds=min(int(value), _LONGEST_PAUSE.total_seconds()))
    from email.utils import parsedate_to_datetime  # only such an answer needs it

    try:
        until = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError):
        return None
    if until.utcoffset() is None:
        until = until.replace(tzinfo=timezone.utc)
    return min(max(until - now, timedelta(0)), _LONGEST_PAUSE)


def _without(text: str, hidden: Iterable[str]) -> str:
    """Returns a text in which secrets of the call are masked, such as in the answer of a server that repeats
    what it was sent."""
    for secret in hidden:
        for part in secret.split():  # without the scheme of an authorization
            if len(part) >= _SHORTEST:
                text = text.replace(part, MASK)
    return text
