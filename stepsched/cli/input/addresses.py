"""The address that ``serve --http`` listens at, and the secrets that come from files or the environment."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import click

TOKEN, SECRET = "STEPSCHED_HTTP_TOKEN", "STEPSCHED_HTTP_SECRET"
"""The variables that hold the token of ``serve --http``, and the secret of one-shot tasks."""
_FORM = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\[\]:/@\s]*):(?P<port>[0-9]{1,5})")
_LONGEST = 4_096


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    """The name or the IP address, without brackets."""
    port: int
    """The port. 0: any free one."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def is_any(self) -> bool:
        """Whether it stands for all addresses of this machine."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False


class AddressType(click.ParamType):  # type: ignore[type-arg, unused-ignore] # newer clicks have one
    """An address: ``127.0.0.1:8080``, ``[::1]:8080``, ``localhost:8080``, or ``:8080`` for this machine
    alone."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Returns the address."""
        if isinstance(value, Address):
            return value
        found = _FORM.fullmatch(value)
        if found is None or int(found["port"]) > 65_535 or not _is_host(found["host"]):
            way = f"; use 127.0.0.1:{value}" if value.isascii() and value.isdigit() else ""
            self.fail(f"expected HOST:PORT such as 127.0.0.1:8080, got {value!r}{way}", param, ctx)
        return Address(found["host"].strip("[]") or "127.0.0.1", int(found["port"]))


def _is_host(text: str) -> bool:
    if not text.startswith("["):
        return "*" not in text
    try:
        return ip_address(text[1:-1]).version == 6
    except ValueError:
        return False


def read_secret(file: str | None, variable: str, option: str) -> str | None:
    """Returns a secret from the first line of a file, or from a variable of the environment; None if neither
    is given.

    Args:
        file: The path of the file. None: none was given.
        variable: The name of the variable, which counts if there is no file.
        option: The option that names the file, for errors.

    Raises:
        UsageError: The file cannot be read, or the secret is empty.
    """
    if file is None:
        return os.environ.get(variable) or None
    try:
        with Path(file).open(encoding="utf-8") as opened:
            text = opened.readline(_LONGEST).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise click.UsageError(f"{option}: cannot read {file}: {reason}") from error
    if not text:
        raise click.UsageError(f"{option}: expected a line of text in {file}, got an empty one")
    return text
