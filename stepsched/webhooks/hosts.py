"""The hosts of URLs, as text."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from stepsched.core.quoting import quoted

Address: TypeAlias = IPv4Address | IPv6Address
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
"""A last part of a host by which URL readers and resolvers take the host for an IPv4 address."""


def literal_of(host: str) -> Address | None:
    """Returns the address that a host is; None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def why_no_host(host: str) -> str | None:
    """Returns why a text is not a host of a URL, as the end of "expected ..."; None if it is one.

    Only one form of each host is accepted, since programs differ in how they read the others.
    """
    if literal_of(host) is not None and "%" not in host:
        return None
    if not host.isascii():
        try:
            cure = f"; use {host.encode('idna').decode()!r}"
        except UnicodeError:
            cure = ""
        return f"a host in ASCII, got {quoted(host)}{cure}"
    last = host.rpartition(".")[2]
    if _NUMBER.fullmatch(last) and _NAME.fullmatch(host):
        import socket  # only such a refusal needs it

        try:
            cure = f"; use {socket.inet_ntoa(socket.inet_aton(host))!r}"
        except OSError:
            cure = ""
        return f"an IPv4 address as four decimal numbers, got {quoted(host)}{cure}"
    if _NAME.fullmatch(host) is None:
        return f"a host name without a dot at its end, or an IP address, got {quoted(host)}"
    return None
