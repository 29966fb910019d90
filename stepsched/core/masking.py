"""Masks values whose name suggests a secret, before people see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"
"""What is shown in place of a secret."""
_SECRET = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|authorization|api_?key|access_?key|private_?key",
    re.IGNORECASE,
)
_OPTION = re.compile(r"--?(?P<name>[\w-]+)(?P<value>=.*)?", re.DOTALL)
_ASSIGNMENT = re.compile(r"(?P<name>\w+)=.+", re.DOTALL)
_LOGIN = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^/\s:@]*:)[^/\s@]+@", re.IGNORECASE)


def suggests_secret(name: str) -> bool:
    """Returns whether the name of a value suggests a secret, such as ``password`` or ``api-key``."""
    return _SECRET.search(name.replace("-", "_")) is not None


def without_secrets(value: Any) -> Any:
    """Returns JSON in which the values of secrets are ``***``.

    A value is a secret if its name suggests one: its key in an object, the ``name`` or ``key`` beside a
    ``value`` (as in the environment of a container), or the option or variable of a command, such as
    ``--password=...``. Passwords in URLs are masked too. An absent value (None) stays.

    Args:
        value: Any JSON value. It is not changed.
    """
    match value:
        case Mapping():
            return {key: _of_key(str(key), each, value) for key, each in value.items()}
        case list() | tuple():
            return list(_of_list(value))
        case str():
            return _LOGIN.sub(rf"\g<head>{MASK}@", value)
        case _:
            return value


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
