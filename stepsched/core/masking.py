"""Masks values whose name suggests a secret, before people see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"
"""What is shown in place of a secret."""
_DEEPEST = 100
"""The number of levels of JSON that are read. What is deeper, or contains itself, is masked whole."""
_SECRET = re.compile(
    r"passw(or)?d|passphrase|pwd|secret|token|credential|authorization|cookie|bearer|signature"
    r"|(api|access|account|private|signing|encryption)_?key|(^|_)(auth|jwt|sig)($|_)",
    re.IGNORECASE,
)
_OPTION = re.compile(r"--?(?P<name>[\w-]+)(?P<value>=.*)?", re.DOTALL)
"""An argument that is an option, with its value or before it."""
_ARGUMENT = re.compile(r"(?:--?[\w-]+=)?(?P<name>-{0,2}\w[\w-]*)(?P<mark>=|: *).+", re.DOTALL)
"""A whole argument that gives a value a name: an option, a variable, a variable in an option, a header."""
_NAME = re.compile(r"(?<![\w-])(?P<name>[\w-]+)=")
_VALUE = re.compile(r"""'[^']*'|"[^"]*"|[^\s&;,'"]+""")
"""The value after a name within a text."""
_LOGIN = re.compile(r"(?P<head>://[^/\s:@]*:)[^/\s]+@")
_MEMBER = re.compile(
    r"""(?P<head>(?P<quote>['"])(?P<name>[\w.-]+)(?P=quote)\s*:\s*)"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,}\]'"]+)"""
)
"""A member of an object in a text, in the notation of JSON or of Python."""
_REFUSED = re.compile(
    r"(?P<head>(?<![\w.-])(?P<name>[\w.-]+): expected [^,]{0,300}, got )(?P<value>.+?)(?=; |\s\(line |$)"
)
"""What is said of a value that is refused, after the place where it stands. A name is looked at once, from
its beginning: otherwise the time would grow with the square of its length."""


def suggests_secret(name: str) -> bool:
    """Returns whether the name of a value suggests a secret, such as ``password`` or ``api-key``."""
    return _SECRET.search(name.replace("-", "_")) is not None


def without_secrets(value: Any) -> Any:
    """Returns JSON in which the values of secrets are ``***``.

    A value is a secret if its name suggests one: its key in an object, the ``name`` or ``key`` beside a
    ``value`` (as in the environment of a container), or what stands before it in a text: an option such as
        ``--password=...``, a variable, a parameter of a URL, the header of a request, the key in a document.
    Passwords in URLs are masked too. An absent value (None) stays. Objects and lists below 100 levels are
    masked whole.

    Args:
        value: Any JSON value. It is not changed.
    """
    return _of_value(value, 0)


def _of_value(value: Any, level: int) -> Any:
    match value:
        case Mapping() | list() | tuple() if level >= _DEEPEST:
            return MASK
        case Mapping():
            return {key: _of_key(str(key), each, value, level) for key, each in value.items()}
        case list():
            return list(_of_list(value, level))
        case tuple():
            return tuple(_of_list(value, level))
        case str():
            return _of_text(value)
        case _:
            return value


def text_without_secrets(text: str) -> str:
    """Returns a sentence, such as that of an error, in which secrets are ``***``: refused values whose place
    suggests a secret, and what :func:`without_secrets` masks inside of a text.

    >>> text_without_secrets("expected a text, got {'password': 'x'}")
    "expected a text, got {'password': ***}"
    """
    return _of_text(_REFUSED.sub(_masked, text))


def _masked(found: re.Match[str]) -> str:
    is_masked = found["value"].strip("'\"") == MASK  # with the quotes of its document
    is_secret = not is_masked and suggests_secret(found["name"].rpartition(".")[2])
    return f"{found['head']}{MASK}" if is_secret else found[0]


def _of_text(text: str) -> str:
    return _LOGIN.sub(rf"\g<head>{MASK}@", _without_values(_MEMBER.sub(_masked, text)))


def _of_key(key: str, value: Any, beside: Mapping[Any, Any], level: int) -> Any:
    names = [key]
    if key.lower() == "value":
        names += [each for name, each in beside.items() if str(name).lower() in ("name", "key")]
    is_secret = any(isinstance(name, str) and suggests_secret(name) for name in names)
    return MASK if is_secret and value is not None else _of_value(value, level + 1)


def _of_list(values: Iterable[Any], level: int) -> Iterable[Any]:
    """Yields the items of a list, which may be the arguments of a command."""
    is_next = False
    for each in values:
        option = _OPTION.fullmatch(each) if isinstance(each, str) else None
        if is_next and isinstance(each, str) and option is None:
            yield MASK
        else:
            yield _argument(each) if isinstance(each, str) else _of_value(each, level + 1)
        is_next = option is not None and option["value"] is None and suggests_secret(option["name"])


def _argument(text: str) -> Any:
    found = _ARGUMENT.fullmatch(text)
    if found is not None and suggests_secret(found["name"]):
        return text[: found.end("mark")] + MASK
    return _of_text(text)


def _without_values(text: str) -> str:
    """Returns a text in which the values after names that suggest a secret are masked."""
    parts, at = list[str](), 0
    for found in _NAME.finditer(text):
        if found.start() < at or not suggests_secret(found["name"]):
            continue
        value = _VALUE.match(text, found.end())
        if value is not None:
            parts += [text[at : found.end()], MASK]
            at = value.end()
    return "".join([*parts, text[at:]])
