"""Reads and writes the table of jobs and runs. A change of a job is one transaction with optimistic locking.

```
create   put v0 if it does not exist         + put v1
replace  update v0 if it is as it was read   + put v<n+1>
change   update v0 if it is as it was read
```

Of two concurrent writers, one changes nothing and gets False. Retries within the SDK carry the same client
token; for repeated calls, the condition decides which write came first.

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
    read_run_rows,
    read_versions,
    write_claimed,
    write_row,
    write_second,
    write_version,
)
from stepsched.core.errors import BackendError, ErrorCode, JobExistsError, JobNotFoundError, ScheduleWarning
from stepsched.jobs import JobStatus, JobVersion
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import (
    CLAIM,
    CURRENT,
    INDEX,
    MAX_DELETED_VERSIONS,
    NAME,
    RUN,
    SEEN,
    VERSION,
    is_as_read,
    write,
)

_ATTEMPTS = 6
"""The maximum number of attempts of a write that conflicts with another one."""
_MAX_PAUSE = 0.1
"""The maximum pause in seconds after the first attempt. It grows with each attempt."""
_TRANSIENT_CODES = {
    "ProvisionedThroughputExceeded",
    "ThrottlingError",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}
"""The error codes after which a write is repeated."""
_CONDITION_FAILED_CODES = {"ConditionalCheckFailed", "ConditionalCheckFailedException"}
"""The error codes of a condition that does not hold, in a transaction and in a single write."""
_BATCH_WRITE_SIZE = 25
"""The maximum number of rows in a BatchWriteItem call."""
_BATCH_GET_SIZE = 100
"""The maximum number of rows in a BatchGetItem call."""


class Table:
    """The rows of one table. Thread-safe."""

    def __init__(self, client: Any, table_name: str) -> None:
        """A table that exists. No call is made.

        Args:
            client: A DynamoDB client of boto3.
            table_name: The table. Its keys are the strings ``name`` and ``version``.
        """
        self._client = client
        self.name = table_name
        self._pause = Event()

    def close(self) -> None:
        """Closes the connections. Later calls raise :class:`BackendError`; closing again has no effect."""
        self._client.close()
        self._client = Closed("dynamodb")

    def check(self) -> bool:
        """Checks that the table exists and has the expected keys.

        Returns:
            Whether the table has the index by which jobs and runs are listed.

        Raises:
            BackendError: The table does not exist, or has other keys. The error names it and a remedy.
            AccessDeniedError: The credentials may not describe the table.
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
                (expected,) = schema.secondary_indexes()
                what = f"index {INDEX!r} of table {self.name!r}"
                self._compare(what, index["KeySchema"], types, expected["KeySchema"])
                return True
        return False

    def _compare(self, what: str, found: Any, types: Mapping[str, str], expected: Any) -> None:
        expected_types = {
            each["AttributeName"]: each["AttributeType"] for each in schema.attribute_definitions()
        }
        actual, required = _describe_keys(found, types), _describe_keys(expected, expected_types)
        if actual != required:
            words = f"expected {what} to have the keys {required}, got {actual}; use another table_name"
            raise BackendError("dynamodb", "DescribeTable", ErrorCode.WRONG_SHAPE, detail=words)

    # -- jobs ----------------------------------------------------------------------------------------------

    def create(self, row: Row) -> None:
        """Writes a new job at version 1.

        Raises:
            JobExistsError: A job of this name exists.
        """
        current = {**key(row.job.name), **write_row(row)}
        first = {**key(row.job.name, 1), **write_version(row.job, row.created_at)}
        # A cancelled job may have left a row of a version, which is overwritten: only v0 is decisive.
        if not self.transact({"Put": {"Item": current, **write(schema.IS_NEW)}}, {"Put": {"Item": first}}):
            raise JobExistsError(row.job.name)

    def change(self, before: Row, after: Row, *runs: Item) -> bool:
        """Writes the current row of a job, and a row for its version if that has changed.

        Args:
            before: The row as it was read.
            after: The new row.
            runs: New rows of runs, at most 90, which are written in the same transaction.

        Returns:
            Whether it was written. False: the row has changed in the meantime, or no longer exists, or one of
            the rows of runs exists.
        """
        items: list[dict[str, Any]] = [{"Update": self.update_of(before, after)}]
        if before.claim is not None and after.token != before.token:
            # The execution no longer belongs to the job, so its run is recorded before it ends.
            items.append({"Update": write_claimed(before)})
        if after.version != before.version:
            following = {**key(after.job.name, after.version), **write_version(after.job, after.updated_at)}
            items.append({"Put": {"Item": following}})
        items += [{"Put": {"Item": run, **write(schema.IS_NEW)}} for run in runs]
        return self.transact(*items)

    def update_of(self, before: Row, after: Row) -> dict[str, Any]:
        """The update of :meth:`change`, for a transaction with others."""
        written = write_row(after)
        removes = [name for name in (schema.TOKEN, schema.PAUSE_REASON) if name not in written]
        if after.claim is None:
            removes += CLAIM
        conditions, values = self._unchanged(before)
        expressions = write(*conditions, values=values, sets=written, removes=removes)
        return {"Key": key(after.job.name), **expressions}

    def _unchanged(self, row: Row) -> tuple[list[str], dict[str, Any]]:
        """The conditions that a row is still as it was read, and the values in the conditions."""
        latest = {schema.LATEST: {"N": str(row.version)}}
        if not row.owned:
            conditions = [is_as_read(schema.LATEST, absent=False), schema.IS_FOREIGN]
            return conditions, {f"old_{name}": value for name, value in latest.items()}
        texts = {
            schema.CURSOR: write_second(row.cursor),
            schema.STATUS: row.status.value,
            schema.TOKEN: row.token,
            schema.CLAIMED_BY: None if row.claim is None else row.claim.execution,
            schema.CLAIMED: None if row.claim is None else row.claim.key,
            schema.PAUSE_REASON: row.pause_reason,
        }
        found = {**latest, **{name: {"S": text} for name, text in texts.items() if text is not None}}
        seen = [name for name in SEEN if name != schema.PAUSE_REASON or row.status is JobStatus.PAUSED]
        conditions = [is_as_read(name, absent=name not in found) for name in seen]
        return conditions, {f"old_{name}": found[name] for name in seen if name in found}

    def read(self, name: str) -> Row:
        """The current row of a job, by a consistent read.

        Raises:
            JobNotFoundError: The job does not exist.
            BackendError: The row cannot be read.
        """
        item = self.item(name)
        if item is None or schema.LATEST not in item:
            raise JobNotFoundError(name)
        return self.parse(item)

    def read_many(self, names: Iterable[str]) -> Iterator[Row]:
        """The current rows of several jobs, in no particular order. Jobs that do not exist are left out; rows
        that cannot be read are skipped with a :class:`ScheduleWarning`."""
        return self.parse_many(self.items(key(name) for name in names))

    def parse_many(self, items: Iterable[Item]) -> Iterator[Row]:
        """Parses current rows. Rows that cannot be parsed are skipped with a :class:`ScheduleWarning`."""
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
        """The earlier versions of a job, oldest first.

        Raises:
            BackendError: A version cannot be read.
        """
        found = self.query(row.job.name, "v", "w")
        try:
            return read_versions([item for item in found if item[VERSION]["S"] != CURRENT], row)
        except ValueError as error:
            raise _unreadable(error) from error

    def delete(self, row: Row) -> bool:
        """Deletes a job and the rows of its versions. The first versions are deleted in one transaction with
        the job, any further ones after it.

        Returns:
            Whether it was deleted. False: the row has changed in the meantime.
        """
        conditions, values = self._unchanged(row)
        # The running run no longer belongs to the job, so it is recorded in a row of its own.
        record_claimed = [] if row.claim is None else [{"Update": write_claimed(row)}]
        return self._delete(row.job.name, write(*conditions, values=values), *record_claimed)

    def delete_unreadable(self, item: Item) -> bool:
        """Deletes a job whose current row cannot be read, and the rows of its versions. A run that is running
        is not recorded.

        Returns:
            Whether it was deleted. False: the row has changed in the meantime.
        """
        latest = {f"old_{schema.LATEST}": item[schema.LATEST]}
        return self._delete(item[NAME]["S"], write(is_as_read(schema.LATEST, absent=False), values=latest))

    def _delete(self, name: str, condition: Mapping[str, Any], *writes: Mapping[str, Any]) -> bool:
        found = self.query(name, "v", "w", keys_only=True)
        keys = [{part: item[part] for part in (NAME, VERSION)} for item in found]
        versions = [each for each in keys if each != key(name)]
        deletes = [{"Delete": {"Key": each}} for each in versions[:MAX_DELETED_VERSIONS]]
        if not self.transact({"Delete": {"Key": key(name), **condition}}, *writes, *deletes):
            return False
        self.delete_rows(versions[MAX_DELETED_VERSIONS:])
        return True

    def delete_rows(self, keys: Sequence[Item]) -> None:
        """Deletes rows by their keys; those that do not exist are ignored."""
        self._write_all([{"DeleteRequest": {"Key": each}} for each in keys])

    def put_all(self, items: Iterable[Item]) -> None:
        """Writes rows, whatever rows have their keys. An interrupted call may have written some of them."""
        self._write_all([{"PutRequest": {"Item": each}} for each in items])

    def _write_all(self, requests: list[Any]) -> None:
        while requests:
            sent, requests = requests[:_BATCH_WRITE_SIZE], requests[_BATCH_WRITE_SIZE:]
            answer = self._call("batch_write_item", RequestItems={self.name: sent})
            unprocessed = answer.get("UnprocessedItems", {}).get(self.name, [])
            requests = unprocessed + requests
            if unprocessed:
                self._pause.wait(_MAX_PAUSE * random())  # noqa: S311 -- spreads load, keeps no secret

    # -- runs ----------------------------------------------------------------------------------------------

    def put_new(self, item: Item) -> bool:
        """Writes a row if none has its key.

        Returns:
            Whether it was written.
        """
        return self._try_write("put_item", TableName=self.name, Item=item, **write(schema.IS_NEW))

    def put_newer(self, item: Item, version: str) -> bool:
        """Writes the row of a zone if there is none, or one of an older database.

        Returns:
            Whether it was written.
        """
        expressions = write(schema.IS_OLDER, values={"newer": {"S": version}})
        return self._try_write("put_item", TableName=self.name, Item=item, **expressions)

    def update(self, update: Mapping[str, Any]) -> bool:
        """Updates a row.

        Args:
            update: The key of the row, and the expressions of :func:`write`.

        Returns:
            Whether it was updated. False: the condition does not hold.
        """
        return self._try_write("update_item", TableName=self.name, **update)

    def run(self, name: str, version: str) -> RunRow | None:
        """The row of a run, by a consistent read. None: there is none.

        Raises:
            BackendError: The row cannot be read.
        """
        item = self.item(name, version)
        try:
            return None if item is None else read_run_row(item)
        except ValueError as error:
            raise _unreadable(error) from error

    def runs(
        self, name: str, low: str = RUN, high: str = "run$", *, latest_first: bool = False
    ) -> Iterator[RunRow]:
        """The rows of the runs of a job from one key to another, both inclusive. Rows that cannot be read are
        skipped with a warning."""
        return read_run_rows(self.query(name, low, high, latest_first=latest_first))

    def item(self, name: str, version: int | str = 0) -> Item | None:
        """A row, by a consistent read. None: there is none."""
        found = self._call("get_item", TableName=self.name, Key=key(name, version), ConsistentRead=True)
        item: Item | None = found.get("Item")
        return item

    def items(self, keys: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
        """Rows by their keys, with consistent reads, in no particular order. Rows that do not exist are left
        out.

        Args:
            keys: The keys of the rows. Other attributes are ignored.
        """
        left = ((each[NAME]["S"], each[VERSION]["S"]) for each in keys)
        # DynamoDB refuses a call with a repeated key. A row that moves in the index may be on two pages.
        while portion := dict.fromkeys(islice(left, _BATCH_GET_SIZE)):
            keys_of_page = [{NAME: {"S": name}, VERSION: {"S": version}} for name, version in portion]
            request: dict[str, Any] = {self.name: {"Keys": keys_of_page, "ConsistentRead": True}}
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
        """The rows of a job with sort keys from ``low`` to ``high``, both inclusive, in that order."""
        request: dict[str, Any] = {
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
            request["ProjectionExpression"] = "#key, #range"
        return self._pages("query", request)

    def keys_by_status(
        self, status: str, low: str = " ", high: str = "~", *, latest_first: bool = False
    ) -> Iterator[Item]:
        """The keys of the rows with a status and with ``due`` from ``low`` to ``high``, both inclusive, in
        the order of ``due``, without those of workflows. The index is eventually consistent."""
        request = {
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
        found = self._pages("query", request)
        return (item for item in found if not item[NAME]["S"].startswith(schema.WORKFLOW_ROWS))

    def scan(self) -> Iterator[Item]:
        """The current rows of all jobs, without those of workflows, by a scan. It is used for tables without
        the index."""
        request = {
            "TableName": self.name,
            "ConsistentRead": True,
            "FilterExpression": "#range = :current AND NOT begins_with(#key, :workflows)",
            "ExpressionAttributeNames": {"#key": NAME, "#range": VERSION},
            "ExpressionAttributeValues": {
                ":current": {"S": CURRENT},
                ":workflows": {"S": schema.WORKFLOW_ROWS},
            },
        }
        return self._pages("scan", request)

    def everything(self) -> Iterator[Item]:
        """All rows, in no particular order, by a consistent scan."""
        return self._pages("scan", {"TableName": self.name, "ConsistentRead": True})

    def _pages(self, operation: str, request: dict[str, Any]) -> Iterator[Item]:
        while True:
            page = self._call(operation, **request)
            yield from page["Items"]
            following = page.get("LastEvaluatedKey")
            del page  # so that only one page is in memory while the next one is read
            if following is None:
                return
            request["ExclusiveStartKey"] = following

    # -- calls ---------------------------------------------------------------------------------------------

    def transact(self, *items: Mapping[str, Mapping[str, Any]]) -> bool:
        """Makes all writes or none, in one transaction.

        Args:
            items: The writes by their kind, such as ``{"Put": ...}``, without the name of the table.

        Returns:
            Whether they were made. False: a condition does not hold.
        """
        named = [
            {kind: {"TableName": self.name, **request} for kind, request in item.items()} for item in items
        ]
        return self._try_write("transact_write_items", TransactItems=named)

    def update_all(self, *updates: Mapping[str, Any]) -> bool:
        """Makes all updates or none, as :meth:`transact` does."""
        return self.transact(*({"Update": each} for each in updates))

    def _try_write(self, operation: str, **arguments: Any) -> bool:
        """Makes a write, and repeats it if it conflicts with another one.

        Returns:
            Whether it was made. False: a condition does not hold.
        """
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._call(operation, **arguments)
            except BackendError as error:
                reasons = _reasons(error)
                if reasons & _CONDITION_FAILED_CODES:
                    return False
                if not reasons & _TRANSIENT_CODES:
                    raise
                if not left:
                    fields = (error.service, error.operation, error.code, error.request_id)
                    detail = f"{', '.join(sorted(reasons - {'None'}))}: {error.detail}"
                    raise BackendError(*fields, retryable=True, detail=detail) from error
            else:
                return True
            self._pause.wait(_MAX_PAUSE * (_ATTEMPTS - left) * random())  # noqa: S311 -- spreads load, keeps no secret
        raise AssertionError("the last attempt raises or returns")

    def parse(self, item: Item) -> Row:
        """Parses a current row.

        Raises:
            BackendError: The row cannot be read.
        """
        try:
            return read_row(item)
        except ValueError as error:
            raise _unreadable(error) from error

    def _call(self, operation: str, **arguments: Any) -> Any:
        with mapped("dynamodb", camel_case(operation)):
            return getattr(self._client, operation)(**arguments)


def _reasons(error: BackendError) -> set[str]:
    """The error codes of a failed write, including those of the items of a transaction."""
    answer = getattr(error.__cause__, "response", {})
    return {error.code, *(str(each.get("Code")) for each in answer.get("CancellationReasons", []))}


def _unreadable(error: ValueError) -> BackendError:
    return BackendError("dynamodb", "GetItem", ErrorCode.UNREADABLE, detail=str(error))


def _describe_keys(keys: Any, types: Mapping[str, str]) -> str:
    """A key schema in words."""
    return ", ".join(
        f"{each['AttributeName']} ({types[each['AttributeName']]}, {each['KeyType']})" for each in keys
    )
