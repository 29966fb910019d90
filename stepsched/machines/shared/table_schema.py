"""The schema of a table of jobs: keys, attributes, and the conditions of writes.

The client in Python and the runner in JSONata write the same rows. Both build their writes with :func:`write`
from the attributes and conditions of this module, so that each name is defined once and an unknown name is
refused when a write is built.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

CURRENT = "v0"
"""The sort key of a job's current row."""
RUN = "run#"
"""The prefix of the sort keys of runs."""
NO_MORE = "never"
"""The value of ``due`` of a job without a next run. The index needs a value for every job."""
INDEX = "by_status"
"""The index that lists jobs and runs by status, in the order of ``due``. It projects only the keys."""
MAX_DELETED_VERSIONS = 9
"""The maximum number of version rows that are deleted in one transaction with the job's row: a transaction is
limited to 4 MB, and a row to 400 KB."""

ZONE_ROWS = "zone#"
"""The prefix of the names of rows that hold the rules of a zone, such as ``zone#Europe/Paris``. A job may
have such a name: its rows have other sort keys."""
ZONE_ROW = "zone"
"""The sort key of these rows. No list of jobs or of runs contains them: they have no status."""

WORKFLOW_ROWS = "workflow#"
"""The prefix of the names of the rows of workflows, their runs and steps. A job cannot have such a name, and
no list of jobs or of runs contains these rows. Behind it, alone, it is the name of the rows that list the
workflows."""
DEFINITION = "definition"
"""The sort key of the row that points to the latest definition of a workflow; with ``#`` and the number, six
digits, of that of a definition."""
WORKFLOW_NAME = "name#"
"""The prefix of the sort keys of the rows that list the workflows."""
FLOW = "flow#"
"""The prefix of the sort keys of the runs of a workflow."""
STEP = "step#"
"""The prefix of the sort keys of the steps of a definition, and of a run."""

# -- attributes -----------------------------------------------------------------------------------------

NAME = "name"
"""The name of the job: the partition key of every row."""
VERSION = "version"
"""The sort key: ``v0`` of a job's current row, ``v1`` and on of its definitions, ``run#...`` of its runs."""
STATUS = "status"
"""The status of a job or of a run: the partition key of the index."""
DUE = "due"
"""The next run of a job, or the scheduled instant of a run: the sort key of the index."""
TTL = "expires_at"
"""The time after which DynamoDB may delete a row, in seconds since 1970. Rows without it are kept."""
TOKEN = "token"  # noqa: S105 -- the name of an attribute
"""The token of the execution that may run the job, or that takes a pending run."""
EXECUTION = "execution"
"""The ARN of the execution that runs the job, or that has started the run."""
STARTED_AT = "started_at"
"""The start of a run: in its row, and in the row of the job while the run is running."""

LATEST = "latest"
"""The number of a job's current version."""
JOB = "job"
"""The definition of a job, as JSON."""
PAUSE_REASON = "pause_reason"
"""Why a job is paused, as its operator has said. It belongs to the pause: in other rows it means nothing."""
CREATED_AT = "created_at"
UPDATED_AT = "updated_at"
ANCHOR = "anchor"
"""The instant from which the runs of a rate without start are counted (P-12)."""
CURSOR = "cursor"
"""The scheduled instant of the last claimed run, or the instant after which runs are planned."""
PLAN = "plan"
"""The instructions for the runner, as JSON."""
CLAIMED = "claimed"
"""The key of the run that is running."""
CLAIMED_BY = "claimed_by"
"""The ARN of the execution that has claimed the run that is running."""
LAST = "last"
"""The key of the run that ended last."""
WRITTEN_AT = "written_at"
"""When a version of a job was written."""

TRIGGER = "trigger"
"""The trigger of an unscheduled run; absent in scheduled runs."""
RECORDED_AT = "recorded_at"
"""When an unscheduled run was recorded."""
ATTEMPTS = "attempts"
ERROR = "error"
CAUSE = "cause"
OUTPUT = "output"
ENDED_AT = "ended_at"
PASSED = "passed"
"""The instant up to which later runs were skipped because of this run (``Overlap.SKIP``)."""
JOB_VERSION = "job_version"
"""The version of the job with which a run was executed."""
RESTARTED = "restarted"
"""Present if a run was started again although its target may have been invoked."""

OFFSETS = "offsets"
"""The offsets of a zone (:func:`stepsched.machines.zones.zone_table`), as JSON."""
DATABASE = "database"
"""The version of the time zone database with these offsets."""

STATE = "state"
"""The status of a run of a workflow, or of a step. It is in no index."""
DIGEST = "digest"
"""The digest of a definition, by which its steps are found."""
WORKFLOW = "workflow"
"""The definition of a workflow without its steps, as JSON."""
GRAPH = "graph"
"""The graph of a workflow as its machine reads it, as JSON."""
SCHEDULED_FOR = "scheduled_for"
"""The scheduled instant of the job's run that has started a run of a workflow."""
RESTARTS = "restarts"
REVISION = "revision"
"""The number of changes of a run of a workflow by operators, by which its driver recognises them."""
INPUT = "input"
"""The input of a run of a workflow, as JSON."""
FAILURES = "failures"
LOSSES = "losses"
RETRY_AT = "retry_at"
FAILURE = "failure"
CAUSED_BY = "caused_by"
REASON = "reason"
JOB_ID = "job_id"
"""What runs an attempt of a step: the ID of a job of AWS Batch, or the ARN of an execution of the runner."""
NOTICE = "notice"
"""Of an ended run of a workflow: ``due`` until its end was told, then ``sent``; ``none`` if nobody is to be
told."""
DETAIL = "detail"
"""The status of the service while a step runs. In a step that has ended, and in its run: that its work is
still to be ended."""

ATTRIBUTES = frozenset(
    {
        *(NAME, VERSION, STATUS, DUE, TTL, TOKEN, EXECUTION, STARTED_AT),
        *(
            LATEST,
            JOB,
            PAUSE_REASON,
            CREATED_AT,
            UPDATED_AT,
            ANCHOR,
            CURSOR,
            PLAN,
            CLAIMED,
            CLAIMED_BY,
            LAST,
            WRITTEN_AT,
        ),
        *(TRIGGER, RECORDED_AT, ATTEMPTS, ERROR, CAUSE, OUTPUT, ENDED_AT, PASSED, JOB_VERSION, RESTARTED),
        *(OFFSETS, DATABASE),
        *(STATE, DIGEST, WORKFLOW, GRAPH, SCHEDULED_FOR, RESTARTS, REVISION, INPUT),
        *(FAILURES, LOSSES, RETRY_AT, FAILURE, CAUSED_BY, REASON, JOB_ID, DETAIL, NOTICE),
    }
)
CLAIM = (CLAIMED_BY, CLAIMED, STARTED_AT)
"""The attributes of a job's row that describe the run that is running."""
SEEN = (LATEST, CURSOR, STATUS, TOKEN, CLAIMED_BY, CLAIMED, PAUSE_REASON)
"""The attributes by which a writer recognises that the row of a job is still as it was read."""

# -- conditions -----------------------------------------------------------------------------------------

IS_NEW = f"attribute_not_exists(#{NAME})"
"""No row has this key."""
HAS_TOKEN = f"#{TOKEN} = :old_token"
"""The job, or the pending run, still has the token."""
HAS_EXECUTION = f"#{EXECUTION} = :me"
"""The execution runs the job, or has started the run."""
IS_A_JOB = f"attribute_exists(#{PLAN})"
"""The job exists."""
IS_CLAIMED = f"#{CLAIMED_BY} = :me"
"""This execution has claimed the run that is running."""
IS_CLAIMED_FOR = f"#{CLAIMED} = :claimed_run"
"""The run that is running is this one."""
CAN_CLAIM = f"(attribute_not_exists(#{CLAIMED_BY}) OR #{CLAIMED_BY} = :me)"
"""No other execution has claimed a run of the job."""
IS_AHEAD = f"#{CURSOR} < :instant"
"""No execution has claimed the scheduled run."""
IS_AHEAD_OR_MINE = f"({IS_AHEAD} OR (#{CURSOR} = :instant AND #{CLAIMED_BY} = :me))"
"""No other execution has claimed the scheduled run: this one may have, and the response was lost."""
HAS_STATUS = f"#{STATUS} = :old_status"
"""The run still has the status that was read."""
CAN_START = f"(#{STATUS} = :pending OR (#{STATUS} = :running AND #{EXECUTION} = :me))"
"""The run is pending, or this execution has started it and the response was lost."""
IS_UNSTARTED = f"attribute_not_exists(#{STARTED_AT})"
"""The run has not started."""
IS_UNFINISHED = f"attribute_not_exists(#{ENDED_AT})"
"""The run has not ended."""
IS_NOT_TAKEN = f"(attribute_not_exists(#{EXECUTION}) OR #{EXECUTION} = :me)"
"""No other execution has started the run."""
IS_OLDER = f"(attribute_not_exists(#{DATABASE}) OR #{DATABASE} < :newer)"
"""The row holds the offsets of an older database, or does not exist."""
HAS_STATE = f"#{STATE} = :old_state"
"""The run of a workflow, or the step, still has the status that was read."""
HAS_REVISION = f"#{REVISION} = :old_revision"
"""No operator has changed the run of a workflow since it was read."""
HAS_ATTEMPTS = f"#{ATTEMPTS} = :old_attempts"
"""No further attempt of the step has been claimed since it was read."""
HAS_NO_ATTEMPTS = f"(attribute_not_exists(#{ATTEMPTS}) OR #{ATTEMPTS} = :old_attempts)"
"""No attempt of the step has been claimed since it was read."""
IS_UNTOUCHED = f"attribute_not_exists(#{STATE})"
"""The step has no row yet: it is pending, and was never started."""
IS_WRITTEN = f"attribute_exists(#{STATE})"
"""The step has a row."""
IS_CLAIMABLE = (
    f"(attribute_not_exists(#{STATE})"
    f" OR (#{STATE} = :pending AND (attribute_not_exists(#{ATTEMPTS}) OR #{ATTEMPTS} = :former))"
    f" OR (#{STATE} = :running AND #{ATTEMPTS} = :mine AND #{TOKEN} = :me))"
)
"""The step is pending, or this driver has claimed the attempt and the response was lost."""
IS_LATEST = f"#{LATEST} = :old_latest"
"""No other definition has been stored since the row was read."""
IS_FOREIGN = f"attribute_not_exists(#{JOB})"
"""The row was written by the AWS Solutions scheduler, and not yet by stepsched."""


def is_as_read(attribute: str, *, absent: bool) -> str:
    """The condition that an attribute has the value that was read, ``:old_<attribute>``, or is still
    absent."""
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
        conditions: Conditions of this module, which must all hold. Without any, the write is unconditional.
        values: The values in the conditions by name, without the colon: attribute values, or JSONata.
        sets: The new values of attributes.
        keeps: The values of attributes that are set only if they are absent.
        removes: The attributes to remove.

    Raises:
        ValueError: An attribute is unknown, or the values are not exactly those of the conditions.
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
    expected, got = set(re.findall(r":(\w+)", condition)), dict(values or {})
    if unknown := names.keys() - ATTRIBUTES:
        raise ValueError(f"expected attributes of the table, got {', '.join(sorted(unknown))}")
    if expected != got.keys():
        raise ValueError(f"expected the values {sorted(expected)} of {condition!r}, got {sorted(got)}")
    request: dict[str, Any] = {"ExpressionAttributeNames": {f"#{name}": name for name in names}}
    if condition:
        request["ConditionExpression"] = condition
    if update:
        request["UpdateExpression"] = update
    if all_values := {f":{name}": value for name, value in {**got, **sets, **keeps}.items()}:
        request["ExpressionAttributeValues"] = all_values
    return request


def projection(*attributes: str) -> dict[str, Any]:
    """The attributes that a read returns, as members of a request of DynamoDB."""
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
    """The key attributes of the table and of its index. All of them are strings."""
    return [{"AttributeName": name, "AttributeType": "S"} for name in (*_KEYS, *_INDEX_KEYS)]


def secondary_indexes() -> list[dict[str, Any]]:
    """The index. It does not contain rows without ``status`` or ``due``."""
    projection = {"ProjectionType": "KEYS_ONLY"}
    return [{"IndexName": INDEX, "KeySchema": _schema(_INDEX_KEYS), "Projection": projection}]


def time_to_live() -> dict[str, Any]:
    """The ``TimeToLiveSpecification``, for the separate API call ``update_time_to_live``."""
    return {"AttributeName": TTL, "Enabled": True}


def creation(table_name: str) -> dict[str, Any]:
    """The keyword arguments of boto3's ``create_table``.

    The table is billed on demand and encrypted with an AWS owned key. Time to live and point-in-time recovery
    are enabled by separate calls, once the table exists.

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
