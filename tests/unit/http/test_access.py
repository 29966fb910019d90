"""Who is let in: by the name of the host, the origin, the token and the session."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from starlette.requests import Request
from starlette.responses import Response

from stepsched.http.access import COOKIE, Access
from stepsched.testing import FakeClock

NOW = datetime(2030, 1, 7, tzinfo=timezone.utc)
TOKEN = "correct-horse-battery"


def request(method: str = "GET", path: str = "/", scheme: str = "http", **headers: str) -> Request:
    given = {"host": "localhost:8080", **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in given.items() if value]
    return Request(
        {
            "type": "http",
            "method": method,
            "path": path,
            "root_path": "",
            "scheme": scheme,
            "query_string": b"",
            "headers": raw,
            "server": ("127.0.0.1", 8080),
        }
    )


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("localhost", True),
        ("LOCALHOST:8080", True),
        ("127.0.0.1:8080", True),
        ("192.168.1.7:8080", True),
        ("[::1]:8080", True),
        ("jobs.example.com", True),
        ("Jobs.Example.com.:443", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("jobs.example.com@evil.example", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_only_known_hosts_and_addresses_are_answered(host: str, is_known: bool) -> None:
    access = Access(hosts=["jobs.example.com"])
    assert (access.why_refused(request(host=host)) is None) is is_known


def test_any_host_can_be_allowed() -> None:
    assert Access(hosts=["*"]).why_refused(request(host="any.example")) is None


@pytest.mark.parametrize(
    ("method", "path", "headers", "is_answered"),
    [
        ("POST", "/page/do", {}, True),
        ("POST", "/page/do", {"origin": "http://localhost:8080"}, True),
        ("POST", "/page/do", {"origin": "https://localhost:8080"}, True),
        ("POST", "/page/do", {"origin": "http://localhost:9090"}, False),
        ("POST", "/schedule", {"origin": "https://evil.example"}, False),
        ("POST", "/page/do", {"origin": "null"}, False),
        ("POST", "/page/do", {"origin": "http://["}, False),
        ("DELETE", "/v1/jobs/x", {"sec_fetch_site": "cross-site"}, False),
        ("POST", "/page/do", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, False),
        ("GET", "/", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, True),
        ("GET", "/page/job", {"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate"}, True),
        ("GET", "/schedule", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, False),
        ("GET", "/schedule", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, False),
        ("GET", "/", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, False),
        ("GET", "/page/changes", {"sec_fetch_site": "same-origin"}, True),
    ],
)
def test_other_sites_may_link_here_and_do_nothing_else(
    method: str, path: str, headers: dict[str, str], is_answered: bool
) -> None:
    assert (Access().why_refused(request(method, path, **headers)) is None) is is_answered


@pytest.mark.parametrize(
    ("header", "is_allowed"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer  {TOKEN} ", True),
        (f"Bearer {TOKEN}x", False),
        (f"Basic {TOKEN}", False),
        (TOKEN, False),
        ("Bearer \xe9", False),
        ("", False),
    ],
)
def test_the_token_is_asked_for(header: str, is_allowed: bool) -> None:
    assert Access(TOKEN).is_allowed(request(authorization=header)) is is_allowed


def test_without_a_token_everybody_is_allowed_and_nothing_is_a_token() -> None:
    assert Access().is_allowed(request())
    assert not Access().is_token("")


@pytest.mark.parametrize("token", ["", "short", "with a blank in it", "é" * 20, "line\nbreak-and-more"])
def test_a_weak_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValueError, match="expected at least 16 visible characters") as caught:
        Access(token)
    assert not token or token not in str(caught.value)


def test_it_does_not_show_its_token() -> None:
    assert TOKEN not in repr(Access(TOKEN))


def session(access: Access, scheme: str = "http") -> str:
    answer = Response()
    access.begin_session(request(scheme=scheme), answer)
    return answer.headers["set-cookie"]


def cookie_of(access: Access) -> str:
    return session(access).partition(";")[0]


def test_a_session_ends_after_seven_days_and_with_its_token() -> None:
    clock = FakeClock(NOW)
    access = Access(TOKEN, clock=clock)
    cookie = cookie_of(access)
    assert access.has_session(request(cookie=cookie))
    assert Access(TOKEN, clock=clock).has_session(request(cookie=cookie))
    assert not Access(TOKEN + "x", clock=clock).has_session(request(cookie=cookie))
    assert not Access(clock=clock).has_session(request(cookie=cookie))
    clock.move_to(NOW + timedelta(days=7))
    assert not access.has_session(request(cookie=cookie))


def test_a_session_cannot_be_made_up_or_prolonged() -> None:
    access = Access(TOKEN, clock=FakeClock(NOW))
    name, _, value = cookie_of(access).partition("=")
    end, rest = value.split(".", 1)
    for forged in (
        f"{int(end) + 1}.{rest}",
        f"{end}.",
        "",
        "x",
        f"²{end}.{rest}",
        f"{end}.{rest}0",
        "9" * 50,
    ):
        assert not access.has_session(request(cookie=f"{name}={forged}".encode().decode("latin-1")))


def test_the_cookie_is_for_this_site_alone_and_holds_no_token() -> None:
    access = Access(TOKEN)
    assert session(access).startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(session(access).split("; "))
    assert "Secure" not in session(access)
    assert "Secure" in session(access, "https").split("; ")
    assert TOKEN not in session(access)


def test_the_token_of_forms_belongs_to_a_session() -> None:
    access = Access(TOKEN)
    one, other = request(cookie=cookie_of(access)), request(cookie=cookie_of(access))
    assert access.is_own_form(one, access.form_token(one))
    assert not access.is_own_form(other, access.form_token(one))
    assert not Access().is_own_form(one, access.form_token(one))
