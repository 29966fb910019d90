"""Amazon Resource Names.

Their forms: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from stepsched.core.quoting import quoted

ARN = re.compile(
    # The account may have any number of digits, because published documents contain shortened ones.
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]*):(?P<rest>[^\x00-\x1f\x7f]+)"
)


def validate_arn(arn: str, service: str, resource: str, form: str) -> str:
    """Validates a complete ARN of a resource, and returns it.

    Args:
        arn: The ARN.
        service: The service of the ARN.
        resource: The pattern of the part after the account.
        form: The form of that part, as errors show it.

    Raises:
        ValueError: The ARN is malformed, or of another service or resource. The error shows the expected
        form.
    """
    match = ARN.fullmatch(arn) if isinstance(arn, str) else None
    expected = f"arn:aws:{service}:<region>:<account>:{form}"
    if match is None or len(arn) > 1600:
        raise ValueError(f"{quoted(arn)} is not an ARN; the form is {expected}")
    if match["service"] != service:
        raise ValueError(f"{quoted(arn)} is of service {quoted(match['service'])}; the form is {expected}")
    if not match["region"] or not match["account"] or not re.fullmatch(resource, match["rest"], re.ASCII):
        raise ValueError(f"{quoted(arn)} is incomplete or malformed; the form is {expected}")
    return arn


@dataclass(frozen=True, slots=True)
class Arn:
    r"""The form of the ARNs of one kind of resource. ``Annotated[str, Arn(...)]`` is a field for such an ARN.

    >>> Arn("sns", "", r"[\w-]{1,256}", "<topic name>").check("arn:aws:sns:eu-west-1:123456789012:news")
    'arn:aws:sns:eu-west-1:123456789012:news'
    """

    service: str
    """The service as ARNs name it, such as ``states``."""
    prefix: str
    """The prefix of the resource, such as ``stream/``; may be empty."""
    name: str
    """The pattern of the name after the prefix."""
    shown: str = "<name>"
    """The name as errors show it."""

    def check(self, arn: str) -> str:
        """Validates an ARN, and returns it.

        Raises:
            ValueError: The ARN is malformed, or of another kind. The error shows the expected form.
        """
        return validate_arn(arn, self.service, self.prefix + self.name, self.prefix + self.shown)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))
