"""The shape of a table of jobs, in the words that CloudFormation and the API of DynamoDB share."""

from __future__ import annotations

from typing import Any

CURRENT = "v0"
"""The version of a job's current row."""
RUN = "run#"
"""What the version of a run's row begins with."""
NO_MORE = "never"
"""The value of ``due`` where no run is left: every row of the index has one."""
INDEX = "by_status"
"""Finds the jobs of a status, in the order in which they are due; holds keys alone."""
TTL = "expires_at"
"""When DynamoDB may delete a row, in seconds since 1970; rows without it stay."""

MOST_VERSIONS = 9
"""Versions whose rows are deleted in one transaction with the job's: it holds 4 MB, and a row 400 KB."""

_KEYS = {"name": "HASH", "version": "RANGE"}
_INDEX_KEYS = {"status": "HASH", "due": "RANGE"}


def key_schema() -> list[dict[str, str]]:
    """The keys of the table."""
    return _schema(_KEYS)


def attribute_definitions() -> list[dict[str, str]]:
    """The attributes that are keys, of the table or of its index; all of them are text."""
    return [{"AttributeName": name, "AttributeType": "S"} for name in (*_KEYS, *_INDEX_KEYS)]


def secondary_indexes() -> list[dict[str, Any]]:
    """The index. A row without ``status`` or ``due`` does not stand in it, and costs nothing there."""
    projection = {"ProjectionType": "KEYS_ONLY"}
    return [{"IndexName": INDEX, "KeySchema": _schema(_INDEX_KEYS), "Projection": projection}]


def time_to_live() -> dict[str, Any]:
    """The ``TimeToLiveSpecification``, which the API takes in a call of its own, ``update_time_to_live``."""
    return {"AttributeName": TTL, "Enabled": True}


def creation(table_name: str) -> dict[str, Any]:
    """The keyword arguments of boto3's ``create_table``.

    Paid by request, encrypted with the key that AWS owns. Time to live and recovery to a point in time are
    calls of their own, once the table is there.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
    """
    return {
        "TableName": table_name,
        "KeySchema": key_schema(),
        "AttributeDefinitions": attribute_definitions(),
        "GlobalSecondaryIndexes": secondary_indexes(),
        "BillingMode": "PAY_PER_REQUEST",
    }


def _schema(keys: dict[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()]
