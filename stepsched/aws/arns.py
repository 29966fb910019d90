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
    # The account may have any number of digits: published documents contain shortened ones.
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]*):(?P<rest>[^\x00-\x1f\x7f]+)"
)


def checked_arn(arn: str, service: str, resource: str, form: str) -> str:
    """Returns the ARN unchanged; it must be complete, of the service, and name such a resource.

    Raises:
        ValueError: It is not such an ARN; the error has the expected form.
    """
    match = ARN.fullmatch(arn)
    wanted = f"arn:aws:{service}:<region>:<account>:{form}"
    if match is None or len(arn) > 1600:
        raise ValueError(f"expected an ARN of the form {wanted}, got {arn!r}")
    if match["service"] != service:
        raise ValueError(f"expected the form {wanted}, got {arn!r} of service {match['service']!r}")
    if not match["region"] or not match["account"] or not re.fullmatch(resource, match["rest"], re.ASCII):
        raise ValueError(f"expected the form {wanted}, got the incomplete or malformed {arn!r}")
    return arn


@dataclass(frozen=True, slots=True)
class Arn:
    r"""The ARNs of one type of resource; ``Annotated[str, Arn(...)]`` is a field for such an ARN.

    >>> Arn("sns", "", r"[\w-]{1,256}", "<topic name>").check("arn:aws:sns:eu-west-1:123456789012:news")
    'arn:aws:sns:eu-west-1:123456789012:news'
    """

    service: str
    """The service in the ARN, such as ``states``."""
    prefix: str
    """The prefix of the resource, such as ``stream/``; it may be empty."""
    name: str
    """The pattern of the name after the prefix."""
    shown: str = "<name>"
    """The placeholder of the name in errors."""

    def check(self, arn: str) -> str:
        """Returns the ARN unchanged.

        Raises:
            ValueError: It is not of this type; the error has the expected form.
        """
        return checked_arn(arn, self.service, self.prefix + self.name, self.prefix + self.shown)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))
