"""Masks values whose name suggests a secret, before people see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"
"""What is shown in place of a secret."""
_SECRET = re.compile(
    r"passw(or)?d|passphrase|pwd|secret|token|credential|authorization|cookie|bearer|signature"
    r"|(api|access|account|private|signing|encryption)_?key|(^|_)(auth|jwt|sig)($|_)",
    re.IGNORECASE,
)
_OPTION = re.compile(r"--?(?P<name>[\w-]+)(?P<value>=.*)?", re.DOTALL)
_ASSIGNMENT = re.compile(r"(?P<name>\w+)=.+", re.DOTALL)
_HEADER = re.compile(r"(?P<head>-{0,2}(?P<name>[\w-]+):\s*)\S.*", re.DOTALL)
_LOGIN = re.compile(r"(?P<head>//[^/\s:@]*:)[^/\s@]+@")
_PAIR = re.compile(r"(?P<head>(?<![\w-])(?P<name>[\w-]+)=)(?P<value>[^;&,\s'\"]+)")
"""A parameter of a URL, or a part of a connection string."""
_MEMBER = re.compile(
    r"""(?P<head>(?P<quote>['"])(?P<name>[\w.-]+)(?P=quote)\s*:\s*)"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,}\]'"]+)"""
)
"""A member of an object in a text, in the notation of JSON or of Python."""
_REFUSED = re.compile(r"(?P<head>(?P<name>[\w.-]+): expected [^,]*, got )(?P<value>.+?)(?=; |\s\(line |$)")
"""What is said of a value that is refused, after the place where it stands."""


def suggests_secret(name: str) -> bool:
    """Returns whether the name of a value suggests a secret, such as ``password`` or ``api-key``."""
    return _SECRET.search(name.replace("-", "_")) is not None


def without_secrets(value: Any) -> Any:
    """Returns JSON in which the values of secrets are ``***``.

    A value is a secret if its name suggests one: its key in an object, the ``name`` or ``key`` beside a
    ``value`` (as in the environment of a container), or the option or variable of a command, such as
    ``--password=...``. Secrets inside of a text are masked too: passwords and parameters of URLs, parts of a
    connection string, and headers such as ``Authorization: ...``. An absent value (None) stays.

    Args:
        value: Any JSON value. It is not changed.
    """
    match value:
        case Mapping():
            return {key: _of_key(str(key), each, value) for key, each in value.items()}
        case list() | tuple():
            return list(_of_list(value))
        case str():
            return _of_text(value)
        case _:
            return value


def text_without_secrets(text: str) -> str:
    """Returns a sentence, such as that of an error, in which secrets are ``***``: members
    of objects whose name suggests a secret, and what :func:`without_secrets` masks inside of a text.

    >>> text_without_secrets("expected a text, got {'password': 'x'}")
    "expected a text, got {'password': ***}"
    """
    for pattern in (_REFUSED, _MEMBER):
        text = pattern.sub(_masked, text)
    return _of_parts(text)


def _masked(found: re.Match[str]) -> str:
    is_secret = suggests_secret(found["name"].rpartition(".")[2])
    return f"{found['head']}{MASK}" if is_secret else found[0]


def _of_text(text: str) -> str:
    header = _HEADER.fullmatch(text)
    return _masked(header) if header and suggests_secret(header["name"]) else _of_parts(text)


def _of_parts(text: str) -> str:
    return _PAIR.sub(_masked, _LOGIN.sub(rf"\g<head>{MASK}@", text))


def _of_key(key: str, value: Any, beside: Mapping[Any, Any]) -> Any:
    names = [key]
    if key.lower() == "value":
        names += [each for name, each in beside.items() if str(name).lower() in ("name", "key")]
    is_secret = any(isinstance(name, str) and suggests_secret(name) for name in names)
    return MASK if is_secret and value is not None else without_secrets(value)


def _of_list(values: Iterable[Any]) -> Iterable[Any]:
    """Yields the items of a list, which may be the arguments of a command."""
    is_next = False
    for each in values:
        option = _OPTION.fullmatch(each) if isinstance(each, str) else None
        if is_next and isinstance(each, str) and option is None:
            yield MASK
        else:
            yield _argument(each, option) if isinstance(each, str) else without_secrets(each)
        is_next = option is not None and option["value"] is None and suggests_secret(option["name"])


def _argument(text: str, option: re.Match[str] | None) -> Any:
    found = option if option is not None and option["value"] is not None else _ASSIGNMENT.fullmatch(text)
    if found is not None and suggests_secret(found["name"]):
        return f"{text[: found.end('name')]}={MASK}"
    return without_secrets(text)
