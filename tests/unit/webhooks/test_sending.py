"""Calls to URLs, against real servers on 127.0.0.1."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

import stepsched as ss
from stepsched.core.clock import SystemClock, utc_now
from stepsched.webhooks.addresses import PrivateHosts
from stepsched.webhooks.sending import MOST_READ, DeliveryError, Sender, WebhookCall
from tests.unit.webhooks.receiver import LOCAL, Receiver

SECRET, OTHER = "whsec_" + "A" * 43 + "=", "whsec_" + "B" * 43 + "="
T0 = datetime(2030, 1, 7, 9, tzinfo=timezone.utc)
SHORT, LONG = timedelta(milliseconds=300), timedelta(seconds=60)


def call(url: str, **changes: Any) -> WebhookCall:
    given = WebhookCall(
        url, "POST", {}, (SECRET,), b'{"n":1}', id="msg_1", job="report", scheduled_for=T0, attempt=1
    )
    return given._replace(**changes)


def send(url: str, limit: timedelta | None = LONG, **changes: Any) -> str | None:
    return Sender(PrivateHosts(LOCAL)).send(call(url, **changes), limit)


def failure(url: str, limit: timedelta | None = LONG, **changes: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(url, limit, **changes)
    return caught.value


# -- what is sent --------------------------------------------------------------------------------------


def test_a_call_has_the_body_and_the_headers_of_the_run(receiver: Receiver) -> None:
    send(receiver.url + "?a=1&b=%20", headers={"X-Team": "a b"}, attempt=3)
    ((method, path, headers, body),) = receiver.requests
    assert (method, path, body) == ("POST", "/hook?a=1&b=%20", b'{"n":1}')
    assert headers.pop("webhook-timestamp").isdigit()
    assert headers.pop("webhook-signature").startswith("v1,")
    assert headers == {
        "host": receiver.url.split("/")[2],
        "user-agent": f"stepsched/{ss.__version__}",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": "7",
        "x-team": "a b",
        "webhook-id": "msg_1",
        "stepsched-job": "report",
        "stepsched-scheduled-for": "2030-01-07T09:00:00Z",
        "stepsched-attempt": "3",
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD"])
def test_every_method_is_sent_and_signed(receiver: Receiver, method: str) -> None:
    body = None if method in ("GET", "HEAD") else b"{}"
    send(receiver.url, method=method, body=body)
    (request,) = receiver.requests
    assert (request.method, request.body) == (method, body or b"")
    assert ss.verify_webhook(body or b"", request.headers, secret=SECRET) == "msg_1"
    assert ("content-type" in request.headers) == (body is not None)


def test_the_library_of_the_scheme_verifies_a_call(receiver: Receiver) -> None:
    send(receiver.url)
    (request,) = receiver.requests
    assert standardwebhooks.Webhook(SECRET).verify(request.body, request.headers) == {"n": 1}


def test_both_secrets_sign_while_they_rotate(receiver: Receiver) -> None:
    send(receiver.url, secrets=(OTHER, SECRET))
    (request,) = receiver.requests
    for secret in (SECRET, OTHER):
        standardwebhooks.Webhook(secret).verify(request.body, request.headers)


def test_a_call_without_secret_has_no_signature(receiver: Receiver) -> None:
    send(receiver.url, secrets=())
    (request,) = receiver.requests
    assert "webhook-signature" not in request.headers
    assert request.headers["webhook-id"] == "msg_1"


def test_a_secret_may_be_in_the_environment(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET + "\n")
    send(receiver.url, secrets=("env:HOOK_SECRET",))
    (request,) = receiver.requests
    assert ss.verify_webhook(request.body, request.headers, secret=SECRET) == "msg_1"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "the environment variable HOOK_SECRET of the signing secret is not set"),
        ("tooshort", "expected a signing secret of 24 to 64 bytes in base64, got 6 bytes"),
        ("no base64", "text that is not base64"),
    ],
)
def test_nothing_is_sent_without_the_secret_of_the_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, value: str | None, words: str
) -> None:
    if value is not None:
        monkeypatch.setenv("HOOK_SECRET", value)
    error = failure(receiver.url, secrets=("env:HOOK_SECRET",))
    assert words in str(error)
    assert value is None or value not in str(error)
    assert receiver.requests == []


def test_given_headers_replace_the_usual_ones_but_not_those_of_the_run(receiver: Receiver) -> None:
    forged = {"Webhook-Id": "forged", "Stepsched-Attempt": "9"}
    send(
        receiver.url, headers={"Content-Type": "application/cloudevents+json", "User-Agent": "mine", **forged}
    )
    (request,) = receiver.requests
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.headers["user-agent"] == "mine"
    assert request.headers["webhook-id"] == "msg_1"
    assert request.headers["stepsched-attempt"] == "1"


@pytest.mark.parametrize(
    ("job", "sent"),
    [("naïve 100%", "na%C3%AFve 100%25"), ("a\nb", "a%0Ab"), ("a b/c", "a b/c"), ("日", "%E6%97%A5")],
)
def test_the_name_of_a_job_is_percent_encoded(receiver: Receiver, job: str, sent: str) -> None:
    send(receiver.url, job=job)
    assert receiver.requests[0].headers["stepsched-job"] == sent


def test_the_scheduled_instant_is_in_utc_with_its_fraction(receiver: Receiver) -> None:
    zone = timezone(timedelta(hours=2))
    send(receiver.url, scheduled_for=datetime(2030, 1, 7, 11, 0, 0, 250_000, zone))
    assert receiver.requests[0].headers["stepsched-scheduled-for"] == "2030-01-07T09:00:00.250000Z"


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    send(receiver.url)
    assert len(receiver.requests) == 1


# -- success and failure -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_status_from_200_to_299_is_success(receiver: Receiver, status: int) -> None:
    receiver.answer(status)
    assert send(receiver.url) is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (304, "304 Not Modified"),
        (400, "400 Bad Request"),
        (401, "401 Unauthorized"),
        (404, "404 Not Found"),
        (500, "500 Internal Server Error"),
        (599, "599"),
    ],
)
def test_every_other_status_is_a_failure(receiver: Receiver, status: int, words: str) -> None:
    receiver.answer(status)
    error = failure(receiver.url)
    assert str(error).startswith(f"127.0.0.1 answered {words}")
    assert (error.retry_after, error.is_gone) == (None, False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_failures_and_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer(status, headers={"location": receiver.url.replace("/hook", "/other")})
    assert "redirects are not followed" in str(failure(receiver.url))
    assert [request.path for request in receiver.requests] == ["/hook"]


def test_status_410_says_that_the_receiver_is_gone(receiver: Receiver) -> None:
    receiver.answer(410)
    error = failure(receiver.url)
    assert error.is_gone
    assert str(error) == "127.0.0.1 answered 410 Gone"


def test_an_error_quotes_the_beginning_of_the_answer_in_one_line(receiver: Receiver) -> None:
    receiver.answer(500, body=b"line one\r\nline two \x1b[31m" + b"x" * 1_000)
    words = str(failure(receiver.url))
    assert words.startswith(
        "127.0.0.1 answered 500 Internal Server Error: line one\\r\\nline two \\x1b[31mxxx"
    )
    assert len(words) < 300


@pytest.mark.parametrize(
    ("status", "value", "pause"),
    [
        (429, "120", timedelta(seconds=120)),
        (503, "0", timedelta(0)),
        (503, "9" * 18, timedelta(days=365)),
        (503, "9" * 5_000, None),
        (429, "-1", None),
        (429, "1.5", None),
        (429, "soon", None),
        (429, "", None),
        (429, "Wed, 21 Oct 2015 07:28:00 GMT", timedelta(0)),
        (429, "Mon, 99 Foo 2030 07:28:00 GMT", None),
        (500, "120", None),
        (302, "120", None),
    ],
    ids=repr,
)
def test_retry_after_in_seconds_counts_for_429_and_503(
    receiver: Receiver, status: int, value: str, pause: timedelta | None
) -> None:
    receiver.answer(status, headers={"retry-after": value})
    assert failure(receiver.url).retry_after == pause


def test_retry_after_may_be_a_date(receiver: Receiver) -> None:
    until = utc_now() + timedelta(hours=1)
    receiver.answer(503, headers={"retry-after": format_datetime(until, usegmt=True)})
    pause = failure(receiver.url).retry_after
    assert pause is not None
    assert timedelta(minutes=58) < pause <= timedelta(hours=1)


# -- answers -------------------------------------------------------------------------------------------


def test_the_answer_is_the_output(receiver: Receiver) -> None:
    receiver.answer(200, body='{"ok": "ü"}'.encode())
    assert send(receiver.url) == '{"ok": "ü"}'


def test_the_output_is_cut_and_bytes_that_are_no_text_are_replaced(receiver: Receiver) -> None:
    receiver.answer(200, body=b"\xff" + b"x" * 10_000)
    assert send(receiver.url) == "\ufffd" + "x" * 4_095


def endless(receiver: Receiver, sent: list[int]) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while not receiver.ended.is_set():
                handler.wfile.write(b"x" * 65_536)
                sent.append(65_536)
        except OSError:
            pass

    return answer


def test_an_endless_answer_is_left_after_its_beginning(receiver: Receiver) -> None:
    receiver.answers.put(endless(receiver, []))
    output = send(receiver.url)
    assert output is not None
    assert set(output) == {"x"}


def test_an_answer_that_stands_for_more_bytes_is_not_decoded(receiver: Receiver) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < MOST_READ
    receiver.answer(200, headers={"content-encoding": "gzip"}, body=bomb)
    receiver.answer(500, headers={"content-encoding": "gzip"}, body=bomb)
    assert send(receiver.url) is None
    assert str(failure(receiver.url)) == "127.0.0.1 answered 500 Internal Server Error"


def test_an_answer_that_breaks_off_after_its_status_is_a_success(receiver: Receiver) -> None:
    receiver.answer(200, headers={"content-length": "100"}, body=b"half")
    assert send(receiver.url) == "half"


# -- time ----------------------------------------------------------------------------------------------


def silent(receiver: Receiver) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(_handler: BaseHTTPRequestHandler) -> None:
        receiver.ended.wait()

    return answer


def dripping(receiver: Receiver, first: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Sends a byte now and then, each long before any timeout of a single read."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(first)
            while not receiver.ended.wait(0.02):
                handler.wfile.write(b"x")
        except OSError:
            pass

    return answer


def test_a_server_that_does_not_answer_is_given_up(receiver: Receiver) -> None:
    receiver.answers.put(silent(receiver))
    assert str(failure(receiver.url, SHORT)) == "127.0.0.1 did not answer within 0:00:00.300000"


def test_headers_that_come_byte_by_byte_do_not_prolong_the_deadline(receiver: Receiver) -> None:
    receiver.answers.put(dripping(receiver, b"HTTP/1.1 200 OK\r\nx-slow: "))
    assert "did not answer within" in str(failure(receiver.url, SHORT))


def test_interim_answers_do_not_prolong_the_deadline(receiver: Receiver) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        try:
            while not receiver.ended.wait(0.02):
                handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        except OSError:
            pass

    receiver.answers.put(answer)
    assert "did not answer within" in str(failure(receiver.url, SHORT))


def test_a_body_that_comes_byte_by_byte_is_left_at_the_deadline(receiver: Receiver) -> None:
    """The status has said that the call has succeeded."""
    receiver.answers.put(dripping(receiver, b"HTTP/1.1 200 OK\r\n\r\n"))
    began = SystemClock().monotonic()
    output = send(receiver.url, SHORT)
    assert output is not None
    assert set(output) == {"x"}
    assert SystemClock().monotonic() - began < 30


def test_a_resolver_that_hangs_is_given_up() -> None:
    ended = threading.Event()

    def lookup(_host: str, _port: int) -> list[str]:
        ended.wait()
        return []

    try:
        with pytest.raises(DeliveryError, match=r"slow.example could not be resolved in time"):
            Sender(PrivateHosts(), lookup).send(call("https://slow.example/"), SHORT)
    finally:
        ended.set()


# -- connections ---------------------------------------------------------------------------------------


def test_an_address_that_is_not_public_is_not_connected_to(receiver: Receiver) -> None:
    with pytest.raises(DeliveryError, match=r"127.0.0.1 is a loopback address, which may be called only if"):
        Sender(PrivateHosts()).send(call(receiver.url))
    assert receiver.requests == []


def test_a_name_that_resolves_to_a_private_address_is_not_called(receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    sender = Sender(PrivateHosts(), lambda _host, _port: ["127.0.0.1"])
    with pytest.raises(DeliveryError, match=r"hooks.example.com is 127.0.0.1, a loopback address"):
        sender.send(call(f"http://hooks.example.com:{port}/"))
    assert receiver.requests == []


def test_a_name_is_resolved_once_and_the_checked_address_is_called(receiver: Receiver) -> None:
    """A second answer of the resolver, after the check, would not be seen."""
    port = receiver.url.split(":")[2].split("/")[0]
    asked = list[tuple[str, int]]()

    def lookup(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    Sender(PrivateHosts(LOCAL), lookup).send(call(f"http://hooks.example.com:{port}/"), LONG)
    assert asked == [("hooks.example.com", int(port))]
    assert receiver.requests[0].headers["host"] == f"hooks.example.com:{port}"


def test_further_addresses_are_tried(receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    sender = Sender(PrivateHosts(["127.0.0.0/8"]), lambda _host, _port: ["127.0.0.3", "127.0.0.1"])
    sender.send(call(f"http://hooks.example.com:{port}/"), LONG)
    assert len(receiver.requests) == 1


def test_a_refused_connection_is_an_error_of_the_call(receiver: Receiver) -> None:
    assert "the call to 127.0.0.1 failed: [Errno" in str(failure("http://127.0.0.1:1/"))


def test_a_server_that_speaks_no_http_is_an_error_of_the_call(receiver: Receiver) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-x\r\n\r\n")

    receiver.answers.put(answer)
    assert "the call to 127.0.0.1 failed: " in str(failure(receiver.url))


# -- secrets -------------------------------------------------------------------------------------------


def test_a_server_that_repeats_what_it_was_sent_does_not_disclose_secrets(receiver: Receiver) -> None:
    """The output and the error of a run are stored and shown."""
    headers = {"Authorization": "Bearer s3cr3t-t0ken", "X-Api-Key": "k-1234567890", "X-Team": "blue"}
    said = json.dumps(headers).encode()
    receiver.answer(200, 500, body=said)
    output = send(receiver.url, headers=headers)
    error = str(failure(receiver.url, headers=headers))
    for text in (output or "", error):
        assert "blue" in text
        assert "s3cr3t" not in text
        assert "1234567890" not in text


# -- TLS -----------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> Path:
    """Makes a certificate for a name, which signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(utc_now() - timedelta(days=1))
        .not_valid_after(utc_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def serving_tls(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Serves one name over TLS; yields the port, and the names that callers ask for."""
    asked = list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A caller that refuses the certificate is no error."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.sni_callback = lambda _socket, name, _context: asked.append(name) if name else None
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_certificate_is_that_of_the_name_although_the_address_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path, "hooks.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    sender = Sender(PrivateHosts(LOCAL), lambda _host, _port: ["127.0.0.1"])
    with serving_tls(path) as (port, asked):
        sender.send(call(f"https://hooks.example.com:{port}/"), LONG)
        assert asked == ["hooks.example.com"]
        with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
            sender.send(call(f"https://other.example.com:{port}/"), LONG)


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path) -> None:
    path = certificate(tmp_path, "hooks.example.com")
    sender = Sender(PrivateHosts(LOCAL), lambda _host, _port: ["127.0.0.1"])
    with serving_tls(path) as (port, _), pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
        sender.send(call(f"https://hooks.example.com:{port}/"), LONG)
