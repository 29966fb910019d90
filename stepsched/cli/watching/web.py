"""What ``serve --http`` serves beside the jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

import stepsched as ss
from stepsched.cli.failures import Failure
from stepsched.cli.input.addresses import SECRET, TOKEN, Address, read_secret

if TYPE_CHECKING:
    import socket

    from starlette.applications import Starlette

HANDLERS = "stepsched.http.one_shot"
"""The module whose function delivers one-shot tasks."""
_MODULES = ("anyio", "cryptography", "httpx", "sse_starlette", "starlette", "uvicorn")
"""The modules of the extra."""


class Web(NamedTuple):
    """The options of ``serve`` that concern HTTP, checked."""

    address: Address
    token: str | None
    secret: str | None
    targets: Sequence[str]
    hosts: Sequence[str]


def checked(
    address: Address | None,
    *,
    token_file: str | None,
    secret_file: str | None,
    targets: Sequence[str],
    hosts: Sequence[str],
) -> Web | None:
    """Returns the options; None without ``--http``.

    Raises:
        UsageError: An option needs ``--http``, a file cannot be read, or other machines would reach the
            server without a token.
    """
    if address is None:
        files = {"--token-file": token_file, "--secret-file": secret_file}
        options = {**files, "--allow-target": targets, "--allow-host": hosts}
        given = next((name for name, value in options.items() if value), None)
        if given is not None:
            raise click.UsageError(f"expected --http HOST:PORT with {given}, got none")
        return None
    token = read_secret(token_file, TOKEN, "--token-file")
    secret = read_secret(secret_file, SECRET, "--secret-file")
    for variable in (TOKEN, SECRET):  # the commands of jobs would inherit them
        os.environ.pop(variable, None)
    if token is None and not address.is_loopback:
        raise click.UsageError(
            f"expected a token, since other machines reach {address.host}; use --token-file FILE, with a "
            f"line such as `openssl rand -hex 32` prints, or {TOKEN}"
        )
    known = [] if address.is_any else [address.host]
    return Web(address, token, secret, targets, [*known, *hosts])


def handlers_of(web: Web | None) -> Sequence[str]:
    """Returns the modules whose functions the jobs of the applications call."""
    return [] if web is None else [HANDLERS]


@contextmanager
def listening(web: Web | None) -> Iterator[socket.socket | None]:
    """Binds the address while the block runs; None without ``--http``.

    Raises:
        UsageError: The extra is not installed.
        Failure: The address cannot be had.
    """
    if web is None:
        yield None
        return
    try:
        from stepsched.http import serving
    except ModuleNotFoundError as error:
        raise _without_extra(error) from error
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(serving.listening(web.address.host, web.address.port))
        except OSError as error:
            raise Failure(f"{error}; use another port, or :0 for a free one") from error
        yield opened


@contextmanager
def serving_beside(
    web: Web | None, opened: socket.socket | None, backend: ss.LocalBackend, say: Callable[[str], object]
) -> Iterator[Callable[[], object]]:
    """Serves the page and the applications while the block runs; nothing without ``--http``. Gives a function
    that has them end before.

    Args:
        web: The options.
        opened: The socket at which they listen.
        backend: The backend, which others start.
        say: Prints the line with the URL.

    Raises:
        UsageError: The token is too short, or a kind of target is unknown.
    """
    if web is None or opened is None:
        yield bool  # there is nothing to end
        return
    from stepsched.http import serving

    app = _site(web, backend)
    with serving.serving(app, opened) as end:
        say(f"open {serving.url_of(opened)}{' with the token' if web.token else ''}")
        yield end


def _site(web: Web, backend: ss.LocalBackend) -> Starlette:
    try:
        from stepsched.http.site import site_app
    except ModuleNotFoundError as error:
        raise _without_extra(error) from error
    try:
        return site_app(
            ss.SchedulerClient(backend),
            secret=web.secret,
            token=web.token,
            allow_targets=web.targets,
            hosts=web.hosts,
            title="" if backend.path is None else Path(backend.path).name,
            runs_jobs=False,
        )
    except ValueError as error:
        raise click.UsageError(f"cannot serve --http: {error}") from error


def _without_extra(error: ModuleNotFoundError) -> Exception:
    """Returns the error about a missing extra; the given one if something else is missing."""
    if (error.name or "").partition(".")[0] not in _MODULES:
        return error
    return click.UsageError("--http needs the extra: pip install 'stepsched[cli,http]'")
