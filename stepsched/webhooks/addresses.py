"""Which hosts and addresses may be called: public ones, and those that the operator permits.

A job may come from a form or over HTTP, and this process may reach more of the network than its author. The
ranges are those of the IANA registries of special-purpose addresses:
https://www.iana.org/assignments/iana-ipv4-special-registry,
https://www.iana.org/assignments/iana-ipv6-special-registry.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

from stepsched.core.quoting import quoted
from stepsched.webhooks.hosts import Address, literal_of, why_no_host

Network: TypeAlias = IPv4Network | IPv6Network
Lookup: TypeAlias = Callable[[str, int], Iterable[str]]
"""A function that returns the addresses of a name, for a port."""

_METADATA: frozenset[Address] = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google Cloud, Azure and others
        "169.254.170.2",  # the credentials of Amazon ECS tasks
        "169.254.170.23",  # those of Amazon EKS pods
        "168.63.129.16",  # Azure, although the address is a public one
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",
        "fd20:ce::254",  # Google Cloud
    )
)
_RANGES: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(text), kind)
    for text, kind in (
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a shared address of a provider's network"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a reserved address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("2001::/23", "a reserved address"),  # Teredo among others
        ("2001:db8::/32", "an address for documentation"),
        ("2002::/16", "an address of 6to4"),
        ("3fff::/20", "an address for documentation"),
        ("fc00::/7", "a unique local address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
    )
)
_GLOBAL = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses by which a network without IPv4 reaches an IPv4 address, in the last 32 bits."""


class AddressError(Exception):
    """A host must not be called, or has no address."""


class PrivateHosts:
    """The hosts that may be called although they are not public, by the choice of the operator."""

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        """Reads a list of names, addresses and networks.

        Raises:
            ValueError: It is not a list of names, IP addresses and networks in CIDR notation.
        """
        if isinstance(hosts, (str, bytes)) or not isinstance(hosts, Iterable):
            raise ValueError(_wanted(hosts))  # noqa: TRY004 -- as for every other wrong value
        self.given = tuple(hosts)
        self._names = set[str]()
        self._networks = list[Network]()
        for host in self.given:
            if not isinstance(host, str):
                raise ValueError(_wanted(host))  # noqa: TRY004 -- as for every other wrong value
            try:
                self._networks.append(ip_network(host))
            except ValueError as error:
                if "/" in host or why_no_host(host) is not None:
                    raise ValueError(_wanted(host)) from error
                self._names.add(host.lower())

    def why_refused(self, host: str, address: str | None = None) -> str | None:
        """Returns why a host must not be called; None if it may.

        Args:
            host: The host of a URL.
            address: An address of the host. None: none is known yet, and only what the host itself says
                counts.
        """
        literal = literal_of(host) if address is None else ip_address(address.partition("%")[0])
        if literal is None:
            is_local = host.lower() == "localhost" or host.lower().endswith(".localhost")
            if not is_local or self._permits_name(host) or any(each.is_loopback for each in self._networks):
                return None
            return f"{host} is this machine"
        known = _unmapped(literal)
        kind = kind_of(known)
        if kind is None or any(known in network for network in self._networks):
            return None
        if self._permits_name(host) and known not in _METADATA:
            return None
        return f"{host} is {kind}" if str(known) == host else f"{host} is {known}, {kind}"

    def _permits_name(self, host: str) -> bool:
        return host.lower() in self._names


def _wanted(given: object) -> str:
    example = "('127.0.0.1', '10.0.0.0/8', 'hooks.internal')"
    cure = f" as text; use [{quoted(given)}]" if isinstance(given, str) and why_no_host(given) is None else ""
    return (
        f"expected names, IP addresses and networks such as {example} for private_hosts, got "
        f"{quoted(given)}{cure}"
    )


def kind_of(address: Address) -> str | None:
    """Returns what kind of address it is; None for a public one."""
    plain = _unmapped(address)
    if plain in _METADATA:
        return "an address of instance metadata"
    if isinstance(plain, IPv6Address) and plain in _NAT64:
        return kind_of(IPv4Address(plain.packed[-4:]))
    for network, kind in _RANGES:
        if plain in network:
            return kind
    is_other = isinstance(plain, IPv6Address) and plain not in _GLOBAL
    return "a reserved address" if is_other else None


def addresses_of(
    host: str, port: int, permitted: PrivateHosts, *, seconds: float, lookup: Lookup | None = None
) -> list[str]:
    """Returns the addresses of a host, all of which may be called.

    Args:
        host: The host of a URL.
        port: The port.
        permitted: The private hosts that may be called.
        seconds: The longest time that this may take.
        lookup: The function that resolves names. None: the resolver of the operating system.

    Raises:
        AddressError: The host has no address, one of its addresses must not be called, or resolving it takes
            too long.
    """
    literal = literal_of(host)
    found = [str(literal)] if literal is not None else _looked_up(host, port, seconds, lookup or _system)
    if not found:
        raise AddressError(f"{host} has no address")
    for address in found:
        reason = permitted.why_refused(host, address)
        if reason is not None:
            raise AddressError(f"{reason}, which may be called only if private_hosts permits it")
    return [address.partition("%")[0] for address in dict.fromkeys(found)]


def _system(host: str, port: int) -> Collection[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _looked_up(host: str, port: int, seconds: float, lookup: Lookup) -> list[str]:
    """Resolves a name in a thread of its own, since a resolver has no timeout."""
    future = Future[list[str]]()

    def work() -> None:
        try:
            future.set_result(list(lookup(host, port)))
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            future.set_exception(error)

    threading.Thread(target=work, name="stepsched-resolver", daemon=True).start()
    try:
        return future.result(seconds)
    except NotYet as error:
        raise AddressError(f"{host} could not be resolved in time") from error
    except (OSError, UnicodeError) as error:
        raise AddressError(f"{host} cannot be resolved: {error}") from error


def _unmapped(address: Address) -> Address:
    """Returns an address; an IPv4 address in the form of IPv6 as itself."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
