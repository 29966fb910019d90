"""Which hosts and addresses may be called."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsched.webhooks.addresses import AddressError, PrivateHosts, addresses_of, kind_of
from stepsched.webhooks.hosts import why_no_host

NONE = PrivateHosts()


def found(host: str, *addresses: str, permitted: Iterable[str] = ()) -> list[str]:
    lookup = (lambda _host, _port: list(addresses)) if addresses else None
    return addresses_of(host, 443, PrivateHosts(permitted), seconds=5, lookup=lookup)


REFUSED = {
    # loopback and unspecified
    "127.0.0.1": "a loopback address",
    "127.255.255.254": "a loopback address",
    "0.0.0.0": "an unspecified address",
    "0.1.2.3": "an unspecified address",
    "::1": "a loopback address",
    "::": "an unspecified address",
    # private networks
    "10.0.0.1": "a private address",
    "10.255.255.255": "a private address",
    "172.16.0.1": "a private address",
    "172.31.255.255": "a private address",
    "192.168.0.1": "a private address",
    "fc00::1": "a unique local address",
    "fdff:ffff::1": "a unique local address",
    "100.64.0.1": "a shared address of a provider's network",
    "100.127.255.255": "a shared address of a provider's network",
    # link-local
    "169.254.0.1": "a link-local address",
    "fe80::1": "a link-local address",
    "febf::1": "a link-local address",
    "fec0::1": "a site-local address",
    # the metadata of instances
    "169.254.169.254": "an address of instance metadata",
    "169.254.170.2": "an address of instance metadata",
    "fd00:ec2::254": "an address of instance metadata",
    "fd20:ce::254": "an address of instance metadata",
    "100.100.100.200": "an address of instance metadata",
    "192.0.0.192": "an address of instance metadata",
    "168.63.129.16": "an address of instance metadata",
    # multicast, broadcast, reserved, documentation
    "224.0.0.1": "a multicast address",
    "239.255.255.255": "a multicast address",
    "ff02::1": "a multicast address",
    "240.0.0.1": "a reserved address",
    "255.255.255.255": "a reserved address",
    "192.0.0.1": "a reserved address",
    "192.88.99.1": "a reserved address",
    "192.0.2.1": "an address for documentation",
    "198.51.100.1": "an address for documentation",
    "203.0.113.1": "an address for documentation",
    "2001:db8::1": "an address for documentation",
    "3fff::1": "an address for documentation",
    "198.18.0.1": "an address for benchmarks",
    "198.19.255.255": "an address for benchmarks",
    "100::1": "a reserved address",
    "5f00::1": "a reserved address",
    "4000::1": "a reserved address",
    # an IPv4 address inside of an IPv6 address
    "::ffff:127.0.0.1": "a loopback address",
    "::ffff:169.254.169.254": "an address of instance metadata",
    "::ffff:a00:1": "a private address",
    "::127.0.0.1": "a reserved address",
    "::a9fe:a9fe": "a reserved address",
    "::ffff:0:10.0.0.1": "a reserved address",
    "64:ff9b::10.0.0.1": "a private address",
    "64:ff9b::a9fe:a9fe": "an address of instance metadata",
    "64:ff9b:1::1": "a reserved address",
    "2002:7f00:1::": "an address of 6to4",
    "2002:a9fe:a9fe::1": "an address of 6to4",
    "2001::1": "a reserved address",
    "2001:0:7f00:1::": "a reserved address",
}
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
    "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2001:4860::8888",
    "2a00::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_an_address_that_is_not_public_is_refused_with_its_kind(address: str, kind: str) -> None:
    assert kind_of(ip_address(address)) == kind
    with pytest.raises(AddressError, match=f"{kind}, which may be called only if private_hosts permits it$"):
        found("hooks.example.com", address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str) -> None:
    assert kind_of(ip_address(address)) is None
    assert len(found("hooks.example.com", address)) == 1


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_no_address_is_called_that_python_does_not_take_for_a_global_one(
    address: IPv4Address | IPv6Address,
) -> None:
    """The registries of IANA in Python are another reading of the same ranges."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if kind_of(address) is None:
        assert (mapped or address).is_global
        assert not (mapped or address).is_multicast


@pytest.mark.parametrize("private", ["10.0.0.1", "::1", "169.254.169.254"])
@pytest.mark.parametrize("is_first", [True, False])
def test_one_address_that_is_not_public_refuses_the_name(private: str, *, is_first: bool) -> None:
    addresses = [private, "8.8.8.8"] if is_first else ["8.8.8.8", private]
    with pytest.raises(AddressError, match=r"hooks.example.com is "):
        found("hooks.example.com", *addresses)


def test_all_addresses_are_returned_once_in_the_order_of_the_resolver() -> None:
    assert found("hooks.example.com", "2a00::2", "8.8.8.8", "2a00::2", "8.8.4.4") == [
        "2a00::2",
        "8.8.8.8",
        "8.8.4.4",
    ]


def test_the_zone_of_a_resolved_address_does_not_hide_it() -> None:
    with pytest.raises(AddressError, match="a link-local address"):
        found("hooks.example.com", "fe80::1%eth0")


def test_the_literal_address_of_a_url_is_not_resolved() -> None:
    def lookup(_host: str, _port: int) -> list[str]:
        raise AssertionError("resolved")

    assert addresses_of("8.8.8.8", 443, NONE, seconds=5, lookup=lookup) == ["8.8.8.8"]
    with pytest.raises(AddressError, match=r"^127.0.0.1 is a loopback address,"):
        addresses_of("127.0.0.1", 443, NONE, seconds=5, lookup=lookup)


def test_the_resolver_of_the_system_is_asked_by_default() -> None:
    assert "127.0.0.1" in addresses_of("localhost", 80, PrivateHosts(["localhost"]), seconds=60)


def test_a_name_without_address_is_an_error() -> None:
    with pytest.raises(AddressError, match=r"^hooks.example.com has no address$"):
        addresses_of("hooks.example.com", 80, NONE, seconds=5, lookup=lambda _host, _port: [])


def test_a_failure_of_the_resolver_is_named() -> None:
    def lookup(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(
        AddressError, match=r"^nowhere.example cannot be resolved: Name or service not known$"
    ):
        addresses_of("nowhere.example", 80, NONE, seconds=5, lookup=lookup)


def test_a_resolver_that_does_not_answer_is_not_awaited_for_ever() -> None:
    ended = threading.Event()

    def lookup(_host: str, _port: int) -> list[str]:
        ended.wait()
        return []

    try:
        with pytest.raises(AddressError, match="could not be resolved in time"):
            addresses_of("slow.example", 80, NONE, seconds=0.01, lookup=lookup)
    finally:
        ended.set()


# -- what the operator permits -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permitted", "host", "address"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", "127.0.0.1", id="an address"),
        pytest.param("::1", "::1", "::1", id="an IPv6 address"),
        pytest.param("10.0.0.0/8", "hooks.example.com", "10.1.2.3", id="a network"),
        pytest.param("10.0.0.0/8", "hooks.example.com", "::ffff:10.1.2.3", id="a mapped address"),
        pytest.param("fd00::/8", "hooks.example.com", "fd12::1", id="an IPv6 network"),
        pytest.param("hooks.internal", "hooks.internal", "192.168.1.1", id="a name"),
        pytest.param("Hooks.Internal", "hooks.internal", "fd12::1", id="a name in another case"),
        pytest.param("169.254.169.254", "169.254.169.254", "169.254.169.254", id="the address of metadata"),
    ],
)
def test_what_the_operator_permits_is_called(permitted: str, host: str, address: str) -> None:
    assert found(host, address, permitted=[permitted])


@pytest.mark.parametrize(
    ("permitted", "host", "address"),
    [
        pytest.param("127.0.0.1", "127.0.0.2", "127.0.0.2", id="another address"),
        pytest.param("10.0.0.0/8", "hooks.example.com", "11.0.0.1", id="a public one"),
        pytest.param("hooks.internal", "other.internal", "10.0.0.1", id="another name"),
        pytest.param("internal", "hooks.internal", "10.0.0.1", id="a name below it"),
        pytest.param("hooks.internal", "hooks.internal", "169.254.169.254", id="metadata by a name"),
        pytest.param("hooks.internal", "hooks.internal", "::ffff:169.254.169.254", id="mapped metadata"),
    ],
)
def test_nothing_else_is(permitted: str, host: str, address: str) -> None:
    if kind_of(ip_address(address)) is None:
        assert found(host, address, permitted=[permitted]) == [address]
        return
    with pytest.raises(AddressError):
        found(host, address, permitted=[permitted])


@pytest.mark.parametrize(
    "given",
    ["127.0.0.1", b"x", None, 7, [7], ["10.0.0.1/8"], ["10.0.0.0/33"], ["a b"], [""], ["*.internal"], ["a."],
     ["0x7f.1"], ["http://hooks.internal"], ["hooks.internal:80"]],
    ids=repr,
)  # fmt: skip
def test_a_list_with_anything_else_is_refused(given: object) -> None:
    with pytest.raises(
        ValueError, match=r"^expected names, IP addresses and networks such as .* private_hosts"
    ):
        PrivateHosts(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "hooks.localhost"])
def test_a_name_of_this_machine_is_known_before_it_is_resolved(host: str) -> None:
    assert NONE.why_refused(host) == f"{host} is this machine"
    assert PrivateHosts([host]).why_refused(host) is None
    assert PrivateHosts(["127.0.0.1"]).why_refused(host) is None
    assert NONE.why_refused("localhost.example.com") is None


# -- forms of hosts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("2130706433", "four decimal numbers, got '2130706433'; use '127.0.0.1'"),
        ("0x7f000001", "use '127.0.0.1'"),
        ("0x7f.1", "use '127.0.0.1'"),
        ("127.1", "use '127.0.0.1'"),
        ("0177.0.0.1", "use '127.0.0.1'"),
        ("0251.0376.0251.0376", "use '169.254.169.254'"),
        ("127.0.0.08", "four decimal numbers"),
        ("1.2.3.4.5", "four decimal numbers"),
        ("example.0x1", "four decimal numbers"),
        ("127.0.0.1.", "without a dot at its end"),
        ("localhost.", "without a dot at its end"),
        ("example.com.", "without a dot at its end"),
        ("fe80::1%eth0", "a host name"),
        ("fe80::1%25eth0", "a host name"),
        ("１２７.0.0.1", "a host in ASCII"),
        ("127。0。0。1", "a host in ASCII"),
        ("bücher.example", "use 'xn--bcher-kva.example'"),
        ("ⓔxample.com", "a host in ASCII"),
        ("exa mple.com", "a host name"),
        ("example..com", "a host name"),
        (".example.com", "a host name"),
        ("-a.example", "a host name"),
        ("a" * 64 + ".example", "a host name"),
        ("a." * 127 + "aa", "a host name"),
        ("", "a host name"),
        ("a%2e.example", "a host name"),
        ("v1.x:y", "a host name"),
    ],
)  # fmt: skip
def test_a_host_in_another_form_is_refused_with_the_usual_form(host: str, words: str) -> None:
    reason = why_no_host(host)
    assert reason is not None
    assert words in reason


@pytest.mark.parametrize(
    "host", ["example.com", "EXAMPLE.com", "hooks", "a_b.example", "xn--bcher-kva.example", "8.8.8.8", "::1",
             "1.example", "0x1.example"],
)  # fmt: skip
def test_usual_hosts_are_taken(host: str) -> None:
    assert why_no_host(host) is None
