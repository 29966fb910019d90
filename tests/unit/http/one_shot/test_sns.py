"""Messages of SNS: signed by a certificate of our own, as AWS signs them."""

from __future__ import annotations

import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from stepsched.core.clock import utc_now
from stepsched.http.one_shot.sns import checked_url, event_in, fetch, signed_text
from tests.unit.http.one_shot.asking import NOON, SECRET, Service, service

TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
CERTIFICATE = (
    "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
)
SUBSCRIBE = (
    f"https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
)
HASHES: dict[str, type[HashAlgorithm]] = {"1": SHA1, "2": SHA256}


def _certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOON).not_valid_after(NOON + timedelta(days=1))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
PEM = _certificate(KEY)


class Internet:
    """What is fetched, and what has been."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.pem = PEM
        self.is_down = False

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if self.is_down:
            raise OSError("no route to host")
        return self.pem if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"


@pytest.fixture
def internet() -> Internet:
    return Internet()


@pytest.fixture
def guarded(internet: Internet) -> Iterator[Service]:
    with service(topics=[TOPIC], fetch=internet.fetch) as made:
        yield made


def signed(key: rsa.RSAPrivateKey = KEY, version: str = "1", **changes: Any) -> dict[str, Any]:
    """Returns a notification with the keys of the documented sample, signed."""
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "My First Message",
        "Message": json.dumps({"timestamp": "2030-01-07T12:00:00Z", "message": "m", "secret": SECRET}),
        "Timestamp": "2030-01-07T12:00:00.000Z",
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
        **changes,
    }
    found = {name: value for name, value in message.items() if value is not None}
    signature = key.sign(signed_text(found), padding.PKCS1v15(), HASHES[version]())
    return {**found, "SignatureVersion": version, "Signature": b64encode(signature).decode()}


def confirmation(**changes: Any) -> dict[str, Any]:
    given = {
        "Type": "SubscriptionConfirmation", "Token": "2336412f37", "SubscribeURL": SUBSCRIBE, "Subject": None,
        "Message": "You have chosen to subscribe to the topic.", **changes,
    }  # fmt: skip
    return signed(**given)


def test_what_is_signed_is_the_documented_text() -> None:
    """The example of the SNS developer guide, without its values."""
    assert signed_text(signed()).decode() == (
        "Message\n"
        + json.dumps({"timestamp": "2030-01-07T12:00:00Z", "message": "m", "secret": SECRET})
        + "\n"
        "MessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubject\nMy First Message\n"
        f"Timestamp\n2030-01-07T12:00:00.000Z\nTopicArn\n{TOPIC}\nType\nNotification\n"
    )
    assert signed_text(confirmation()).decode() == (
        "Message\nYou have chosen to subscribe to the topic.\n"
        "MessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\n"
        f"SubscribeURL\n{SUBSCRIBE}\nTimestamp\n2030-01-07T12:00:00.000Z\nToken\n2336412f37\n"
        f"TopicArn\n{TOPIC}\nType\nSubscriptionConfirmation\n"
    )


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["My First Message", None])
def test_a_notification_becomes_an_event(guarded: Service, version: str, subject: str | None) -> None:
    answer = guarded.ask("/", signed(version=version, Subject=subject))
    assert (answer.status_code, answer.json()) == (200, {"msg": "Accepted"})
    (record,) = guarded.client.list()
    assert record.job.description == (subject or record.job.description)
    guarded.play(1)
    assert guarded.events(1)[0].data == {"timestamp": "2030-01-07T12:00:00Z", "message": "m"}


def test_the_same_notification_is_one_event(guarded: Service) -> None:
    assert guarded.ask("/", signed()).json() == {"msg": "Accepted"}
    guarded.play(1)
    assert guarded.ask("/", signed()).json() == {"msg": "Accepted before"}
    guarded.play(10)
    assert guarded.ask("/", signed(MessageId="another")).json() == {"msg": "Accepted"}
    guarded.play(10)
    assert len(guarded.client.runs()) == len(guarded.events(2)) == 2


@pytest.mark.parametrize("message", ["plain text", "[1]", '"text"', "5", "{", "[" * 100_000])
def test_a_message_that_is_no_object_is_the_raw_message(internet: Internet, message: str) -> None:
    with service(secret=None, topics=[TOPIC], fetch=internet.fetch) as free:
        assert free.ask("/", signed(Message=message)).status_code == 200
        free.play(1)
        assert free.events(1)[0].data == {"rawMessage": message}


@pytest.mark.parametrize("secret", ["x", None, 5, True])
def test_a_notification_with_another_secret_inside_is_dropped(guarded: Service, secret: object) -> None:
    event = {"timestamp": "2030-01-07T12:00:00Z", "message": "m", "secret": secret}
    for message in (json.dumps(event), "plain text"):
        answer = guarded.ask("/", signed(Message=message))
        assert answer.status_code == 200
        assert answer.json()["msg"].startswith("Ignored: Secret on incoming request")
    assert guarded.client.list() == []


def test_a_notification_without_a_message_is_ignored(guarded: Service, internet: Internet) -> None:
    for message in ({"Type": "Notification"}, {"Type": "Notification", "Message": ""}):
        assert guarded.ask("/", message).status_code == 200
    assert (guarded.client.list(), internet.fetched) == ([], [])


def test_a_subscription_is_confirmed_by_its_url(guarded: Service, internet: Internet) -> None:
    answer = guarded.ask("/", confirmation())
    assert (answer.status_code, answer.json()) == (200, {"msg": f"Confirmed the subscription to {TOPIC}"})
    assert internet.fetched == [CERTIFICATE, SUBSCRIBE]


def test_the_end_of_a_subscription_is_only_noted(guarded: Service, internet: Internet) -> None:
    assert guarded.ask("/", confirmation(Type="UnsubscribeConfirmation")).status_code == 200
    assert internet.fetched == [CERTIFICATE]


def test_a_certificate_is_fetched_once(guarded: Service, internet: Internet) -> None:
    for each in range(3):
        guarded.ask("/", signed(MessageId=f"m-{each}"))
    assert internet.fetched == [CERTIFICATE]


def _with(message: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Returns a message that was changed after it was signed."""
    return {name: value for name, value in {**message, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param(_with(signed(), Message="other"), "the signature is not", id="other message"),
        pytest.param(_with(signed(), Subject=None), "the signature is not", id="without subject"),
        pytest.param(_with(signed(), MessageId="x"), "the signature is not", id="other ID"),
        pytest.param(
            _with(signed(), Timestamp="2030-01-07T12:00:01Z"), "the signature is not", id="other time"
        ),
        pytest.param(_with(signed(), SignatureVersion="2"), "the signature is not", id="other algorithm"),
        pytest.param(signed(OTHER_KEY), "the signature is not", id="other key"),
        pytest.param(_with(confirmation(), Token="x"), "the signature is not", id="other token"),
        pytest.param(_with(signed(), Signature="AAAA"), "the signature is not", id="short signature"),
        pytest.param(_with(signed(), Signature="!"), "in Base64", id="no Base64"),
        pytest.param(_with(signed(), Signature=None), "the signature is not", id="unsigned"),
        pytest.param(_with(signed(), SignatureVersion="3"), "SignatureVersion 1 or 2", id="version"),
        pytest.param(_with(signed(), SignatureVersion=1), "SignatureVersion 1 or 2", id="number"),
        pytest.param(_with(signed(), MessageId=None), "expected the key 'MessageId'", id="without ID"),
        pytest.param(_with(signed(), Timestamp=5), "expected the key 'Timestamp'", id="no text"),
        pytest.param(signed(TopicArn=TOPIC + "2"), "is not one of those", id="other topic"),
        pytest.param(_with(signed(), Type="Other"), "expected a message of SNS", id="type"),
        pytest.param({}, "expected a message of SNS", id="empty"),
        pytest.param({"Type": ["x"]}, "expected a message of SNS", id="list"),
        pytest.param(signed(Timestamp="2029-12-31T11:59:59Z"), "too long ago", id="old"),
        pytest.param(signed(Timestamp="yesterday"), "expected a Timestamp in ISO 8601", id="no time"),
        pytest.param(signed(Timestamp="2030-01-07T12:00:00"), "expected a Timestamp in ISO 8601", id="naive"),
    ],
)
def test_what_aws_has_not_signed_for_this_service_is_refused(
    guarded: Service, internet: Internet, message: dict[str, Any], words: str
) -> None:
    answer = guarded.ask("/", message)
    assert answer.status_code == 403
    assert words in answer.json()["errors"][0]
    assert guarded.client.list() == []
    assert SUBSCRIBE not in internet.fetched


URLS = [
    "http://sns.us-west-2.amazonaws.com/a.pem",
    "https://sns.us-west-2.amazonaws.com.evil.example/a.pem",
    "https://sns.us-west-2.amazonaws.com:8443/a.pem",
    "https://user@sns.us-west-2.amazonaws.com/a.pem",
    "https://evil.example/sns.us-west-2.amazonaws.com/a.pem",
    "https://evil.example#sns.us-west-2.amazonaws.com/a.pem",
    "https://s3.us-west-2.amazonaws.com/a.pem",
    "https://sns.us-west-2.amazonaws.com\\@evil.example/a.pem",
    "https://sns.us-west-2.amazonaws.com",
    "https://sns.us_west.amazonaws.com/a.pem",
    "https://sns.us-west-2.amazonaws.com/a\r\nHost: evil.example",
    "https://sns.us-west-2.amazonaws.com/ a.pem",
    "https://sns.us-west-2.amazonaws.com/ä.pem",
    "https://[::1/a.pem",
    "https://127.0.0.1/a.pem",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("url", URLS)
def test_nothing_is_fetched_from_another_host(guarded: Service, internet: Internet, url: str) -> None:
    assert guarded.ask("/", signed(SigningCertURL=url)).status_code == 403
    assert internet.fetched == []
    assert guarded.ask("/", confirmation(SubscribeURL=url)).status_code == 403
    assert internet.fetched == [CERTIFICATE]


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE,
        SUBSCRIBE,
        "https://sns.cn-north-1.amazonaws.com.cn/a.pem",
        "https://sns.us-gov-west-1.amazonaws.com/a",
    ],
)
def test_the_hosts_of_sns_are_known(url: str) -> None:
    assert checked_url(url, "x") == url


@pytest.mark.parametrize(
    "path",
    [
        "?Action=GetEndpointAttributes&EndpointArn=x&X-Amz-Signature=y",
        "?Action=GetEndpointAttributes&EndpointArn=x&y=.pem",
        "SimpleNotificationService-f3ec.pem?Action=GetEndpointAttributes",
        "SimpleNotificationService-f3ec.pem/../a.pem",
        "123456789012/queue.pem",
        "a.pem",
        "",
    ],
)
def test_what_anybody_can_put_at_the_host_of_sns_is_no_certificate(
    guarded: Service, internet: Internet, path: str
) -> None:
    """Calls of the API of SNS answer with what their callers have stored, such as a certificate of theirs."""
    internet.pem = b"<CustomUserData>" + PEM + b"</CustomUserData>"
    answer = guarded.ask("/", signed(SigningCertURL=f"https://sns.us-west-2.amazonaws.com/{path}"))
    assert (answer.status_code, internet.fetched) == (403, [])
    assert "as SigningCertURL" in answer.json()["errors"][0]


def test_the_secret_inside_a_notification_is_stored_nowhere(guarded: Service) -> None:
    assert guarded.ask("/", signed(Subject=None)).json() == {"msg": "Accepted"}
    (record,) = guarded.client.list()
    assert record.job.description == '{"timestamp":"2030-01-07T12:00:00Z","message":"m"}'
    assert SECRET not in record.model_dump_json()


def test_the_text_of_a_notification_describes_it(internet: Internet) -> None:
    with service(secret=None, topics=[TOPIC], fetch=internet.fetch) as free:
        free.ask("/", signed(Subject=None, Message="plain\ntext"))
        assert [record.job.description for record in free.client.list()] == ["plain text"]
        assert free.ask("/", signed(Message='{"a": NaN}', MessageId="2", Subject=None)).status_code == 400


def test_a_certificate_that_cannot_be_had_lets_sns_try_again(guarded: Service, internet: Internet) -> None:
    internet.is_down = True
    assert guarded.ask("/", signed()).status_code == 503
    internet.is_down = False
    assert guarded.ask("/", signed()).status_code == 200


@pytest.mark.parametrize(
    "pem",
    [b"", b"<html>", _certificate(ec.generate_private_key(ec.SECP256R1()))],
    ids=["empty", "page", "curve"],
)
def test_what_is_no_rsa_certificate_is_refused(guarded: Service, internet: Internet, pem: bytes) -> None:
    internet.pem = pem
    assert guarded.ask("/", signed()).status_code == 403


def test_a_failure_of_the_backend_lets_sns_try_again(guarded: Service) -> None:
    guarded.backend.close()
    answer = guarded.ask("/", signed())
    assert (answer.status_code, answer.json()) == (500, {"msg": "Failed. Please see logs"})


def test_a_service_without_topics_has_no_such_path() -> None:
    with service() as plain:
        assert plain.ask("/", signed()).status_code == 404


def test_a_notification_is_no_task(guarded: Service) -> None:
    guarded.ask("/", signed())
    (record,) = guarded.client.list()
    assert guarded.cancel(f"urn:stepsched:task:{record.name}").status_code == 404
    assert guarded.get("/tasks", {"x-secret": SECRET}).json()["tasks"] == []


def test_a_large_message_and_a_subject_with_lines_are_kept(internet: Internet) -> None:
    with service(secret=None, topics=[TOPIC], fetch=internet.fetch) as free:
        text = "ä" * 100_000
        assert free.ask("/", signed(Message=text, Subject="a\nb\x00c" + "d" * 600)).status_code == 200
        free.play(1)
        assert free.events(1)[0].data == {"rawMessage": text}


def test_an_object_of_another_shape_is_an_event_too(internet: Internet) -> None:
    with service(secret=None, topics=[TOPIC], fetch=internet.fetch) as free:
        assert free.ask("/", signed(Message='{"a": {"b": 1}}')).status_code == 200
        free.play(1)
        assert free.events(1)[0].data == {"a": {"b": 1}}


def test_the_event_in_a_message() -> None:
    assert event_in('{"a": 1}') == {"a": 1}
    assert event_in("x") == {"rawMessage": "x"}


def test_a_message_that_is_too_large_to_store_is_refused(internet: Internet) -> None:
    with service(secret=None, topics=[TOPIC], fetch=internet.fetch) as free:
        answer = free.ask("/", signed(Message="a" * 262_144))
        assert answer.status_code == 400
        assert "expected at most 262,144 bytes of JSON" in answer.json()["errors"][0]


# -- fetching ----------------------------------------------------------------------------------------------


class _Answers(BaseHTTPRequestHandler):
    """Answers by the path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        match self.path:
            case "/redirect":
                self.send_response(302)
                self.send_header("Location", "/ok?a=1")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "/garbage":
                self.wfile.write(b"garbage\r\n\r\n")
                self.close_connection = True
            case _:
                content = self.path.encode() if self.path != "/large" else b"a" * 65_537
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with a certificate that this process trusts."""
    now = utc_now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    key = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "localhost.pem"
    path.write_bytes(key + builder.sign(KEY, SHA256()).public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with ThreadingHTTPServer(("localhost", 0), _Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_what_a_url_has_is_fetched(secure: str) -> None:
    assert fetch(f"{secure}/ok?a=1") == b"/ok?a=1"
    assert fetch(secure) == b"/"


@pytest.mark.parametrize(
    ("path", "words"),
    [("/redirect", "answered 302"), ("/large", "65,537 bytes"), ("/garbage", "what is no HTTP")],
)
def test_a_redirect_is_not_followed_and_a_wrong_answer_is_none(secure: str, path: str, words: str) -> None:
    with pytest.raises(OSError, match=words):
        fetch(f"{secure}{path}")


def test_a_server_that_is_not_trusted_is_not_asked(secure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(OSError, match="certificate verify failed"):
        fetch(f"{secure}/ok")


def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OSError, match="refused"):
        fetch("https://127.0.0.1:9/x")


def test_only_the_latest_certificates_are_kept(guarded: Service, internet: Internet) -> None:
    urls = [CERTIFICATE.replace("Service-", f"Service-{number}") for number in range(17)]
    for url in [*urls, urls[-1], urls[0]]:
        assert guarded.ask("/", signed(SigningCertURL=url)).status_code == 200
    assert internet.fetched == [*urls, urls[0]]
