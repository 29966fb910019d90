"""The names of jobs and groups, and the names that are derived from them.

A job's name is text. What a service allows in its own names is a rule of that service: a backend with a
narrower rule declares it (``Capabilities.any_name``) and refuses other names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Annotated, Any

from pydantic import BeforeValidator

from stepsched.core.context import ContextText
from stepsched.core.quoting import quoted

MAX_NAME = 256
"""The maximum length of a job's name in characters: at most 1,024 bytes of UTF-8. A key of DynamoDB holds
2,048."""
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""The Unicode categories of characters that a name cannot have: controls and line breaks, which would forge
lines of a log, invisible characters and those that turn the direction of text, and surrogates."""
_NARROW = re.compile(r"[0-9a-zA-Z_.-]{1,64}")
NARROW_RULE = "1 to 64 of A-Z a-z 0-9 - _ ."
"""The rule of EventBridge Scheduler for names, in words; ``.`` and ``..`` are none."""
_DIGEST = 12


def is_name(text: str) -> bool:
    """Returns whether the text is a valid name of a job (P-28)."""
    if not 1 <= len(text) <= MAX_NAME or text in (".", ".."):
        return False
    if text.isascii():
        return text.isprintable() and text == text.strip()
    categories = [unicodedata.category(character) for character in text]
    spaces = (character for character, kind in zip(text, categories, strict=True) if kind == "Zs")
    return INVISIBLE.isdisjoint(categories) and all(each == " " for each in spaces) and text == text.strip()


def is_one_line(text: str) -> bool:
    """Returns whether the text has visible characters, and beside them only blanks: no control, line break,
    surrogate or character that turns the direction of text."""
    return bool(text.strip()) and INVISIBLE.isdisjoint(map(unicodedata.category, text))


def is_name_prefix(text: str) -> bool:
    """Returns whether the name of a job can begin with the text."""
    return is_name(text) or is_name(f"{text}x")


def is_narrow(text: str) -> bool:
    """Returns whether the text is a name by the rule of EventBridge Scheduler, for its schedules and for the
    groups of every backend.

    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
    """
    return _NARROW.fullmatch(text) is not None and text not in (".", "..")


def is_narrow_prefix(text: str) -> bool:
    """Returns whether a name by the rule of EventBridge Scheduler can begin with the text."""
    return _NARROW.fullmatch(text) is not None


def checked_name(value: Any) -> str:
    """Returns the name of a job unchanged.

    Raises:
        ValueError: The value is not a valid name.
    """
    if isinstance(value, ContextText):
        raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
            f"expected the text of a name, got the context attribute {str(value)!r}; use plain text"
        )
    if not isinstance(value, str) or not is_name(value):
        raise ValueError(
            f"{quoted(value)} is not a name: 1 to {MAX_NAME} visible characters, with spaces only between "
            "them (and neither '.' nor '..')"
        )
    return value


def checked_group(value: Any) -> str:
    """Returns the name of a group unchanged.

    Raises:
        ValueError: The value is not a valid name of a group.
    """
    if not isinstance(value, str) or not is_narrow(value):
        raise ValueError(
            f"{quoted(value)} is not a name of a group: {NARROW_RULE} (and neither '.' nor '..')"
        )
    return value


def checked_prune(prune: object) -> bool | frozenset[str]:
    """Returns in which groups unwanted jobs are cancelled: in all, in none, or in these.

    Raises:
        TypeError: The value is neither a bool nor a collection of groups.
        ValueError: An item is not the name of a group.
    """
    if isinstance(prune, bool):
        return prune
    if isinstance(prune, (str, Mapping)) or not isinstance(prune, Collection):
        raise TypeError(f"expected True, False or a list of groups for prune, got {quoted(prune)}")
    for group in prune:
        if not isinstance(group, str) or not is_narrow(group):
            raise ValueError(f"expected names of groups for prune, got {quoted(group)}")
    return frozenset(prune)


Name = Annotated[str, BeforeValidator(checked_name)]
GroupName = Annotated[str, BeforeValidator(checked_group)]


def narrowed(name: str, length: int) -> str:
    """Returns the beginning of a name, with ``-`` for each character other than ``A-Z a-z 0-9 - _ .``, which
    services allow in their names. Different names may give the same text.

    Args:
        name: The name of a job.
        length: The maximum length of the text.
    """
    return re.sub(r"[^0-9A-Za-z_.-]", "-", name[:length])


def distinct(name: str, length: int) -> str:
    """Returns the name if it has at most ``length`` of the characters ``A-Z a-z 0-9 - _ .``; otherwise such
    a text that begins like it and ends in a digest of it, so that different names give different texts.

    Args:
        name: The name of a job.
        length: The maximum length of the text; at least 14.
    """
    if len(name) <= length and narrowed(name, length) == name:
        return name
    digest = sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{narrowed(name, length - _DIGEST - 1)}-{digest}"
