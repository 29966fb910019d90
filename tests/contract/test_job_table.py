"""The table of jobs on an emulator whose conditions and transactions are real."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions.rows import Claim, Row, run_key
from stepsched.backends.stepfunctions.table import Table
from stepsched.machines.shared import table_schema

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:nightly"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:runner:nightly-aaaaaaaaaaaa"
OURS, THEIRS = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


@pytest.fixture
def dynamodb(aws: Callable[[str], Any]) -> Any:
    client = aws("dynamodb")
    client.create_table(**table_schema.creation("jobs"))
    return client


@pytest.fixture
def table(dynamodb: Any) -> Table:
    return Table(dynamodb, "jobs")


def row(version: int = 1, name: str = "nightly", **fields: Any) -> Row:
    job = ss.Job(
        name=name,
        schedule=ss.Cron("0 9 * * ? *", timezone="Europe/Paris"),
        target=ss.StateMachineTarget(MACHINE),
    ).replace(**fields)
    return Row(
        job=job,
        status=ss.JobStatus.ACTIVE,
        version=version,
        created_at=NOON,
        updated_at=NOON + version * HOUR,
        anchor=NOON,
        cursor=NOON,
        token=OURS,
        plan='{"kind":"cron"}',
    )


def following(before: Row, **changes: Any) -> Row:
    """The next version of a row, with changes of the job."""
    version = before.version + 1
    return before._replace(
        version=version, updated_at=NOON + version * HOUR, job=before.job.replace(**changes)
    )


def items(dynamodb: Any) -> dict[tuple[str, str], Any]:
    """All that is in the table."""
    found: list[Any] = []
    for page in dynamodb.get_paginator("scan").paginate(TableName="jobs"):
        found += page["Items"]
    return {(item["name"]["S"], item["version"]["S"]): item for item in found}


def update(dynamodb: Any, expression: str, **values: str) -> None:
    """Writes into the job's row as its execution does."""
    names = {f"#{name}": name for name in ("cursor", "status", "token") if f"#{name}" in expression}
    given = {f":{name}": {"S": value} for name, value in values.items()}
    dynamodb.update_item(
        TableName="jobs",
        Key={"name": {"S": "nightly"}, "version": {"S": "v0"}},
        UpdateExpression=expression,
        **({"ExpressionAttributeNames": names} if names else {}),
        **({"ExpressionAttributeValues": given} if given else {}),
    )


# -- Rows -----------------------------------------------------------------------------------------------


def test_a_job_comes_back_as_it_was_written(table: Table) -> None:
    value = {"float": 0.1, "large": 2**60, "text": "🦉", "null": None, "nested": [1, 1.0, True, -0.0, 1e300]}
    written = row(input=value)
    table.create(written)
    assert table.read("nightly") == written
    again = following(written, input={"other": 5e-324, "huge": 10**40})
    assert table.change(written, again)
    assert table.read("nightly") == again
    (earlier,) = table.versions(again)
    assert earlier.job == written.job


def test_a_name_is_taken_once(table: Table, dynamodb: Any) -> None:
    table.create(row(input={"first": True}))
    before = items(dynamodb)
    with pytest.raises(ss.JobExistsError):
        table.create(row(input={"second": True}))
    assert items(dynamodb) == before
    table.create(row(name="Nightly"))


def test_of_eight_that_create_a_job_one_does(table: Table) -> None:
    def create(number: int) -> str | None:
        try:
            table.create(row(description=str(number)))
        except ss.JobExistsError:
            return None
        return str(number)

    with ThreadPoolExecutor(8) as pool:
        made = [each for each in pool.map(create, range(8)) if each is not None]
    assert made == [table.read("nightly").job.description]


def test_every_version_is_kept_and_only_what_was_read_replaced(table: Table, dynamodb: Any) -> None:
    first = row()
    table.create(first)
    second = following(first, description="two")
    third = following(second, description="three")
    assert table.change(first, second)
    assert table.change(second, third)
    before = items(dynamodb)
    assert not table.change(second, following(second, description="late"))
    assert items(dynamodb) == before, "who loses changes nothing"
    assert table.read("nightly") == third
    assert [(each.version, each.job.description, each.replaced_at) for each in table.versions(third)] == [
        (1, "", NOON + 2 * HOUR),
        (2, "two", NOON + 3 * HOUR),
    ]


def test_of_eight_writers_at_once_one_wins(table: Table) -> None:
    """And so again, as often as they try."""
    current = row()
    table.create(current)

    def write(number: int) -> str | None:
        after = following(current, description=str(number))
        return str(number) if table.change(current, after) else None

    for version in range(2, 7):
        with ThreadPoolExecutor(8) as pool:
            won = [each for each in pool.map(write, range(8)) if each is not None]
        current = table.read("nightly")
        assert won == [current.job.description]
        assert current.version == version
        assert len(table.versions(current)) == version - 1


def test_a_status_is_written_without_a_version(table: Table) -> None:
    first = row()
    table.create(first)
    paused = first._replace(status=ss.JobStatus.PAUSED, token=None)
    assert table.change(first, paused)
    assert table.read("nightly") == paused
    assert table.versions(paused) == []
    assert not table.change(first, following(first)), "it was read while active"


CHANGES = [
    pytest.param("SET #cursor = :v", "2030-01-02T08:00:00Z", id="the cursor was moved"),
    pytest.param("SET claimed_by = :v, claimed = :v, started_at = :v", EXECUTION, id="a run was claimed"),
    pytest.param("SET #status = :v", "ended", id="it has ended"),
    pytest.param("SET #token = :v", THEIRS, id="it belongs to another execution"),
    pytest.param("REMOVE #token", None, id="it belongs to none"),
]


@pytest.mark.parametrize(("expression", "value"), CHANGES)
@pytest.mark.parametrize("version", [1, 2])
def test_a_change_is_refused_where_the_machine_came_before(
    table: Table, dynamodb: Any, expression: str, value: str | None, version: int
) -> None:
    first = row()
    table.create(first)
    update(dynamodb, expression, **({} if value is None else {"v": value}))
    before = items(dynamodb)
    after = first._replace(status=ss.JobStatus.PAUSED) if version == 1 else following(first)
    assert not table.change(first, after)
    assert items(dynamodb) == before


def test_a_change_is_refused_where_a_claim_has_gone_or_is_another_one(table: Table, dynamodb: Any) -> None:
    table.create(row())
    key, at = run_key(NOON), "2030-01-01T12:00:00.000Z"
    claim = "SET claimed_by = :by, claimed = :key, started_at = :at"
    update(dynamodb, claim, by=EXECUTION, key=key, at=at)
    claimed = table.read("nightly")
    assert claimed.claim == Claim(key, EXECUTION, NOON)
    for change in (
        ("REMOVE claimed_by, claimed, started_at", {}),
        (claim, {"by": "x", "key": key, "at": at}),
    ):
        update(dynamodb, change[0], **change[1])
        assert not table.change(claimed, following(claimed))


def test_a_change_keeps_the_claim_or_ends_it(table: Table, dynamodb: Any) -> None:
    table.create(row())
    claim = "SET claimed_by = :by, claimed = :key, started_at = :at, execution = :by"
    update(dynamodb, claim, by=EXECUTION, key=run_key(NOON), at="2030-01-01T12:00:00.000Z")
    claimed = table.read("nightly")
    paused = claimed._replace(status=ss.JobStatus.PAUSED, token=None)
    assert table.change(claimed, paused)
    assert table.read("nightly") == paused
    released = paused._replace(claim=None)
    assert table.change(paused, released)
    assert table.read("nightly") == released
    (item,) = [each for each in items(dynamodb).values() if each["version"]["S"] == "v0"]
    assert item.keys().isdisjoint({"claimed_by", "claimed", "started_at", "token"})
    assert item["execution"]["S"] == EXECUTION


def test_a_job_that_is_gone_is_not_changed(table: Table, dynamodb: Any) -> None:
    first = row()
    table.create(first)
    assert table.delete(first)
    assert not table.change(first, following(first))
    assert not table.change(first, first._replace(token=None))
    assert items(dynamodb) == {}


# -- Deletion -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 9, 10, 100, 260])
def test_a_deleted_job_leaves_its_runs_alone(table: Table, dynamodb: Any, number: int) -> None:
    table.create(row())
    table.create(row(name="other"))
    for version in range(2, number + 1):
        key = {"name": {"S": "nightly"}, "version": {"S": f"v{version}"}}
        assert table.put_new({**key, "job": {"S": "{}"}, "written_at": {"S": "2030-01-01T12:00:00Z"}})
    run = {"name": {"S": "nightly"}, "version": {"S": run_key(NOON)}, "status": {"S": "succeeded"}}
    assert table.put_new(run)
    assert table.delete(row())
    assert sorted(items(dynamodb)) == [("nightly", run_key(NOON)), ("other", "v0"), ("other", "v1")]
    assert not table.delete(row())
    with pytest.raises(ss.JobNotFoundError, match="nightly"):
        table.read("nightly")
    assert table.item("nightly") is None
    assert list(table.read_many(["nightly", "other"])) == [row(name="other")]
    table.create(row())
    assert table.versions(table.read("nightly")) == []


def test_a_job_of_large_definitions_is_deleted(table: Table, dynamodb: Any) -> None:
    """A transaction holds 4 MB, and a row 400 KB."""
    table.create(row())
    for version in range(2, 31):
        key = {"name": {"S": "nightly"}, "version": {"S": f"v{version}"}}
        assert table.put_new(
            {**key, "job": {"S": "x" * 390_000}, "written_at": {"S": "2030-01-01T12:00:00Z"}}
        )
    sizes = list[int]()

    def weigh(params: dict[str, Any], **_: Any) -> None:
        wanted = json.loads(params["body"]).get("TransactItems", [])
        sizes.append(sum(400_000 for each in wanted if "Delete" in each))

    dynamodb.meta.events.register("before-call.dynamodb.TransactWriteItems", weigh)
    assert table.delete(row())
    assert items(dynamodb) == {}
    assert 0 < max(sizes) <= 4_000_000


def test_a_job_changed_meanwhile_is_not_deleted(table: Table, dynamodb: Any) -> None:
    first = row()
    table.create(first)
    for version in range(2, 20):
        key = {"name": {"S": "nightly"}, "version": {"S": f"v{version}"}}
        assert table.put_new({**key, "job": {"S": "{}"}, "written_at": {"S": "2030-01-01T12:00:00Z"}})
    second = following(first)
    assert table.change(first, second)
    before = items(dynamodb)
    assert len(before) == 20
    assert not table.delete(first)
    assert items(dynamodb) == before
    assert table.delete(second)
    assert items(dynamodb) == {}


# -- Single rows ----------------------------------------------------------------------------------------


def test_a_row_is_written_where_there_is_none(table: Table) -> None:
    item = {"name": {"S": "nightly"}, "version": {"S": run_key(NOON)}, "status": {"S": "pending"}}
    assert table.put_new(item)
    assert not table.put_new({**item, "status": {"S": "missed"}})
    assert table.item("nightly", run_key(NOON)) == item


def test_of_eight_that_write_a_row_one_does(table: Table) -> None:
    def put(number: int) -> bool:
        key = {"name": {"S": "nightly"}, "version": {"S": run_key(NOON)}}
        return table.put_new({**key, "number": {"N": str(number)}})

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(8))) == 1


def test_a_row_is_updated_where_a_condition_holds(table: Table) -> None:
    version = run_key(NOON)
    key = {"name": {"S": "nightly"}, "version": {"S": version}}
    table.put_new({**key, "status": {"S": "pending"}})
    claiming = table_schema.write(
        table_schema.HAS_STATUS,
        values={"old_status": {"S": "pending"}},
        sets={"status": {"S": "running"}, "error": {"S": "running"}},
    )

    def claim() -> bool:
        return table.update({"Key": key, **claiming})

    assert claim()
    assert not claim()
    assert table.item("nightly", version) == {**key, "status": {"S": "running"}, "error": {"S": "running"}}


def test_rows_of_a_job_are_found_by_a_stretch_of_versions(table: Table) -> None:
    table.create(row())
    instants = [NOON + number * HOUR for number in range(5)]
    for instant in instants:
        for name in ("nightly", "nightly.", "night"):
            table.put_new({"name": {"S": name}, "version": {"S": run_key(instant)}, "due": {"S": "x"}})
    keys = [run_key(instant) for instant in instants]

    def found(*stretch: str, **options: Any) -> list[str]:
        return [item["version"]["S"] for item in table.query("nightly", *stretch, **options)]

    assert found() == keys
    assert found(latest_first=True) == keys[::-1]
    assert found(keys[1], keys[3]) == keys[1:4]
    assert found("v", "w") == ["v0", "v1"]
    assert [set(item) for item in table.query("nightly", keys_only=True)] == [{"name", "version"}] * 5


def test_many_rows_are_read_in_portions(table: Table) -> None:
    keys = [
        {"name": {"S": "nightly"}, "version": {"S": run_key(NOON + number * HOUR)}} for number in range(230)
    ]
    for each in keys[::2]:
        table.put_new(each)
    found = {item["version"]["S"] for item in table.items(keys)}
    assert found == {each["version"]["S"] for each in keys[::2]}
    assert list(table.items([])) == []


# -- Lists ----------------------------------------------------------------------------------------------


def test_jobs_are_listed_by_status_in_the_order_in_which_they_are_due(table: Table) -> None:
    hours = {"e": 9, "a": 8, "d": 7, "b": 6, "c": 10}
    for name, hour in hours.items():
        created = row(name=name, schedule=ss.Cron(f"0 {hour} * * ? *"))
        table.create(created)
        if name == "d":
            assert table.change(created, created._replace(status=ss.JobStatus.PAUSED, token=None))
    run = {"name": {"S": "a"}, "version": {"S": run_key(NOON)}, "status": {"S": "pending"}}
    table.put_new({**run, "due": {"S": "2030-01-01T12:00:00Z"}})

    def listed(status: str, *stretch: str) -> list[str]:
        return [item["name"]["S"] for item in table.keys_by_status(status, *stretch)]

    assert listed("active") == ["b", "a", "e", "c"]
    assert listed("active", "2030-01-02T08:00:00Z", "2030-01-02T09:00:00Z") == ["a", "e"]
    assert listed("paused") == ["d"]
    assert listed("pending") == ["a"]
    assert listed("ended") == []
    (item,) = table.keys_by_status("paused")
    assert set(item) == {"name", "version", "status", "due"}, "the index holds keys alone"


def test_what_takes_many_pages_is_read_to_the_end(table: Table) -> None:
    """A page is a megabyte, of the rows that are looked at."""
    text = "x" * 180_000
    for number in range(8):
        table.create(row(name=f"job-{number}", input={"text": text}))
    assert sorted(item["name"]["S"] for item in table.scan()) == [f"job-{number}" for number in range(8)]
    assert {item["version"]["S"] for item in table.scan()} == {"v0"}
    names = [f"job-{number}" for number in range(9)]
    assert sorted(each.job.name for each in table.read_many(names)) == names[:8]
    assert len(list(table.query("job-0", "v", "w"))) == 2


# -- Rows and tables of others --------------------------------------------------------------------------


def solutions_row(dynamodb: Any) -> str:
    name = "personalize-dataset-import-movies"
    dynamodb.put_item(
        TableName="jobs",
        Item={
            "name": {"S": name},
            "version": {"S": "v0"},
            "latest": {"N": "3"},
            "schedule": {"S": "cron(0 */12 * * ? *)"},
            "state_machine_arn": {"S": MACHINE},
            "state_machine_input": {
                "M": {"n": {"N": "1.5"}, "i": {"N": "12"}, "l": {"L": [{"BOOL": True}, {"NULL": True}]}}
            },
        },
    )
    return name


def test_a_task_of_the_solutions_scheduler_is_read(table: Table, dynamodb: Any) -> None:
    name = solutions_row(dynamodb)
    found = table.read(name)
    assert (found.version, found.owned, found.token, found.claim) == (3, False, None, None)
    assert found.job.schedule == ss.Cron("0 */12 * * ? *")
    assert found.job.target == ss.StateMachineTarget(MACHINE)
    assert found.job.input == {"n": 1.5, "i": 12, "l": [True, None]}
    assert table.versions(found) == []
    assert [item["name"]["S"] for item in table.scan()] == [name]


def test_a_task_of_the_solutions_scheduler_is_taken_over_once(table: Table, dynamodb: Any) -> None:
    name = solutions_row(dynamodb)
    found = table.read(name)
    taken = found._replace(
        version=4, token=OURS, status=ss.JobStatus.ACTIVE, created_at=NOON, updated_at=NOON, cursor=NOON
    )
    assert table.change(found, taken)
    assert table.read(name) == taken._replace(owned=True)
    assert not table.change(found, taken._replace(token=THEIRS))
    assert not table.change(found, taken._replace(version=3, token=THEIRS))


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


def test_half_a_row_is_no_job(table: Table) -> None:
    table.put_new({"name": {"S": "half"}, "version": {"S": "v0"}, "last": {"S": run_key(NOON)}})
    with pytest.raises(ss.JobNotFoundError):
        table.read("half")
    assert list(table.read_many(["half"])) == []


def test_a_missing_table_is_named_with_the_remedy(aws: Callable[[str], Any]) -> None:
    client = aws("dynamodb")
    with pytest.raises(
        ss.BackendError, match=r"no table 'missing' .* correct table_name, or create"
    ) as caught:
        Table(client, "missing").check()
    assert caught.value.code == "ResourceNotFoundException"
    with pytest.raises(ss.BackendError, match="ResourceNotFoundException"):
        Table(client, "missing").read("nightly")


def test_a_table_of_another_shape_is_named_with_the_remedy(aws: Callable[[str], Any]) -> None:
    client = aws("dynamodb")
    client.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )
    words = (
        r"expected table 'orders' to have the keys name \(S, HASH\), version \(S, RANGE\), "
        r"got id \(N, HASH\); use another table_name"
    )
    with pytest.raises(ss.BackendError, match=words):
        Table(client, "orders").check()


def test_an_index_of_another_shape_is_named(aws: Callable[[str], Any]) -> None:
    client = aws("dynamodb")
    wrong = table_schema.creation("jobs")
    wrong["GlobalSecondaryIndexes"][0]["KeySchema"] = [
        {"AttributeName": "status", "KeyType": "HASH"},
        {"AttributeName": "name", "KeyType": "RANGE"},
    ]
    wrong["AttributeDefinitions"] = [
        each for each in wrong["AttributeDefinitions"] if each["AttributeName"] != "due"
    ]
    client.create_table(**wrong)
    with pytest.raises(ss.BackendError, match=r"index 'by_status' of table 'jobs' to have the keys"):
        Table(client, "jobs").check()


def test_a_table_of_jobs_is_taken_with_its_index_or_without(table: Table, aws: Callable[[str], Any]) -> None:
    assert table.check()
    client = aws("dynamodb")
    plain = table_schema.creation("solutions")
    del plain["GlobalSecondaryIndexes"]
    plain["AttributeDefinitions"] = plain["AttributeDefinitions"][:2]
    client.create_table(**plain)
    assert not Table(client, "solutions").check()
