"""The table of jobs and runs: a change of a definition is one transaction under an optimistic lock.

```
create   put v0 if there is none             + put v1
replace  change v0 if it is as it was read   + put v<n+1>
change   change v0 if it is as it was read
```

A losing writer changes nothing and learns that it has lost. The SDK's own retries of a transaction carry one
client token; a caller's do not, and the condition says which of two was first.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from random import random
from threading import Event
from typing import Any

from stepsched.aws.sdk import Closed, camel_case, mapped
from stepsched.backends.stepfunctions.rows import (
    Item,
    Row,
    RunRow,
    key,
    read_row,
    read_run_row,
    read_versions,
    readable,
    write_claimed,
    write_row,
    write_second,
    write_version,
)
from stepsched.core.errors import BackendError, ErrorCode, JobExistsError, JobNotFoundError, ScheduleWarning
from stepsched.jobs import JobVersion
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import (
    CLAIM,
    CURRENT,
    INDEX,
    MAX_DELETED_VERSIONS,
    NAME,
    RUN,
    VERSION,
    is_as_read,
    write,
)

_ATTEMPTS = 6
"""Of a write that meets another one on its way."""
_PAUSE = 0.1
"""Seconds between two of them, at most, at first."""
_TRANSIENT_CODES = {
    "ProvisionedThroughputExceeded",
    "ThrottlingError",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}
"""Why a write is made again."""
_REFUSED = {"ConditionalCheckFailed", "ConditionalCheckFailedException"}
"""That a condition does not hold, in a transaction and alone."""
_IN_A_BATCH = 25
"""Rows that BatchWriteItem deletes at once."""
_READ_AT_ONCE = 100
"""Rows that BatchGetItem reads at once."""


class Table:
    """The rows of one table. One object serves many threads."""

    def __init__(self, client: Any, table_name: str) -> None:
        """A table that exists; no call is made.

        Args:
            client: boto3's of DynamoDB.
            table_name: The table, whose keys are ``name`` and ``version``, both text.
        """
        self._client = client
        self.name = table_name
        self._pause = Event()

    def close(self) -> None:
        """Closes the connections; every call afterwards is refused. Harmless twice."""
        self._client.close()
        self._client = Closed("dynamodb")

    def check(self) -> bool:
        """Looks whether it is there and has the keys that are wanted.

        Returns:
            Whether it has the index by which jobs are listed.

        Raises:
            BackendError: It is missing or of another shape; names it, and the remedy.
            AccessDeniedError: It may not be described.
        """
        try:
            found = self._call("describe_table", TableName=self.name)["Table"]
        except BackendError as error:
            if error.code != "ResourceNotFoundException":
                raise
            words = (
                f"there is no table {self.name!r} in this account and Region; correct table_name, or create "
                "the stack of stepsched.deploy.template(...)"
            )
            raise BackendError(
                "dynamodb", error.operation, error.code, error.request_id, detail=words
            ) from error
        types = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
        self._compare(f"table {self.name!r}", found["KeySchema"], types, schema.key_schema())
        for index in found.get("GlobalSecondaryIndexes", ()):
            if index["IndexName"] == INDEX:
                (wanted,) = schema.secondary_indexes()
                what = f"index {INDEX!r} of table {self.name!r}"
                self._compare(what, index["KeySchema"], types, wanted["KeySchema"])
                return True
        return False

    def _compare(self, what: str, found: Any, types: Mapping[str, str], wanted: Any) -> None:
        right_types = {
            each["AttributeName"]: each["AttributeType"] for each in schema.attribute_definitions()
        }
        shape, right = _shape(found, types), _shape(wanted, right_types)
        if shape != right:
            words = f"{what} has the keys {shape}; a table of jobs has {right}: give another table_name"
            raise BackendError("dynamodb", "DescribeTable", ErrorCode.WRONG_SHAPE, detail=words)

    # -- jobs ----------------------------------------------------------------------------------------------

    def create(self, row: Row) -> None:
        """Writes a new job at version 1.

        Raises:
            JobExistsError: The name is taken.
        """
        current = {**key(row.job.name), **write_row(row)}
        first = {**key(row.job.name, 1), **write_version(row.job, row.created_at)}
        # A version's row that a cancelled job of the name has left does not matter: v0 decides.
        if not self.transact({"Put": {"Item": current, **write(schema.IS_NEW)}}, {"Put": {"Item": first}}):
            raise JobExistsError(row.job.name)

    def change(self, before: Row, after: Row) -> bool:
        """Writes a job anew, with a row for its version where that is another one.

        Args:
            before: As it was read.
            after: As it shall be.

        Returns:
            Whether it was written: not where it has changed meanwhile, or is gone.
        """
        items: list[dict[str, Any]] = [{"Update": self.update_of(before, after)}]
        if before.claim is not None and after.token != before.token:
            # Its execution is not the job's any more: the run that goes on gets a row before it ends.
            items.append({"Update": write_claimed(before)})
        if after.version != before.version:
            following = {**key(after.job.name, after.version), **write_version(after.job, after.updated_at)}
            items.append({"Put": {"Item": following}})
        return self.transact(*items)

    def update_of(self, before: Row, after: Row) -> dict[str, Any]:
        """The same as an update, for a transaction with others."""
        written = write_row(after)
        removes = [] if schema.TOKEN in written else [schema.TOKEN]
        if after.claim is None:
            removes += CLAIM
        conditions, values = self._unchanged(before)
        expressions = write(*conditions, values=values, sets=written, removes=removes)
        return {"Key": key(after.job.name), **expressions}

    def _unchanged(self, row: Row) -> tuple[list[str], dict[str, Any]]:
        """The conditions that a row is still as it was read, with the values in them."""
        seen: dict[str, Any] = {schema.LATEST: {"N": str(row.version)}}
        conditions = [is_as_read(schema.LATEST, absent=False)]
        if not row.owned:
            return [*conditions, schema.IS_FOREIGN], {f"old_{name}": value for name, value in seen.items()}
        texts = {
            schema.CURSOR: write_second(row.cursor),
            schema.STATUS: row.status.value,
            schema.TOKEN: row.token,
            schema.CLAIMED_BY: None if row.claim is None else row.claim.execution,
            schema.CLAIMED: None if row.claim is None else row.claim.key,
        }
        conditions += [is_as_read(name, absent=value is None) for name, value in texts.items()]
        seen |= {name: {"S": value} for name, value in texts.items() if value is not None}
        return conditions, {f"old_{name}": value for name, value in seen.items()}

    def read(self, name: str) -> Row:
        """The current row, as of now.

        Raises:
            JobNotFoundError: There is none.
        """
        item = self.item(name)
        if item is None or schema.LATEST not in item:
            raise JobNotFoundError(name)
        return self.parse(item)

    def read_many(self, names: Iterable[str]) -> Iterator[Row]:
        """The current rows of several jobs, in no order; those that are not there are left out, and with a
        :class:`ScheduleWarning` those that cannot be read."""
        return self.parse_many(self.items(key(name) for name in names))

    def parse_many(self, items: Iterable[Item]) -> Iterator[Row]:
        """The same of rows that have been read."""
        for item in items:
            if schema.LATEST not in item:
                continue
            try:
                row = self.parse(item)
            except BackendError as error:
                warnings.warn(f"left out: {error.detail}", ScheduleWarning, stacklevel=2)
            else:
                yield row

    def versions(self, row: Row) -> list[JobVersion]:
        """A job's earlier definitions, oldest first."""
        found = self.query(row.job.name, "v", "w")
        return read_versions([item for item in found if item[VERSION]["S"] != CURRENT], row)

    def delete(self, row: Row) -> bool:
        """Deletes a job with the rows of its versions, in one transaction; those of very many follow.

        Returns:
            Whether it was deleted: not where it has been changed meanwhile.
        """
        found = self.query(row.job.name, "v", "w", keys_only=True)
        keys = [{part: item[part] for part in (NAME, VERSION)} for item in found]
        versions = [each for each in keys if each != key(row.job.name)]
        conditions, values = self._unchanged(row)
        current = {"Key": key(row.job.name), **write(*conditions, values=values)}
        # The run that goes on is not the job's any more, and has a row of its own until it ends.
        goes_on = [] if row.claim is None else [{"Update": write_claimed(row)}]
        deletes = [{"Delete": {"Key": each}} for each in versions[:MAX_DELETED_VERSIONS]]
        if not self.transact({"Delete": current}, *goes_on, *deletes):
            return False
        self._delete_rows(versions[MAX_DELETED_VERSIONS:])
        return True

    def _delete_rows(self, keys: Sequence[Item]) -> None:
        requests: list[Any] = [{"DeleteRequest": {"Key": each}} for each in keys]
        while requests:
            sent, requests = requests[:_IN_A_BATCH], requests[_IN_A_BATCH:]
            answer = self._call("batch_write_item", RequestItems={self.name: sent})
            requests += answer.get("UnprocessedItems", {}).get(self.name, [])

    # -- runs ----------------------------------------------------------------------------------------------

    def put_new(self, item: Item) -> bool:
        """Writes a row where there is none.

        Returns:
            Whether there was none.
        """
        return self._written("put_item", TableName=self.name, Item=item, **write(schema.IS_NEW))

    def update(self, update: Mapping[str, Any]) -> bool:
        """Updates a row: its key, and what :func:`write` gives.

        Returns:
            Whether its condition held.
        """
        return self._written("update_item", TableName=self.name, **update)

    def run(self, name: str, version: str) -> RunRow | None:
        """The row of a run as it is now; None where there is none.

        Raises:
            BackendError: It cannot be read.
        """
        item = self.item(name, version)
        try:
            return None if item is None else read_run_row(item)
        except ValueError as error:
            raise _unreadable(error) from error

    def runs(
        self, name: str, low: str = RUN, high: str = "run$", *, latest_first: bool = False
    ) -> Iterator[RunRow]:
        """The rows of the runs of a job, from one key to another, both inclusive; with a warning, without
        those that cannot be read."""
        return readable(self.query(name, low, high, latest_first=latest_first))

    def item(self, name: str, version: int | str = 0) -> Item | None:
        """A row as it stands now; None where there is none."""
        found = self._call("get_item", TableName=self.name, Key=key(name, version), ConsistentRead=True)
        item: Item | None = found.get("Item")
        return item

    def items(self, keys: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
        """Rows as they stand now, in no order; those that are not there are left out.

        Args:
            keys: Theirs; what an index says besides does not matter.
        """
        left = ((each[NAME]["S"], each[VERSION]["S"]) for each in keys)
        # No key twice in a call, which is refused: a row that moves in the index stands on two pages.
        while portion := dict.fromkeys(islice(left, _READ_AT_ONCE)):
            wanted = [{NAME: {"S": name}, VERSION: {"S": version}} for name, version in portion]
            request: dict[str, Any] = {self.name: {"Keys": wanted, "ConsistentRead": True}}
            while request:
                answer = self._call("batch_get_item", RequestItems=request)
                yield from answer["Responses"].get(self.name, ())
                request = answer.get("UnprocessedKeys", {})

    def query(
        self,
        name: str,
        low: str = RUN,
        high: str = "run$",
        *,
        keys_only: bool = False,
        latest_first: bool = False,
    ) -> Iterator[Item]:
        """The rows of a job with versions from one text to another, both inclusive."""
        asked: dict[str, Any] = {
            "TableName": self.name,
            "ConsistentRead": True,
            "ScanIndexForward": not latest_first,
            "KeyConditionExpression": "#key = :name AND #range BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#key": NAME, "#range": VERSION},
            "ExpressionAttributeValues": {
                ":name": {"S": name},
                ":low": {"S": low},
                ":high": {"S": high},
            },
        }
        if keys_only:
            asked["ProjectionExpression"] = "#key, #range"
        return self._pages("query", asked)

    def listed(
        self, status: str, low: str = " ", high: str = "~", *, latest_first: bool = False
    ) -> Iterator[Item]:
        """The keys of the rows of a status, by what they are due at, from one text to another."""
        asked = {
            "TableName": self.name,
            "IndexName": INDEX,
            "ScanIndexForward": not latest_first,
            "KeyConditionExpression": "#key = :status AND #range BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#key": schema.STATUS, "#range": schema.DUE},
            "ExpressionAttributeValues": {
                ":status": {"S": status},
                ":low": {"S": low},
                ":high": {"S": high},
            },
        }
        return self._pages("query", asked)

    def scan(self) -> Iterator[Item]:
        """The current rows of all jobs: for a table without the index, which must be read from end to end."""
        asked = {
            "TableName": self.name,
            "ConsistentRead": True,
            "FilterExpression": "#range = :current",
            "ExpressionAttributeNames": {"#range": VERSION},
            "ExpressionAttributeValues": {":current": {"S": CURRENT}},
        }
        return self._pages("scan", asked)

    def _pages(self, operation: str, asked: dict[str, Any]) -> Iterator[Item]:
        while True:
            page = self._call(operation, **asked)
            yield from page["Items"]
            following = page.get("LastEvaluatedKey")
            del page  # or two would be held while the next one is read
            if following is None:
                return
            asked["ExclusiveStartKey"] = following

    # -- calls ---------------------------------------------------------------------------------------------

    def transact(self, *items: Mapping[str, Mapping[str, Any]]) -> bool:
        """Makes all of these writes, or none.

        Args:
            items: Each by its kind, such as ``{"Put": ...}``, without the table's name.

        Returns:
            Whether they were made; False where a condition does not hold.
        """
        named = [
            {kind: {"TableName": self.name, **request} for kind, request in item.items()} for item in items
        ]
        return self._written("transact_write_items", TransactItems=named)

    def update_all(self, *updates: Mapping[str, Any]) -> bool:
        """The same of updates."""
        return self.transact(*({"Update": each} for each in updates))

    def _written(self, operation: str, **arguments: Any) -> bool:
        """Whether something was written; False where a condition does not hold. A write that meets another
        one of the same row on its way is made again."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._call(operation, **arguments)
            except BackendError as error:
                reasons = _reasons(error)
                if reasons & _REFUSED:
                    return False
                if not reasons & _TRANSIENT_CODES:
                    raise
                if not left:
                    told = (error.service, error.operation, error.code, error.request_id)
                    words = f"{', '.join(sorted(reasons - {'None'}))}: {error.detail}"
                    raise BackendError(*told, retryable=True, detail=words) from error
            else:
                return True
            self._pause.wait(_PAUSE * (_ATTEMPTS - left) * random())  # noqa: S311 -- spreads load, keeps no secret
        raise AssertionError("the last attempt raises or returns")

    def parse(self, item: Item) -> Row:
        """A current row.

        Raises:
            BackendError: It is none that can be read.
        """
        try:
            return read_row(item)
        except ValueError as error:
            raise _unreadable(error) from error

    def _call(self, operation: str, **arguments: Any) -> Any:
        with mapped("dynamodb", camel_case(operation)):
            return getattr(self._client, operation)(**arguments)


def _reasons(error: BackendError) -> set[str]:
    """Why a write was not made."""
    answer = getattr(error.__cause__, "response", {})
    return {error.code, *(str(each.get("Code")) for each in answer.get("CancellationReasons", []))}


def _unreadable(error: ValueError) -> BackendError:
    return BackendError("dynamodb", "GetItem", ErrorCode.UNREADABLE, detail=str(error))


def _shape(keys: Any, types: Mapping[str, str]) -> str:
    """A key schema as words."""
    return ", ".join(
        f"{each['AttributeName']} ({types[each['AttributeName']]}, {each['KeyType']})" for each in keys
    )
