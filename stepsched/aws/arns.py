"""Amazon Resource Names.

Their forms: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

ARN = re.compile(
    # The account may have any number of digits: documents in the wild hold shortened ones.
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]*):(?P<rest>[^\x00-\x1f\x7f]+)"
)


def checked_arn(arn: str, service: str, resource: str, form: str) -> str:
    """The ARN itself, which must be whole, of the service, and name such a resource.

    Raises:
        ValueError: It is not; with the form that is wanted.
    """
    match = ARN.fullmatch(arn)
    wanted = f"arn:aws:{service}:<region>:<account>:{form}"
    if match is None or len(arn) > 1600:
        raise ValueError(f"{arn!r} is not an ARN; the form is {wanted}")
    if match["service"] != service:
        raise ValueError(f"{arn!r} is of service {match['service']!r}; the form is {wanted}")
    if not match["region"] or not match["account"] or not re.fullmatch(resource, match["rest"], re.ASCII):
        raise ValueError(f"{arn!r} is incomplete or malformed; the form is {wanted}")
    return arn


@dataclass(frozen=True, slots=True)
class Arn:
    r"""The ARNs of one kind of resource; ``Annotated[str, Arn(...)]`` is a field that holds such a one.

    >>> Arn("sns", "", r"[\w-]{1,256}", "<topic name>").check("arn:aws:sns:eu-west-1:123456789012:news")
    'arn:aws:sns:eu-west-1:123456789012:news'
    """

    service: str
    """The service as ARNs name it, such as ``states``."""
    prefix: str
    """What the resource begins with, such as ``stream/``; it may be empty."""
    name: str
    """The pattern of the name that follows."""
    shown: str = "<name>"
    """The name in errors."""

    def check(self, arn: str) -> str:
        """The ARN itself.

        Raises:
            ValueError: It is not of this kind; with the form that is wanted.
        """
        return checked_arn(arn, self.service, self.prefix + self.name, self.prefix + self.shown)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))
