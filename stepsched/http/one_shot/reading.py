"""What requests ask for, and what is wrong with them, in the order of the known interface. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from pydantic import JsonValue

from stepsched.core.quoting import quoted
from stepsched.http.headers import bearer_token_in, is_key
from stepsched.http.one_shot import texts
from stepsched.machines.shared import one_shot_words as words
from stepsched.schedules.moments import read_moment
from stepsched.schedules.zones import UTC

_LAST_INSTANT = datetime(9999, 12, 31, tzinfo=UTC)


class Secret:
    """The configured secret. Only its digest is kept, so it is shown and stored nowhere."""

    def __init__(self, secret: str | None) -> None:
        """Reads the setting.

        Args:
            secret: The text. None: no secret is asked for.

        Raises:
            TypeError: It is no text.
            ValueError: It is empty.
        """
        if secret is not None and not isinstance(secret, str):
            raise TypeError(f"expected text or None for secret, got a {type(secret).__name__}")
        if secret == "":
            raise ValueError("expected a secret, got an empty text; use None to ask for none")
        self._digest = None if secret is None else _digest(secret.encode("utf-8", "surrogatepass"))

    @property
    def is_set(self) -> bool:
        """Whether a secret is asked for."""
        return self._digest is not None

    def accepts(self, given: object) -> bool:
        """Returns whether a value of any type is the secret, in a time that does not depend on the value."""
        if isinstance(given, str):
            given = given.encode("utf-8", "surrogatepass")
        told = _digest(given if isinstance(given, bytes) else b"")
        return self._digest is None or (hmac.compare_digest(told, self._digest) and isinstance(given, bytes))

    def accepts_headers(self, headers: Mapping[str, str]) -> bool:
        """Returns whether the header ``x-secret`` or ``Authorization: Bearer`` has the secret."""
        given = headers.get("x-secret", bearer_token_in(headers))
        return self.accepts(None if given is None else given.encode("latin-1", "replace"))


def _digest(text: bytes) -> bytes:
    return sha256(text).digest()


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that is to be scheduled."""

    timestamp: str
    """The timestamp as it was given."""
    at: datetime
    """The instant, in UTC. It may have passed."""
    message: JsonValue
    """The message: any JSON value."""

    @property
    def event(self) -> dict[str, JsonValue]:
        """What is delivered: the request without its secret."""
        return {"timestamp": self.timestamp, "message": self.message}


def read_task(
    body: Mapping[str, JsonValue], *, is_trusted: bool, now: datetime, horizon: timedelta
) -> NewTask | list[str]:
    """Reads the body of ``/schedule``.

    Args:
        body: The body.
        is_trusted: Whether the secret is right.
        now: The present.
        horizon: How far ahead an instant may be, inclusive.

    Returns:
        The task, or what is wrong: first the secret, then the timestamp, then the message.
    """
    problems = [] if is_trusted else [words.SECRET_DIFFERS]
    at = _instant(body, now, horizon)
    if isinstance(at, str):
        problems.append(at)
    if "message" not in body:
        problems.append(words.NO_MESSAGE)
    if problems or isinstance(at, str):
        return problems
    return NewTask(str(body["timestamp"]), at, body["message"])


def _instant(body: Mapping[str, JsonValue], now: datetime, horizon: timedelta) -> datetime | str:
    """Returns the instant, or what is wrong with it."""
    given = body.get("timestamp")
    if not given:
        return words.NO_TIMESTAMP
    if not isinstance(given, str):
        return texts.bad_timestamp(f"expected text such as '2030-01-01T09:00:00.250Z', got {quoted(given)}")
    try:
        at = _read_instant(given)
    except ValueError as error:
        return texts.bad_timestamp(str(error))
    latest = _latest(now, horizon)
    return at if at <= latest else texts.too_far(latest, horizon, given)


def _read_instant(given: str) -> datetime:
    """Returns the instant, in UTC.

    Raises:
        ValueError: The text is none, or has no offset.
    """
    moment = read_moment(given)
    if moment.tzinfo is None:
        raise ValueError(f"expected an offset at its end, such as 'Z' or '+02:00', got {quoted(given)}")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"expected an instant in the years 1 to 9999, got {quoted(given)}") from error


def _latest(now: datetime, horizon: timedelta) -> datetime:
    try:
        return min(now + horizon, _LAST_INSTANT)
    except OverflowError:
        return _LAST_INSTANT


def read_cancellation(body: Mapping[str, JsonValue], *, is_trusted: bool) -> str | list[str]:
    """Reads the body of ``/cancel``.

    Returns:
        The ``executionArn``, or what is wrong: first the secret, then the ARN.
    """
    problems = [] if is_trusted else [words.SECRET_DIFFERS]
    arn = body.get("executionArn")
    if not arn:
        problems.append(words.NO_ARN)
    elif not isinstance(arn, str):
        problems.append(texts.bad_arn(arn))
    return problems or str(arn)


def read_key(headers: Mapping[str, str]) -> str | None:
    """Returns the idempotency key. None: there is none.

    Raises:
        ValueError: It is not 1 to 255 visible ASCII characters.
    """
    key = headers.get("idempotency-key")
    if key is not None and not is_key(key):
        raise ValueError(texts.bad_key(key))
    return key
