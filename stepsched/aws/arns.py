"""Amazon Resource Names.

Their forms: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

import re

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
