"""What several applications read from the headers of requests, and say in those of answers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stepsched.machines.shared.one_shot_words import KEY

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
"""The methods that change nothing."""
KEY_PATTERN = f"^{KEY}$"
"""The pattern of an ``Idempotency-Key``."""
_POSITION = "[0-9]{1,18}"
POSITION_PATTERN = f"^{_POSITION}$"
"""The pattern of a ``Last-Event-ID``."""
REPLAYED = "Idempotent-Replayed"
"""The header of an answer that an earlier request with the same ``Idempotency-Key`` has caused; it is
``true``."""


def bearer_token_in(headers: Mapping[str, str]) -> str | None:
    """Returns the token of the header ``Authorization``. None: it has none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_key(text: str) -> bool:
    """Returns whether a text can be an ``Idempotency-Key``."""
    return re.fullmatch(KEY, text) is not None


def is_position(text: str) -> bool:
    """Returns whether a text is the position of an event."""
    return re.fullmatch(_POSITION, text) is not None


def is_visible(text: str) -> bool:
    """Returns whether a text has only visible ASCII characters, and at least one."""
    return re.fullmatch("[!-~]+", text) is not None
