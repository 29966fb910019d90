"""Reads the rows of tasks, which the AWS Solutions scheduler has written, or stepsched has taken over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stepsched.aws.sdk import mapped

Item = Mapping[str, Any]
CURRENT = "v0"
"""The version of the row that holds a task as it is."""
_MAX_KEY_BYTES = 2_048


def read_item(dynamodb: Any, table: str, name: str) -> Item | None:
    """Returns the current row of a task, by a consistent read. None: there is none.

    Raises:
        BackendError: The table cannot be read.
    """
    if not 1 <= len(name.encode(errors="surrogateescape")) <= _MAX_KEY_BYTES or not _is_text(name):
        return None  # DynamoDB has no such key
    with mapped("dynamodb", "GetItem"):
        found = dynamodb.get_item(
            TableName=table, Key={"name": {"S": name}, "version": {"S": CURRENT}}, ConsistentRead=True
        )
    item: Item | None = found.get("Item")
    return item


def read_names(dynamodb: Any, table: str) -> Iterator[str]:
    """The names of the tasks that have a current row. The table has no index, so it is scanned.

    Raises:
        BackendError: The table cannot be read.
    """
    request: dict[str, Any] = {
        "TableName": table,
        "ConsistentRead": True,
        "FilterExpression": "#version = :current",
        "ProjectionExpression": "#name",
        "ExpressionAttributeNames": {"#version": "version", "#name": "name"},
        "ExpressionAttributeValues": {":current": {"S": CURRENT}},
    }
    while True:
        with mapped("dynamodb", "Scan"):
            page = dynamodb.scan(**request)
        yield from (item["name"]["S"] for item in page["Items"])
        if not page.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def text_of(item: Item | None, attribute: str) -> str | None:
    """Returns a text of a row. None: the row has none of this name."""
    value = None if item is None else item.get(attribute, {}).get("S")
    return value if isinstance(value, str) else None


def _is_text(name: str) -> bool:
    """Returns whether a text can be sent: an argument whose bytes are not UTF-8 cannot."""
    return not any("\ud800" <= each <= "\udfff" for each in name)
