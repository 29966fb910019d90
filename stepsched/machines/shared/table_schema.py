"""The schema of a table of jobs: keys, attributes, and the conditions of writes.

The client in Python and the runner in JSONata write the same rows. Both build their writes with :func:`write`
from the attributes and the conditions of this module, so that a name stands here once, and a name that is not
here is refused when a write is built.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

CURRENT = "v0"
"""The version of a job's current row."""
RUN = "run#"
"""What the version of a run's row begins with."""
NO_MORE = "never"
"""The value of ``due`` where no run is left: every row of the index has one."""
INDEX = "by_status"
"""Finds the jobs of a status, in the order in which they are due; holds keys alone."""
MOST_VERSIONS = 9
"""Versions whose rows are deleted in one transaction with the job's: it holds 4 MB, and a row 400 KB."""

# -- attributes -----------------------------------------------------------------------------------------

NAME = "name"
"""The job's name: the partition key of every row."""
VERSION = "version"
"""The sort key: ``v0`` of a job's current row, ``v1`` and on of its definitions, ``run#...`` of its runs."""
STATUS = "status"
"""The status of a job or of a run: the partition key of the index."""
DUE = "due"
"""The next run of a job, or the scheduled instant of a run: the sort key of the index."""
TTL = "expires_at"
"""When DynamoDB may delete a row, in seconds since 1970; rows without it stay."""
TOKEN = "token"  # noqa: S105 -- the name of an attribute
"""The token of the execution that may run the job, or that takes a pending run."""
EXECUTION = "execution"
"""The ARN of the execution that runs the job, or that has started the run."""
STARTED_AT = "started_at"
"""When a run has started: of a run's row, and of a job's while a run goes on."""

LATEST = "latest"
"""The number of a job's current version."""
JOB = "job"
"""The definition of a job, as JSON."""
CREATED_AT = "created_at"
UPDATED_AT = "updated_at"
ANCHOR = "anchor"
"""The instant from which the runs of a rate without start are counted (P-12)."""
CURSOR = "cursor"
"""The last scheduled run that was claimed, or the instant after which runs are planned."""
PLAN = "plan"
"""The instructions for the runner, as JSON."""
CLAIMED = "claimed"
"""The key of the run that goes on."""
CLAIMED_BY = "claimed_by"
"""The ARN of the execution of the run that goes on."""
LAST = "last"
"""The key of the run that ended last."""
WRITTEN_AT = "written_at"
"""When a version of a job was written."""

TRIGGER = "trigger"
"""What has asked for a run; absent where the schedule has."""
RECORDED_AT = "recorded_at"
"""When an unscheduled run was recorded."""
ATTEMPTS = "attempts"
ERROR = "error"
CAUSE = "cause"
OUTPUT = "output"
ENDED_AT = "ended_at"
PASSED = "passed"
"""The instant up to which a run has passed over later ones (``Overlap.SKIP``)."""
JOB_VERSION = "job_version"
"""The version of the job that a run has run."""
RESTARTED = "restarted"
"""Present where a run was started again although its target may have been invoked."""

ATTRIBUTES = frozenset(
    {
        *(NAME, VERSION, STATUS, DUE, TTL, TOKEN, EXECUTION, STARTED_AT),
        *(LATEST, JOB, CREATED_AT, UPDATED_AT, ANCHOR, CURSOR, PLAN, CLAIMED, CLAIMED_BY, LAST, WRITTEN_AT),
        *(TRIGGER, RECORDED_AT, ATTEMPTS, ERROR, CAUSE, OUTPUT, ENDED_AT, PASSED, JOB_VERSION, RESTARTED),
    }
)
CLAIM = (CLAIMED_BY, CLAIMED, STARTED_AT)
"""What a job's row holds of the run that goes on."""

# -- conditions -----------------------------------------------------------------------------------------

IS_NEW = f"attribute_not_exists(#{NAME})"
"""There is no row of this key."""
HAS_TOKEN = f"#{TOKEN} = :old_token"
"""No other execution has been given the job, or the pending run."""
HAS_EXECUTION = f"#{EXECUTION} = :me"
"""The execution runs the job, or has started the run."""
IS_A_JOB = f"attribute_exists(#{PLAN})"
"""The job is there."""
IS_CLAIMED = f"#{CLAIMED_BY} = :me"
"""The run of the job that goes on is this execution's."""
IS_CLAIMED_FOR = f"#{CLAIMED} = :claimed_run"
"""The run of the job that goes on is this one."""
CAN_CLAIM = f"(attribute_not_exists(#{CLAIMED_BY}) OR #{CLAIMED_BY} = :me)"
"""No run of another execution goes on."""
IS_AHEAD = f"#{CURSOR} < :instant"
"""The scheduled run was claimed by nobody."""
IS_AHEAD_OR_MINE = f"({IS_AHEAD} OR (#{CURSOR} = :instant AND #{CLAIMED_BY} = :me))"
"""The same, or the execution itself has claimed it and the answer was lost."""
HAS_STATUS = f"#{STATUS} = :old_status"
"""The run is in the status in which it was read."""
CAN_START = f"(#{STATUS} = :pending OR (#{STATUS} = :running AND #{EXECUTION} = :me))"
"""The run is pending, or the execution itself has started it and the answer was lost."""
IS_UNSTARTED = f"attribute_not_exists(#{STARTED_AT})"
"""Nobody has started the run."""
IS_UNFINISHED = f"attribute_not_exists(#{ENDED_AT})"
"""The run has not ended."""
IS_NOT_TAKEN = f"(attribute_not_exists(#{EXECUTION}) OR #{EXECUTION} = :me)"
"""No other execution has started the run."""
IS_FOREIGN = f"attribute_not_exists(#{JOB})"
"""The row is still the AWS Solutions scheduler's."""


def is_as_read(attribute: str, *, absent: bool) -> str:
    """The condition that an attribute is as it was read; its value is called ``:old_<attribute>``."""
    return f"attribute_not_exists(#{attribute})" if absent else f"#{attribute} = :old_{attribute}"


# -- writes ---------------------------------------------------------------------------------------------


def write(
    *conditions: str,
    values: Mapping[str, Any] | None = None,
    sets: Mapping[str, Any] | None = None,
    keeps: Mapping[str, Any] | None = None,
    removes: Iterable[str] = (),
) -> dict[str, Any]:
    """The expressions of a write, as members of a request of DynamoDB.

    Args:
        conditions: Conditions of this module, all of which must hold; none: the write is unconditional.
        values: The values in the conditions, without their colon: attribute values, or JSONata.
        sets: The new values of attributes.
        keeps: Values of attributes that are set only where they are absent.
        removes: Attributes to remove.

    Raises:
        ValueError: An attribute is not one of the table's, or a value of a condition is missing or left over.
    """
    sets, keeps, removes = dict(sets or {}), dict(keeps or {}), tuple(removes)
    condition = " AND ".join(conditions)
    updates = [
        f"SET {', '.join(parts)}"
        for parts in [
            [f"#{name} = :{name}" for name in sets]
            + [f"#{name} = if_not_exists(#{name}, :{name})" for name in keeps]
        ]
        if parts
    ]
    if removes:
        updates.append(f"REMOVE {', '.join(f'#{name}' for name in removes)}")
    update = " ".join(updates)
    names = dict.fromkeys(re.findall(r"#(\w+)", f"{condition} {update}"))
    asked, given = set(re.findall(r":(\w+)", condition)), dict(values or {})
    if unknown := names.keys() - ATTRIBUTES:
        raise ValueError(f"expected attributes of the table, got {', '.join(sorted(unknown))}")
    if asked != given.keys():
        raise ValueError(f"expected the values {sorted(asked)} of {condition!r}, got {sorted(given)}")
    request: dict[str, Any] = {"ExpressionAttributeNames": {f"#{name}": name for name in names}}
    if condition:
        request["ConditionExpression"] = condition
    if update:
        request["UpdateExpression"] = update
    if written := {f":{name}": value for name, value in {**given, **sets, **keeps}.items()}:
        request["ExpressionAttributeValues"] = written
    return request


def projection(*attributes: str) -> dict[str, Any]:
    """Which attributes a read answers, as members of a request of DynamoDB."""
    return {
        "ProjectionExpression": ", ".join(f"#{name}" for name in attributes),
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
    }


# -- the table ------------------------------------------------------------------------------------------

_KEYS = {NAME: "HASH", VERSION: "RANGE"}
_INDEX_KEYS = {STATUS: "HASH", DUE: "RANGE"}


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
