"""Messages of Amazon SNS: read, and believed only if AWS has signed them.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import binascii
import http.client
import json
import re
import ssl
import threading
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from pydantic import JsonValue

from stepsched.core.quoting import quoted
from stepsched.schedules.moments import read_instant

Fetch = Callable[[str], bytes]
"""Returns what a URL has; raises ``OSError`` if it cannot be had."""
_HOST = r"https://sns\.[a-z0-9-]{3,32}\.amazonaws\.com(?:\.cn)?"
_URL = re.compile(rf"{_HOST}/[!-~]{{0,2000}}")
_CERTIFICATE_URL = re.compile(rf"{_HOST}/SimpleNotificationService-[0-9A-Za-z]{{1,64}}\.pem")
"""Only what AWS has put there. Calls of the API are answered by the same host, and some of the answers have
what anybody has stored, such as the attributes of an endpoint."""
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
}  # fmt: skip
"""The keys that are signed, in their order, by the type of the message."""
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
_HASHES = {"1": SHA1, "2": SHA256}
_MOST_BYTES = 65_536
_PATIENCE = 5.0
_CERTIFICATES = 16
"""The number of certificates that are kept."""


class UntrustedError(ValueError):
    """A message that AWS has not signed, or that is not meant for this service."""


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """A message whose signature is right."""

    type: str
    """``Notification``, ``SubscriptionConfirmation`` or ``UnsubscribeConfirmation``."""
    id: str
    """The ID, which stays the same when SNS sends the message again."""
    topic: str
    """The ARN of the topic."""
    at: datetime
    """The instant of its publication, in UTC."""
    message: str
    """The text of the message."""
    subject: str
    """The subject. Empty: it has none."""
    subscribe_url: str
    """The URL that confirms the subscription. Empty: it has none."""


def fetch(url: str) -> bytes:
    """Fetches a URL by HTTPS, without following a redirect.

    Raises:
        OSError: It is not to be had within 5 seconds, or has more than 64 KiB.
    """
    parts = urlsplit(url)
    secure = ssl.create_default_context()
    connection = http.client.HTTPSConnection(parts.netloc, timeout=_PATIENCE, context=secure)
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}".rstrip("?"))
        answer = connection.getresponse()
        content = answer.read(_MOST_BYTES + 1)
    except http.client.HTTPException as error:
        raise OSError(f"{parts.hostname} answered what is no HTTP") from error
    finally:
        connection.close()
    if answer.status != 200 or len(content) > _MOST_BYTES:
        raise OSError(f"{parts.hostname} answered {answer.status} with {len(content):,} bytes")
    return content


class Verifier:
    """Verifies messages. Certificates are fetched once."""

    def __init__(self, topics: frozenset[str], fetch: Fetch) -> None:
        self._topics = topics
        self._fetch = fetch
        self._keys: OrderedDict[str, RSAPublicKey] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, body: Mapping[str, JsonValue], *, now: datetime, oldest: timedelta) -> SnsMessage:
        """Reads a message and verifies it.

        Args:
            body: The body.
            now: The present.
            oldest: How old the message may be; older ones may be repetitions of what is forgotten.

        Raises:
            UntrustedError: AWS has not signed it, its topic is not one of the named ones, or it is too old.
            OSError: The certificate cannot be fetched.
        """
        text = {key: value for key, value in body.items() if isinstance(value, str)}
        kind = text.get("Type", "")
        if kind not in _SIGNED:
            raise UntrustedError(
                f"expected a message of SNS of the type {', '.join(_SIGNED)}, got {quoted(kind)}"
            )
        topic = text.get("TopicArn", "")
        if topic not in self._topics:
            raise UntrustedError(
                f"the topic {quoted(topic)} is not one of those that this service listens to"
            )
        self._verify(text)
        at = _instant(text.get("Timestamp", ""))
        if now - at > oldest:
            raise UntrustedError(f"the message is of {at.isoformat()}, which is too long ago")
        return SnsMessage(
            type=kind,
            id=text["MessageId"],
            topic=topic,
            at=at,
            message=text["Message"],
            subject=text.get("Subject", ""),
            subscribe_url=text.get("SubscribeURL", ""),
        )

    def confirm(self, message: SnsMessage) -> None:
        """Confirms a subscription.

        Raises:
            UntrustedError: Its URL is not one of SNS.
            OSError: It cannot be fetched.
        """
        self._fetch(checked_url(message.subscribe_url, "SubscribeURL"))

    def _verify(self, text: Mapping[str, str]) -> None:
        algorithm = _HASHES.get(text.get("SignatureVersion", ""))
        if algorithm is None:
            raise UntrustedError("expected the SignatureVersion 1 or 2")
        try:
            signature = b64decode(text.get("Signature", ""), validate=True)
        except (binascii.Error, ValueError) as error:
            raise UntrustedError("expected a Signature in Base64") from error
        signed = signed_text(text)
        key = self._key(checked_certificate_url(text.get("SigningCertURL", "")))
        try:
            key.verify(signature, signed, PKCS1v15(), algorithm())
        except InvalidSignature as error:
            raise UntrustedError("the signature is not that of the message") from error

    def _key(self, url: str) -> RSAPublicKey:
        with self._lock:
            known = self._keys.get(url)
        if known is not None:
            return known
        try:
            key = x509.load_pem_x509_certificate(self._fetch(url)).public_key()
        except ValueError as error:
            raise UntrustedError("the SigningCertURL has no certificate") from error
        if not isinstance(key, RSAPublicKey):
            raise UntrustedError("the SigningCertURL has a certificate without an RSA key")
        with self._lock:
            self._keys[url] = key
            while len(self._keys) > _CERTIFICATES:
                self._keys.popitem(last=False)
        return key


def signed_text(text: Mapping[str, str]) -> bytes:
    """Returns what the signature of a message is made of.

    Raises:
        UntrustedError: A key is missing.
    """
    lines = list[str]()
    for key in _SIGNED[text["Type"]]:
        if key in text:
            lines += [key, text[key]]
        elif key != "Subject":
            raise UntrustedError(f"expected the key {key!r} with a text")
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def checked_url(url: str, what: str) -> str:
    """Returns a URL of SNS unchanged.

    Raises:
        UntrustedError: It is another URL.
    """
    if _URL.fullmatch(url) is None:
        raise UntrustedError(
            f"expected a URL https://sns.<region>.amazonaws.com/... as {what}, got {quoted(url)}"
        )
    return url


def checked_certificate_url(url: str) -> str:
    """Returns the URL of a certificate of SNS unchanged.

    Raises:
        UntrustedError: It is another URL.
    """
    if _CERTIFICATE_URL.fullmatch(url) is None:
        raise UntrustedError(
            "expected a URL https://sns.<region>.amazonaws.com/SimpleNotificationService-<digits>.pem as "
            f"SigningCertURL, got {quoted(url)}"
        )
    return url


def event_in(message: str) -> dict[str, JsonValue]:
    """Returns the event in the text of a notification: the object that it is, otherwise the text itself as
    ``rawMessage``. The secret is still part of it."""
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"rawMessage": message}


def _instant(text: str) -> datetime:
    try:
        at = read_instant(text)
    except ValueError as error:
        raise UntrustedError(f"expected a Timestamp in ISO 8601: {error}") from error
    if at is None:
        raise UntrustedError("expected a Timestamp in ISO 8601")
    return at
