"""Long templates travel through a bucket of S3."""

from __future__ import annotations

import re
from typing import Any

from stepsched.core.errors import BackendError, ErrorCode
from stepsched.core.quoting import quoted
from stepsched.deploy.stacks.cloud import Cloud
from stepsched.deploy.stacks.documents import Document

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def validate_bucket(bucket: Any) -> str | None:
    """Validates the name of a bucket; None is accepted.

    Raises:
        ValueError: It is malformed.
    """
    if bucket is not None and not (isinstance(bucket, str) and _BUCKET.fullmatch(bucket)):
        raise ValueError(
            f"expected bucket to be a name of 3 to 63 characters of a-z 0-9 . -, got {quoted(bucket)}"
        )
    return bucket


def upload(cloud: Cloud, document: Document, bucket: str | None) -> str:
    """Stores a template in a bucket of the account, under its digest.

    Args:
        cloud: The account.
        document: The template.
        bucket: The bucket, which exists. None: ``stepsched-<account>-<region>``, which is created if it does
            not exist: encrypted, and closed to the public. Its templates stay, each once.

    Returns:
        The URL of the template, for CloudFormation.

    Raises:
        BackendError: The bucket does not exist, or belongs to another account.
    """
    account = str(cloud.call("sts", "get_caller_identity")["Account"])
    name = bucket or f"stepsched-{account}-{cloud.region}"
    owner = {"Bucket": name, "ExpectedBucketOwner": account}
    if not _exists(cloud, owner):
        if bucket is not None:
            words = f"there is no bucket {name!r}; create it, or leave bucket out"
            raise BackendError("s3", "HeadBucket", ErrorCode.NO_BUCKET, detail=words)
        _create(cloud, owner)
    key = f"{document.digest}.json"
    cloud.call(
        "s3", "put_object", **owner, Key=key, Body=document.text.encode(), ContentType="application/json"
    )
    return f"{cloud.client('s3').meta.endpoint_url.rstrip('/')}/{name}/{key}"


def _exists(cloud: Cloud, owner: dict[str, str]) -> bool:
    try:
        cloud.call("s3", "head_bucket", **owner)
    except BackendError as error:
        if error.code in ("404", "NoSuchBucket"):
            return False
        if error.code in ("403", "AccessDenied"):
            words = (
                f"bucket {owner['Bucket']!r} belongs to another account than {owner['ExpectedBucketOwner']}, "
                "or s3:ListBucket is not allowed on it; use bucket= with one of this account"
            )
            raise type(error)("s3", "HeadBucket", error.code, error.request_id, detail=words) from error
        raise
    return True


def _create(cloud: Cloud, owner: dict[str, str]) -> None:
    place: dict[str, Any] = {}
    if cloud.region != "us-east-1":  # which is not accepted as a constraint
        place = {"CreateBucketConfiguration": {"LocationConstraint": cloud.region}}
    cloud.call("s3", "create_bucket", Bucket=owner["Bucket"], **place)
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    cloud.call(
        "s3",
        "put_public_access_block",
        **owner,
        PublicAccessBlockConfiguration=dict.fromkeys(closed, True),
    )
    encrypted = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    cloud.call(
        "s3", "put_bucket_encryption", **owner, ServerSideEncryptionConfiguration={"Rules": [encrypted]}
    )
