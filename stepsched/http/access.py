"""Who may use an application of this package: checks of the host, the origin and the token of a request."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from stepsched.core.clock import Clock, SystemClock
from stepsched.http.headers import SAFE_METHODS, bearer_token_in, is_visible
from stepsched.webhooks.hosts import literal_of

LEAST_TOKEN = 16
"""The minimum number of characters of a token."""
COOKIE = "stepsched_session"
"""The name of the cookie of a session."""
_SESSION = timedelta(days=7)
"""How long a session lasts."""
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]/@]+)(?::[0-9]{1,5})?")


class Access:
    """Decides which requests are answered.

    The token is compared in constant time. A session is a signed instant, from which the token cannot be
    read; it ends after seven days, and when the token is replaced.
    """

    def __init__(
        self, token: str | None = None, *, hosts: Collection[str] = (), clock: Clock | None = None
    ) -> None:
        """Creates the checks.

        Args:
            token: The token of all who may read and change jobs. None: nobody needs one.
            hosts: The names by which the application is reached, besides those of this machine for itself.
                ``*``: any name.
            clock: The clock. None: the machine's clock.

        Raises:
            ValueError: The token has fewer than 16 characters, or characters other than visible ASCII.
        """
        if token is not None and (len(token) < LEAST_TOKEN or not is_visible(token)):
            raise ValueError(
                f"expected at least {LEAST_TOKEN} visible characters of ASCII for token, got "
                f"{len(token)} characters; use one such as `openssl rand -hex 32` prints"
            )
        self._token = None if token is None else token.encode()
        self._hosts = names_of_hosts(hosts) | {"localhost"}
        self._clock: Clock = clock or SystemClock()
        self._key = (
            secrets.token_bytes(32) if token is None else sha256(b"stepsched:" + token.encode()).digest()
        )

    def __repr__(self) -> str:
        return f"<Access: {'a token' if self._token else 'no token'}, hosts {', '.join(sorted(self._hosts))}>"

    def why_refused(self, connection: HTTPConnection) -> tuple[int, str] | None:
        """Returns the status and the reason with which a request is refused whoever sends it, or None.

        The name of the host must be known: another site could have its own name point here. An IP address is
        no such name. Browsers say from where a request comes; other sites may link to the page, and nothing
        else.
        """
        host = host_of(connection)
        if not {"*", host} & self._hosts and literal_of(host) is None:
            return 421, "unknown host; name it with --allow-host, or hosts= of site_app()"
        method = str(connection.scope.get("method", "GET"))
        origin = connection.headers.get("origin")
        if origin is not None and method not in SAFE_METHODS and not is_same_origin(origin, connection):
            return 403, "the request comes from another site"
        site = connection.headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") and not _is_visit(connection, method):
            return 403, "the request comes from another site"
        return None

    def is_allowed(self, connection: HTTPConnection) -> bool:
        """Returns whether a request has the token, in the header ``Authorization``, or a session."""
        if self._token is None:
            return True
        given = bearer_token_in(connection.headers)
        return self.has_session(connection) if given is None else self.is_token(given)

    def is_token(self, given: str) -> bool:
        """Returns whether a text is the token."""
        return self._token is not None and hmac.compare_digest(given.encode(), self._token)

    # -- sessions --------------------------------------------------------------------------------------

    def begin_session(self, request: Request, answer: Response) -> None:
        """Has the browser that gets this answer send the cookie of a new session from now on."""
        end = int((self._clock.now() + _SESSION).timestamp())
        text = f"{end}.{secrets.token_hex(16)}"
        answer.set_cookie(
            COOKIE,
            f"{text}.{self._sign('session', text)}",
            max_age=int(_SESSION.total_seconds()),
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )

    def end_session(self, answer: Response) -> None:
        """Has the browser forget its session."""
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")

    def has_session(self, connection: HTTPConnection) -> bool:
        """Returns whether a request has the cookie of a session that has not ended."""
        text, _, signature = connection.cookies.get(COOKIE, "").rpartition(".")
        end = text.partition(".")[0]
        if self._token is None or not end.isascii() or not end.isdigit() or len(end) > 12:
            return False
        is_signed = hmac.compare_digest(signature.encode(), self._sign("session", text).encode())
        return is_signed and self._clock.now() < datetime.fromtimestamp(int(end), timezone.utc)

    # -- forms -----------------------------------------------------------------------------------------

    def form_token(self, connection: HTTPConnection) -> str:
        """Returns what the forms of a page carry, which another site cannot know. It belongs to the session
        of the request."""
        return self._sign("form", connection.cookies.get(COOKIE, ""))

    def is_own_form(self, connection: HTTPConnection, given: str) -> bool:
        """Returns whether a form was on a page of this session."""
        return hmac.compare_digest(given.encode(), self.form_token(connection).encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), sha256).hexdigest()


def names_of_hosts(hosts: Collection[str]) -> frozenset[str]:
    """Returns names of hosts in the form of :func:`host_of`."""
    return frozenset(host.lower().strip("[]") for host in hosts)


def host_of(connection: HTTPConnection) -> str:
    """Returns the name of the host that was asked, without its port and brackets, in lower case. Empty: the
    request names none."""
    found = _HOST.fullmatch(connection.headers.get("host", ""))
    return "" if found is None else found["name"].lower().strip("[]").rstrip(".")


def route_path(connection: HTTPConnection) -> str:
    """Returns the path of a request below that under which the application is mounted."""
    path, root = str(connection.scope.get("path", "")), str(connection.scope.get("root_path", ""))
    return path.removeprefix(root.rstrip("/")) or "/"


def is_of_other_site(connection: HTTPConnection) -> bool:
    """Returns whether a browser says that a page of another site sends the request."""
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None:
        return site not in ("none", "same-origin")
    return origin is not None and not is_same_origin(origin, connection)


def _is_visit(connection: HTTPConnection, method: str) -> bool:
    """Returns whether a person has followed a link to the page."""
    path, mode = route_path(connection), connection.headers.get("sec-fetch-mode")
    return method == "GET" and mode == "navigate" and (path == "/" or path.startswith("/page/"))


def is_same_origin(origin: str, connection: HTTPConnection) -> bool:
    """Returns whether an origin is the host that was asked. The scheme is left out, for a proxy may have
    ended the encryption."""
    try:
        return urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower()
    except ValueError:
        return False
