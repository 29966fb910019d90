"""The table of jobs on an emulator whose conditions and transactions are real."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions.rows import Row
from stepsched.backends.stepfunctions.table import Table

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:nightly"


@pytest.fixture
def dynamodb(aws: Callable[[str], Any]) -> Any:
    client = aws("dynamodb")
    client.create_table(
        TableName="jobs",
        KeySchema=[
            {"AttributeName": "name", "KeyType": "HASH"},
            {"AttributeName": "version", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "name", "AttributeType": "S"},
            {"AttributeName": "version", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


@pytest.fixture
def table(dynamodb: Any) -> Table:
    return Table(dynamodb, "jobs")


def row(version: int = 1, name: str = "nightly", **fields: Any) -> Row:
    job = ss.Job(
        name=name,
        schedule=ss.Cron("0 9 * * ? *", timezone="Europe/Paris"),
        target=ss.StateMachineTarget(MACHINE),
        **fields,
    )
    return Row(job, ss.JobStatus.ACTIVE, version, NOON, NOON + timedelta(hours=version), owned=True)


def test_a_job_comes_back_as_it_was_written(table: Table) -> None:
    written = row(input={"float": 0.1, "large": 2**60, "text": "🦉", "null": None, "nested": [1, 1.0, True]})
    table.create(written)
    assert table.read("nightly") == written


def test_a_name_is_taken_once(table: Table) -> None:
    table.create(row(input={"first": True}))
    with pytest.raises(ss.JobExistsError):
        table.create(row(input={"second": True}))
    assert table.read("nightly").job.input == {"first": True}


def test_every_version_is_kept_and_only_the_expected_one_replaced(table: Table) -> None:
    table.create(row())
    table.replace(row(2, description="two"), expected_version=1)
    table.replace(row(3, description="three"), expected_version=2)
    with pytest.raises(ss.ConflictError):
        table.replace(row(3, description="late"), expected_version=2)
    assert table.read("nightly").job.description == "three"
    assert [(each.version, each.job.description, each.replaced_at) for each in table.versions("nightly")] == [
        (1, "", NOON + timedelta(hours=2)),
        (2, "two", NOON + timedelta(hours=3)),
    ]


def test_of_twenty_writers_at_once_one_wins(table: Table) -> None:
    table.create(row())

    def write(number: int) -> str | None:
        try:
            table.replace(row(2, description=str(number)), expected_version=1)
        except ss.ConflictError:
            return None
        return str(number)

    with ThreadPoolExecutor(20) as pool:
        won = [each for each in pool.map(write, range(20)) if each is not None]
    current = table.read("nightly")
    assert won == [current.job.description]
    assert current.version == 2
    assert len(table.versions("nightly")) == 1


def test_a_status_is_set_on_the_version_that_was_read(table: Table) -> None:
    table.create(row())
    table.set(row()._replace(status=ss.JobStatus.PAUSED))
    assert table.read("nightly").status is ss.JobStatus.PAUSED
    table.replace(row(2), expected_version=1)
    with pytest.raises(ss.ConflictError):
        table.set(row()._replace(status=ss.JobStatus.PAUSED))


def test_a_deleted_job_leaves_nothing(table: Table, dynamodb: Any) -> None:
    table.create(row())
    table.create(row(name="other"))
    for version in range(2, 40):
        table.replace(row(version), expected_version=version - 1)
    assert table.delete("nightly").version == 39
    left = dynamodb.scan(TableName="jobs")["Items"]
    assert {item["name"]["S"] for item in left} == {"other"}
    for verb in (table.read, table.versions, table.delete):
        with pytest.raises(ss.JobNotFoundError):
            verb("nightly")
    with pytest.raises(ss.JobNotFoundError):
        table.replace(row(2), expected_version=1)
    table.create(row())


def test_a_task_of_the_solutions_scheduler_is_read(table: Table, dynamodb: Any) -> None:
    dynamodb.put_item(
        TableName="jobs",
        Item={
            "name": {"S": "personalize-dataset-import-movies"},
            "version": {"S": "v0"},
            "latest": {"N": "3"},
            "schedule": {"S": "cron(0 */12 * * ? *)"},
            "state_machine_arn": {"S": MACHINE},
            "state_machine_input": {
                "M": {"n": {"N": "1.5"}, "i": {"N": "12"}, "l": {"L": [{"BOOL": True}, {"NULL": True}]}}
            },
        },
    )
    found = table.read("personalize-dataset-import-movies")
    assert (found.version, found.owned) == (3, False)
    assert found.job.schedule == ss.Cron("0 */12 * * ? *")
    assert found.job.target == ss.StateMachineTarget(MACHINE)
    assert found.job.input == {"n": 1.5, "i": 12, "l": [True, None]}


def test_a_row_that_is_no_job_is_named(table: Table, dynamodb: Any) -> None:
    item = {
        "name": {"S": "odd"},
        "version": {"S": "v0"},
        "latest": {"N": "1"},
        "job": {"S": json.dumps({"a": 1})},
    }
    dynamodb.put_item(TableName="jobs", Item=item)
    with pytest.raises(ss.BackendError, match="row 'odd' of the table cannot be read as a job"):
        table.read("odd")


def test_a_missing_table_and_one_of_another_shape_are_named(aws: Callable[[str], Any]) -> None:
    client = aws("dynamodb")
    with pytest.raises(ss.BackendError, match="ResourceNotFoundException"):
        Table(client, "missing").check()
    client.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(
        ss.BackendError, match=r"'orders' has the keys id \(N, HASH\); a table of jobs has name"
    ):
        Table(client, "orders").check()


def test_a_table_of_jobs_is_taken(table: Table) -> None:
    table.check()
