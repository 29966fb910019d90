"""Signatures by the Standard Webhooks scheme, held against the scheme's own library."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import WebhookVerificationError

import stepsched as ss
from stepsched.core.clock import utc_now
from stepsched.webhooks.signing import sign, signing_key

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "whsec_" + base64.b64encode(bytes(32)).decode()
BODY = b'{"type":"report.ready","data":"\xc3\xbc"}'
NOW = datetime(2030, 1, 7, 9, tzinfo=timezone.utc)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def signed(body: bytes = BODY, *, at: datetime = NOW, secrets: tuple[str, ...] = (SECRET,)) -> dict[str, str]:
    return sign(body, id="msg_1", at=at, secrets=secrets)


def refusal(body: bytes, headers: dict[str, str], **options: Any) -> str:
    with pytest.raises(ss.errors.WebhookError) as caught:
        ss.verify_webhook(body, headers, **{"secret": SECRET, "now": NOW, **options})
    assert str(caught.value) == f"the webhook cannot be verified: {caught.value.reason}"
    return caught.value.reason


# -- the scheme ----------------------------------------------------------------------------------------

VECTOR = {
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "timestamp": "1614265330",
    "body": b'{"test": 2432232314}',
    "signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
"""The example of the scheme's libraries."""


def test_the_published_example_is_signed_as_published() -> None:
    at = datetime.fromtimestamp(1_614_265_330, timezone.utc)
    headers = sign(VECTOR["body"], id=str(VECTOR["id"]), at=at, secrets=[str(VECTOR["secret"])])  # type: ignore[arg-type]
    assert headers == {
        "webhook-id": VECTOR["id"],
        "webhook-timestamp": VECTOR["timestamp"],
        "webhook-signature": VECTOR["signature"],
    }


@given(body=st.text().map(str.encode), key=st.binary(min_size=24, max_size=64), prefix=st.booleans())
def test_the_library_verifies_what_is_signed_here(body: bytes, key: bytes, *, prefix: bool) -> None:
    secret = "whsec_" * prefix + base64.b64encode(key).decode()
    headers = sign(body, id="msg_1", at=utc_now(), secrets=[secret])
    standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        standardwebhooks.Webhook(secret).verify(body + b" ", headers, json_parse=False)


@given(body=st.text(), key=st.binary(min_size=1, max_size=100), is_padded=st.booleans())
def test_what_the_library_signs_is_verified_here(body: str, key: bytes, *, is_padded: bool) -> None:
    secret = base64.b64encode(key).decode()
    secret = secret if is_padded else secret.rstrip("=")
    signature = standardwebhooks.Webhook(secret).sign("msg_1", NOW, body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(NOW.timestamp()))}
    headers["webhook-signature"] = signature
    assert ss.verify_webhook(body.encode(), headers, secret=secret, now=NOW) == "msg_1"


# -- the receiver --------------------------------------------------------------------------------------


def test_the_id_of_the_webhook_is_returned() -> None:
    assert ss.verify_webhook(BODY, signed(), secret=SECRET, now=NOW) == "msg_1"


@pytest.mark.parametrize("case", [str.upper, str.title, str.lower])
def test_the_case_of_headers_does_not_matter(case: Any) -> None:
    headers = {case(name): value for name, value in signed().items()}
    assert ss.verify_webhook(BODY, headers, secret=SECRET, now=NOW) == "msg_1"


def test_headers_of_starlette_and_httpx_are_taken() -> None:
    import httpx
    from starlette.datastructures import Headers

    for headers in (Headers(signed()), httpx.Headers(signed())):
        assert ss.verify_webhook(BODY, headers, secret=SECRET, now=NOW) == "msg_1"


def test_while_secrets_rotate_both_sign_and_either_one_verifies() -> None:
    headers = signed(secrets=(OTHER, SECRET))
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, OTHER, [SECRET, OTHER], ["whsec_" + "A" * 32, SECRET]):
        assert ss.verify_webhook(BODY, headers, secret=secret, now=NOW) == "msg_1"
    assert ss.verify_webhook(BODY, signed(), secret=[OTHER, SECRET], now=NOW) == "msg_1"


def test_signatures_of_other_versions_are_passed_over() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1a,abc {headers['webhook-signature']} v2,x"
    assert ss.verify_webhook(BODY, headers, secret=SECRET, now=NOW) == "msg_1"
    headers["webhook-signature"] = headers["webhook-signature"].replace(" v1,", " v2,")
    assert "no signature fits" in refusal(BODY, headers)


def test_a_secret_may_end_with_a_line_feed_as_in_a_file() -> None:
    assert ss.verify_webhook(BODY, signed(), secret=SECRET + "\n", now=NOW) == "msg_1"


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        pytest.param(BODY + b" ", {}, id="body"),
        pytest.param(b"", {}, id="no body"),
        pytest.param(BODY, {"webhook-id": "msg_2"}, id="id"),
        pytest.param(BODY, {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, id="timestamp"),
        pytest.param(BODY, {"webhook-signature": "v1,"}, id="empty signature"),
        pytest.param(BODY, {"webhook-signature": "v1," + "A" * 43 + "="}, id="another signature"),
    ],
)
def test_what_differs_from_what_was_signed_is_refused(body: bytes, changes: dict[str, str]) -> None:
    assert "no signature fits" in refusal(body, {**signed(), **changes})


def test_another_secret_does_not_verify() -> None:
    assert "no signature fits" in refusal(BODY, signed(), secret=OTHER)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_header_is_named(name: str, value: str | None) -> None:
    headers = {**signed(), name: value}
    headers = {key: each for key, each in headers.items() if each is not None}
    assert name in refusal(BODY, headers)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["now", "1e9", "-1", "1614265330.5", " 1614265330", "١٦", "9" * 40])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(given: str) -> None:
    refusal(BODY, {**signed(), "webhook-timestamp": given})


def test_a_header_that_is_given_twice_is_refused() -> None:
    assert "several" in refusal(BODY, {**signed(), "Webhook-Id": "msg_2"})


def test_a_header_that_is_not_ascii_is_refused() -> None:
    assert "ASCII" in refusal(BODY, {**signed(), "webhook-id": "\udcff"})


@pytest.mark.parametrize(
    ("age", "tolerance", "reason"),
    [
        pytest.param(5 * MINUTE, 5 * MINUTE, None, id="as old as allowed"),
        pytest.param(5 * MINUTE + SECOND, 5 * MINUTE, "older than 0:05:00", id="too old"),
        pytest.param(-MINUTE, 5 * MINUTE, None, id="a minute ahead"),
        pytest.param(-MINUTE - SECOND, 5 * MINUTE, "in the future", id="more than a minute ahead"),
        pytest.param(-11 * SECOND, 10 * SECOND, "in the future", id="further ahead than the tolerance"),
        pytest.param(timedelta(days=3), timedelta(days=4), None, id="a longer tolerance"),
        pytest.param(timedelta(days=9_000), None, None, id="no tolerance"),
        pytest.param(timedelta(days=-9_000), None, None, id="no tolerance, ahead"),
    ],
)
def test_a_signature_is_valid_for_its_tolerance_and_a_minute_ahead(
    age: timedelta, tolerance: timedelta | None, reason: str | None
) -> None:
    headers = signed(at=NOW - age)
    if reason is None:
        assert ss.verify_webhook(BODY, headers, secret=SECRET, now=NOW, tolerance=tolerance) == "msg_1"
    else:
        assert reason in refusal(BODY, headers, tolerance=tolerance)


def test_the_default_is_five_minutes_of_the_machines_clock() -> None:
    ss.verify_webhook(BODY, signed(at=utc_now() - 4 * MINUTE), secret=SECRET)
    with pytest.raises(ss.errors.WebhookError, match="older"):
        ss.verify_webhook(BODY, signed(at=utc_now() - 6 * MINUTE), secret=SECRET)


# -- mistakes of the program ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", ['{"a": 1}', {"a": 1}, None, bytearray(b"x")], ids=["str", "dict", "None", "array"]
)
def test_only_raw_bytes_are_a_body(body: Any) -> None:
    with pytest.raises(TypeError, match=r"as bytes, got \w+; use for example await request.body\(\)"):
        ss.verify_webhook(body, signed(), secret=SECRET, now=NOW)


def test_headers_that_are_no_mapping_are_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="expected the headers as a mapping, got list"):
        ss.verify_webhook(BODY, [], secret=SECRET)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "no base64!", "whsec_-_-_", None, [], [SECRET, ""], b"whsec_MfKQ", 7, ["whsec_ü"], "A"],
    ids=repr,
)
def test_a_wrong_secret_is_a_mistake_of_the_program_and_is_not_quoted(secret: Any) -> None:
    with pytest.raises(ValueError, match=r"^expected a secret") as caught:
        ss.verify_webhook(BODY, signed(), secret=secret, now=NOW)
    assert not isinstance(caught.value, ss.errors.WebhookError)
    assert "no base64!" not in str(caught.value)


def test_the_type_of_a_wrong_secret_is_named() -> None:
    with pytest.raises(ValueError, match=r"or a list of secrets, got bytes$"):
        ss.verify_webhook(BODY, signed(), secret=SECRET.encode(), now=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 23, 65])
def test_a_sender_keeps_to_the_sizes_of_the_scheme(size: int) -> None:
    secret = base64.b64encode(b"x" * size).decode()
    with pytest.raises(ValueError, match=f"24 to 64 bytes in base64, got {size} bytes") as caught:
        signing_key(secret)
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tolerance": -SECOND}, "tolerance of at least 0"),
        ({"tolerance": 300}, "tolerance of at least 0"),
        ({"now": datetime(2030, 1, 1)}, "aware datetime for now"),
        ({"now": 7}, "aware datetime for now"),
    ],
)
def test_options_of_another_kind_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ss.verify_webhook(BODY, signed(), **{"secret": SECRET, "now": NOW, **options})
