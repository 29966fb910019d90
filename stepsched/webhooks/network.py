"""The connections of calls: to checked addresses only, and with one deadline over everything.

This module loads httpx, with its core; :mod:`stepsched.webhooks.sending` imports it when a call is made.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import httpcore
import httpx

from stepsched.core.clock import SystemClock
from stepsched.webhooks.addresses import Lookup, PrivateHosts, addresses_of

CONNECT = 10.0
"""The longest time in seconds for the connection to one address."""
_PART = 16_384
"""The number of bytes that are written at once, so that the deadline holds for slow receivers too."""


class Deadline:
    """The end of the time of a call."""

    def __init__(self, seconds: float) -> None:
        self._clock = SystemClock()
        self._ends = self._clock.monotonic() + seconds

    def left(self, most: float | None = None) -> float:
        """Returns the seconds that are left, at most that many.

        Raises:
            httpcore.TimeoutException: None are left.
        """
        left = self._ends - self._clock.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if most is None else min(left, most)


class _Stream(httpcore.NetworkStream):
    """A connection whose operations end by a deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PART):
            self._stream.write(buffer[start : start + _PART], self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network(httpcore.NetworkBackend):
    """Resolves the host of a call once, checks all its addresses, and connects to one of them. The name of
    the host stays that of the certificate and of the header ``Host``."""

    def __init__(self, deadline: Deadline, permitted: PrivateHosts, lookup: Lookup | None) -> None:
        self._deadline = deadline
        self._permitted = permitted
        self._lookup = lookup
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(CONNECT)
        addresses = addresses_of(host, port, self._permitted, seconds=left, lookup=self._lookup)
        for number, address in enumerate(addresses, 1):
            left = self._deadline.left(CONNECT if timeout is None else timeout)
            try:
                stream = self._network.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
            else:
                return _Stream(stream, self._deadline)
        raise httpcore.ConnectError  # unreachable, since there is an address


def connections(
    deadline: Deadline, permitted: PrivateHosts, lookup: Lookup | None
) -> httpcore.ConnectionPool:
    """Returns what makes one call. It follows no redirect, uses no proxy, not even one of the environment,
    and decodes no body."""
    certificates = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    return httpcore.ConnectionPool(
        ssl_context=_trusted(certificates),
        max_connections=1,
        network_backend=_Network(deadline, permitted, lookup),
    )


@lru_cache(maxsize=4)
def _trusted(certificates: tuple[str | None, ...]) -> ssl.SSLContext:  # noqa: ARG001 -- what it depends on
    """Returns the certificates that httpx trusts: those of these variables, or its own."""
    return httpx.create_ssl_context()
