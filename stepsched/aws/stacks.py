"""The limits of stacks and templates of CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

from __future__ import annotations

import re
from typing import Any

from stepsched.core.quoting import quoted

MAX_INLINE_TEMPLATE_BYTES = 51_200
"""The maximum size of a template in a request; longer ones travel through S3."""
MAX_TEMPLATE_BYTES = 1_000_000
"""The maximum size of a template in S3."""
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,79}")


def validate_stack_name(name: Any, argument: str = "name") -> str:
    """Validates the name of a stack of a scheduler, which is the name of its state machine too.

    Raises:
        ValueError: It is malformed.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ValueError(
            f"expected the name of a stack for {argument}, 1 to 80 characters of A-Z a-z 0-9 - that begin "
            f"with a letter, got {quoted(name)}"
        )
    return name
