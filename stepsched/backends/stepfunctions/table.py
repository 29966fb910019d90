"""The table of jobs: every change is one transaction under an optimistic lock.

```
create   put v0 if there is none          + put v1
replace  set v0 if latest is n, latest=n+1 + put v<n+1> if there is none
```

A losing writer changes nothing and learns that it has lost. No client token travels with a transaction: the
condition makes the same call twice harmless, and says which of two callers was first.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stepsched.backends.stepfunctions.rows import (
    CURRENT,
    Row,
    key,
    read_row,
    read_versions,
    write_row,
    write_version,
)
from stepsched.errors import BackendError, ConflictError, JobExistsError, JobNotFoundError
from stepsched.jobs import JobVersion
from stepsched.sdk import mapped

_ATTEMPTS = 5
"""Of a transaction that meets another one on its way."""
_IN_A_BATCH = 25
"""Rows that BatchWriteItem deletes at once."""


class Table:
    """The rows of one table. One object serves many threads."""

    def __init__(self, client: Any, table_name: str) -> None:
        """A table that exists; no call is made.

        Args:
            client: boto3's of DynamoDB.
            table_name: The table, whose keys are ``name`` and ``version``, both text.
        """
        self._client = client
        self._name = table_name

    def check(self) -> None:
        """Looks whether it is there and has the keys that are wanted.

        Raises:
            BackendError: It is missing or of another shape; names it, and the remedy.
            AccessDeniedError: It may not be described.
        """
        found = self._call("describe_table", TableName=self._name)["Table"]
        types = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
        keys = [
            (each["AttributeName"], types[each["AttributeName"]], each["KeyType"])
            for each in found["KeySchema"]
        ]
        if keys != [("name", "S", "HASH"), ("version", "S", "RANGE")]:
            shape = ", ".join(f"{name} ({kind}, {role})" for name, kind, role in keys)
            words = (
                f"table {self._name!r} has the keys {shape}; a table of jobs has name (S, HASH) and "
                "version (S, RANGE): give another table_name"
            )
            raise BackendError("dynamodb", "DescribeTable", "WRONG_SHAPE", detail=words)

    def create(self, row: Row) -> None:
        """Writes a new job at version 1.

        Raises:
            JobExistsError: The name is taken.
        """
        absent = "attribute_not_exists(#name)"
        names = {"#name": "name"}
        current = {**key(row.job.name), **write_row(row)}
        first = {**key(row.job.name, 1), **write_version(row.job, row.created_at)}
        put = {"TableName": self._name, "ConditionExpression": absent, "ExpressionAttributeNames": names}
        # A version's row that a cancelled job of the name has left does not matter: v0 decides.
        if not self._transact(
            [{"Put": {**put, "Item": current}}, {"Put": {"TableName": self._name, "Item": first}}]
        ):
            raise JobExistsError(row.job.name)

    def replace(self, row: Row, *, expected_version: int) -> None:
        """Writes a job's next version.

        Args:
            row: As it shall be, with the new version's number.
            expected_version: The version that is replaced.

        Raises:
            JobNotFoundError: There is no such job.
            ConflictError: It is at another version.
        """
        following = {**key(row.job.name, row.version), **write_version(row.job, row.updated_at)}
        written = self._transact(
            [
                {"Update": self._update(row, expected_version)},
                {"Put": {"TableName": self._name, "Item": following}},
            ]
        )
        if not written:
            self.read(row.job.name)
            raise ConflictError(row.job.name, expected_version)

    def set(self, row: Row) -> None:
        """Writes a job's status, where the version is still the row's.

        Raises:
            JobNotFoundError: There is no such job.
            ConflictError: It is at another version.
        """
        if not self._transact([{"Update": self._update(row, row.version)}]):
            self.read(row.job.name)
            raise ConflictError(row.job.name, row.version)

    def read(self, name: str) -> Row:
        """The current row, as of now.

        Raises:
            JobNotFoundError: There is none.
        """
        found = self._call("get_item", TableName=self._name, Key=key(name), ConsistentRead=True)
        if "Item" not in found:
            raise JobNotFoundError(name)
        return self._read(found["Item"])

    def versions(self, name: str) -> list[JobVersion]:
        """A job's earlier definitions, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
        """
        current = self.read(name)
        return read_versions([item for item in self._rows(name) if item["version"]["S"] != CURRENT], current)

    def delete(self, name: str) -> Row:
        """Deletes a job with all its rows, the current one first: whatever happens then, the job is gone.

        Raises:
            JobNotFoundError: There is no such job.
        """
        gone = self._call("delete_item", TableName=self._name, Key=key(name), ReturnValues="ALL_OLD")
        if "Attributes" not in gone:
            raise JobNotFoundError(name)
        requests = [
            {"DeleteRequest": {"Key": {"name": item["name"], "version": item["version"]}}}
            for item in self._rows(name, keys_only=True)
        ]
        while requests:
            sent, requests = requests[:_IN_A_BATCH], requests[_IN_A_BATCH:]
            answer = self._call("batch_write_item", RequestItems={self._name: sent})
            requests += answer.get("UnprocessedItems", {}).get(self._name, [])
        return self._read(gone["Attributes"])

    def _update(self, row: Row, expected_version: int) -> dict[str, Any]:
        attributes = write_row(row)
        return {
            "TableName": self._name,
            "Key": key(row.job.name),
            "ConditionExpression": "#latest = :expected",
            "UpdateExpression": "SET " + ", ".join(f"#{each} = :{each}" for each in attributes),
            "ExpressionAttributeNames": {f"#{each}": each for each in attributes},
            "ExpressionAttributeValues": {
                ":expected": {"N": str(expected_version)},
                **{f":{each}": value for each, value in attributes.items()},
            },
        }

    def _rows(self, name: str, *, keys_only: bool = False) -> Iterator[Mapping[str, Any]]:
        asked: dict[str, Any] = {
            "TableName": self._name,
            "ConsistentRead": True,
            "KeyConditionExpression": "#name = :name",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {":name": {"S": name}},
        }
        if keys_only:
            asked["ProjectionExpression"] = "#name, #version"
            asked["ExpressionAttributeNames"]["#version"] = "version"
        while True:
            page = self._call("query", **asked)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _transact(self, items: list[dict[str, Any]]) -> bool:
        """Whether the transaction was written; False where a condition does not hold."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._call("transact_write_items", TransactItems=items)
            except BackendError as error:  # noqa: PERF203 -- one call, a few times
                answer = getattr(error.__cause__, "response", {})
                reasons = [each.get("Code") for each in answer.get("CancellationReasons", [])]
                if "ConditionalCheckFailed" in reasons:
                    return False
                if "TransactionConflict" not in reasons or not left:
                    raise
            else:
                return True
        raise AssertionError("the last attempt raises or returns")

    def _read(self, item: Mapping[str, Any]) -> Row:
        try:
            return read_row(item)
        except ValueError as error:
            raise BackendError("dynamodb", "GetItem", "UNREADABLE_ROW", detail=str(error)) from error

    def _call(self, operation: str, **arguments: Any) -> Any:
        with mapped("dynamodb", operation):
            return getattr(self._client, operation)(**arguments)
