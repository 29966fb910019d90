"""Signatures by the Standard Webhooks scheme, version v1: HMAC-SHA256 with a shared secret.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from stepsched.core.clock import utc_now
from stepsched.core.errors import WebhookError
from stepsched.core.quoting import quoted

TOLERANCE = timedelta(minutes=5)
"""How old a signature may be."""
AHEAD = timedelta(minutes=1)
"""How far in the future a signature may be, for clocks that differ. A tolerance of minutes in both directions
would double the time in which a recorded request can be replayed."""
SHORTEST, LONGEST = 24, 64
"""The sizes of a secret in bytes, by the scheme."""
ENVIRONMENT = "env:"
"""The beginning of a secret of a sender that is read from an environment variable when a call is made."""
_PREFIX = "whsec_"
_TIMESTAMP = re.compile(r"[0-9]{1,11}")
_ID, _TIME, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_NAMES = frozenset((_ID, _TIME, _SIGNATURE))


def sign(
    body: bytes,
    *,
    id: str,  # noqa: A002 -- as the scheme calls it
    at: datetime,
    secrets: Sequence[str],
) -> dict[str, str]:
    """Returns the three headers of a signed webhook.

    Args:
        body: The body as it is sent.
        id: The ID of the message, which stays the same over its attempts.
        at: The instant of the attempt; aware. The header has whole seconds.
        secrets: The secrets, each in base64, with or without ``whsec_``. Each of them signs, so that a
            receiver may have either one while they rotate.

    Raises:
        ValueError: A secret is not base64 of 24 to 64 bytes.
    """
    timestamp = str(int(at.timestamp()))
    signed = _signed(id, timestamp, body)
    signatures = (_signature(signing_key(secret), signed) for secret in secrets)
    return {_ID: id, _TIME: timestamp, _SIGNATURE: " ".join(signatures)}


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    *,
    secret: str | Sequence[str],
    tolerance: timedelta | None = TOLERANCE,
    now: datetime | None = None,
) -> str:
    """Verifies the signature of a received webhook by the Standard Webhooks scheme.

    Args:
        body: The body as it was received, before anything has decoded or parsed it.
        headers: The headers of the request; upper and lower case do not matter.
        secret: The secret that is shared with the sender, in base64, with or without ``whsec_``. Several
            secrets while they rotate: one of them must verify.
        tolerance: How old the signature may be, inclusive. It may be in the future by at most one minute, and
            not by more than this. None: neither is checked, such as for a webhook that was kept.
        now: The present; aware. None: the machine's clock.

    Returns:
        The ID of the webhook. It stays the same over all attempts, so that a receiver that keeps the IDs of
        what it has processed recognises a repetition.

    Raises:
        WebhookError: The headers are missing or have another form, no signature fits, or the timestamp is out
            of the tolerance. Answer with status 401 or 400, and do not process the body.
        TypeError: ``body`` is not bytes, or ``headers`` is not a mapping.
        ValueError: A secret is not base64, ``tolerance`` is negative, or ``now`` is naive.

    Example:
        >>> from datetime import timezone
        >>> secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        >>> headers = {
        ...     "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        ...     "Webhook-Timestamp": "1614265330",
        ...     "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ... }
        >>> verify_webhook(
        ...     b'{"test": 2432232314}', headers, secret=secret,
        ...     now=datetime(2021, 2, 25, 15, 2, 10, tzinfo=timezone.utc),
        ... )
        'msg_p5jXN8AQM9LWM0D4loKWxJek'
    """
    if not isinstance(body, bytes):
        raise TypeError(
            f"expected the body as it was received, as bytes, got {type(body).__name__}; use for example "
            "await request.body(): parsed and written again it may differ from what was signed"
        )
    keys = _keys(secret)
    now = _present(tolerance, now)
    identity, timestamp, signatures = _given(headers)
    signed = _signed(identity, timestamp, body)
    expected = [_signature(key, signed).encode() for key in keys]
    offered = [each.encode() for each in signatures.split(" ")]
    # All pairs are compared, so that the time does not tell which of them is equal.
    if sum(hmac.compare_digest(one, other) for one in expected for other in offered) == 0:
        raise WebhookError("no signature fits the body, the webhook-id, the webhook-timestamp and the secret")
    if tolerance is not None:
        _check_age(int(timestamp), now, tolerance)
    return identity


def signing_key(secret: str) -> bytes:
    """Returns the bytes of a secret with which webhooks are sent.

    Raises:
        ValueError: The secret is not base64, or not 24 to 64 bytes long. The error does not quote it.
    """
    key = _key(secret)
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(
            f"expected a signing secret of {SHORTEST} to {LONGEST} bytes in base64, got {len(key)} bytes; "
            "use for example 'whsec_' + base64.b64encode(os.urandom(32)).decode()"
        )
    return key


def _keys(secret: object) -> list[bytes]:
    """Returns the bytes of the secrets of a receiver. Their length is the choice of the sender."""
    given = [secret] if isinstance(secret, str) else secret
    if not isinstance(given, Sequence) or isinstance(given, (bytes, bytearray)) or not given:
        got = type(secret).__name__ if secret else "none"
        raise ValueError(f"expected a secret as text, or a list of secrets, got {got}")
    return [_key(each) for each in given]


def _key(secret: object) -> bytes:
    if not isinstance(secret, str):
        raise ValueError(f"expected a secret as text, got {type(secret).__name__}")  # noqa: TRY004 -- as for every other wrong secret
    text = secret.strip().removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(
            "expected a secret in base64, with or without 'whsec_', got text that is not base64"
        ) from error
    if not key:
        raise ValueError("expected a secret in base64, with or without 'whsec_', got an empty one")
    return key


def _signed(identity: str, timestamp: str, body: bytes) -> bytes:
    return b"%b.%b.%b" % (identity.encode(), timestamp.encode(), body)


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def _given(headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Returns the ID, the timestamp and the signatures."""
    items = getattr(headers, "items", None)
    if not callable(items):
        raise TypeError(f"expected the headers as a mapping, got {type(headers).__name__}")
    found = dict[str, str]()
    pairs: Iterable[tuple[object, object]] = items()
    for name, value in pairs:
        known = name.lower() if isinstance(name, str) else ""
        if known not in _NAMES:
            continue
        if known in found or not isinstance(value, str) or not value.isascii():
            raise WebhookError(f"expected one header {known} in ASCII, got several, or other text")
        found[known] = value
    missing = sorted(name for name in _NAMES if not found.get(name))
    if missing:
        raise WebhookError(f"expected the headers {', '.join(sorted(_NAMES))}, got none of {missing[0]}")
    if _TIMESTAMP.fullmatch(found[_TIME]) is None:
        raise WebhookError(f"expected webhook-timestamp in seconds since 1970, got {quoted(found[_TIME])}")
    return found[_ID], found[_TIME], found[_SIGNATURE]


def _present(tolerance: timedelta | None, now: datetime | None) -> datetime:
    if tolerance is not None and (not isinstance(tolerance, timedelta) or tolerance < timedelta(0)):
        raise ValueError(f"expected a tolerance of at least 0 as a timedelta, got {quoted(tolerance)}")
    if now is not None and (not isinstance(now, datetime) or now.utcoffset() is None):
        raise ValueError(f"expected an aware datetime for now, got {quoted(now)}")
    return utc_now() if now is None else now


def _check_age(timestamp: int, now: datetime, tolerance: timedelta) -> None:
    age = now.timestamp() - timestamp
    if age > tolerance.total_seconds():
        raise WebhookError(f"its timestamp is older than {tolerance}")
    ahead = min(tolerance, AHEAD)
    if -age > ahead.total_seconds():
        raise WebhookError(f"its timestamp is more than {ahead} in the future; compare the clocks")
