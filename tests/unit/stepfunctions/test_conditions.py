"""Tests every condition of every conditional write of the runner and of the client: it holds for the expected
row, and for no other.

The requests are those of the product, with the runner's expressions evaluated by the reference engine, on the
DynamoDB of moto. For each write, the cases below list the single changes of the row that must stop it, and
those that must not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

import stepsched as ss
from stepsched.asl.states import Task
from stepsched.backends.stepfunctions.instructions import instructions_of
from stepsched.backends.stepfunctions.rows import Claim, Row, key, run_key, write_instant, write_row
from stepsched.backends.stepfunctions.table import Table
from stepsched.machines.shared import table_schema
from stepsched.machines.shared.runner import CALLS, runner
from stepsched.machines.shared.writes import TableTasks
from tests.parts.jsonata_engine import JsonataEngine

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
ME = "arn:of:me"
TOKEN, DUE, EARLIER, LATER = (
    "aaaaaaaaaaaa",
    "2030-01-31T17:00:00Z",
    "2030-01-31T16:00:00Z",
    "2030-01-31T18:00:00Z",
)
KEY, OTHER_KEY = f"run#{DUE}", f"run#{EARLIER}"
MANUAL = f"{KEY}#bbbbbbbbbbbb"
_CONDITION_FAILED = ("ConditionalCheckFailedException", "TransactionCanceledException")
Item = dict[str, Any]
Change = tuple[str, str | None]
"""An attribute, and its other value. None: it is absent."""
JOB: Item = {
    "name": {"S": "job"},
    "version": {"S": "v0"},
    "latest": {"N": "1"},
    "token": {"S": TOKEN},
    "execution": {"S": ME},
    "cursor": {"S": EARLIER},
    "plan": {"S": "{}"},
    "status": {"S": "active"},
    "due": {"S": DUE},
}
CLAIMED: Item = {**JOB, "claimed_by": {"S": ME}, "claimed": {"S": KEY}, "started_at": {"S": DUE}}
RUN: Item = {"name": {"S": "job"}, "version": {"S": MANUAL}, "status": {"S": "pending"}}


class Database:
    """A table with one job and one run, and an engine that evaluates requests."""

    def __init__(self, engine: JsonataEngine) -> None:
        self.engine = engine
        self.client = boto3.client("dynamodb", region_name="eu-west-1")
        self.client.create_table(**table_schema.creation("jobs"))

    def put(self, *items: Item) -> None:
        for item in items:
            self.client.put_item(TableName="jobs", Item=item)

    def items(self) -> list[Item]:
        found: list[Item] = self.client.scan(TableName="jobs")["Items"]
        return sorted(found, key=lambda item: str(item["version"]["S"]))

    def clear(self) -> None:
        for item in self.items():
            key_of_item = {name: item[name] for name in ("name", "version")}
            self.client.delete_item(TableName="jobs", Key=key_of_item)

    def perform(self, task: Task, variables: Mapping[str, Any]) -> bool:
        """Makes the call of a state, and returns whether its condition held."""
        arguments = self.request(task, variables)
        resource = task.to_dict()["Resource"]
        before = self.items()
        call = (
            self.client.transact_write_items if "transactWriteItems" in resource else self.client.update_item
        )
        try:
            call(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _CONDITION_FAILED:
                raise
            assert self.items() == before
            return False
        return True

    def request(self, task: Task, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The request of a state to DynamoDB."""
        request: dict[str, Any] = self._evaluated(task.to_dict()["Arguments"], variables)
        return request

    def _evaluated(self, value: Any, variables: Mapping[str, Any]) -> Any:
        match value:
            case dict():
                return {name: self._evaluated(item, variables) for name, item in value.items()}
            case list():
                return [self._evaluated(item, variables) for item in value]
            case str() if value.startswith("{%"):
                return self.engine.evaluate(value[2:-2], variables)
        return value


@pytest.fixture(scope="module")
def module_database(jsonata_engine: JsonataEngine) -> Iterator[Database]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        yield Database(jsonata_engine)


@pytest.fixture
def database(module_database: Database) -> Iterator[Database]:
    yield module_database
    module_database.clear()


def variables(*, overlap: str = "skip", manual: bool = False, outcome: str = "succeeded") -> dict[str, Any]:
    """The variables of the runner during a run."""
    job = ss.Job(
        name="job",
        schedule=ss.Cron("0 * * * ? *"),
        target=ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f"),
        overlap=ss.Overlap(overlap),
    )
    instructions = instructions_of(job, anchor=NOON, version=1, retention=timedelta(days=1), calls=CALLS)
    return {
        "name": "job",
        "token": TOKEN,
        "due": DUE,
        "key": MANUAL if manual else KEY,
        "left": [MANUAL] if manual else [],
        "manual": manual,
        "outcome": outcome,
        "attempt": 0,
        "output": "{}",
        "failure": {"error": "", "cause": "", "attempts": 1},
        "started_at": DUE,
        "ended": 1_896_130_800_500,
        "after": EARLIER,
        "runs": 0,
        "spent": 0,
        "job": instructions,
        "plan": instructions["plan"],
        "states": {"context": {"Execution": {"Id": ME}, "State": {"RetryCount": 0}}},
    }


def changed(item: Item, change: Change) -> Item:
    name, value = change
    return {
        **{each: held for each, held in item.items() if each != name},
        **({} if value is None else {name: {"N" if name == "latest" else "S": value}}),
    }


TASKS = TableTasks("jobs", "aws")
ANOTHER = "another"
OTHER_TOKEN: tuple[Change, ...] = (("token", ANOTHER), ("token", None))
OTHER_EXECUTION: tuple[Change, ...] = (("execution", ANOTHER), ("execution", None))

Case = tuple[Task, dict[str, Any], list[Item], int, tuple[Change, ...], tuple[Change, ...]]
"""A write, the variables, the rows, the row that changes, the changes that must stop the write, and those
that must not."""


RUN_BEGUN = {**RUN, "version": {"S": KEY}, "status": {"S": "running"}}
CASES: dict[str, Case] = {
    "take": (TASKS.take(), variables(), [JOB], 0, OTHER_TOKEN, OTHER_EXECUTION),
    "fence": (
        TASKS.fence(),
        variables(),
        [JOB],
        0,
        (
            *OTHER_TOKEN,
            *OTHER_EXECUTION,
            ("cursor", DUE),
            ("cursor", LATER),
            ("cursor", None),
            ("claimed_by", ANOTHER),
        ),
        (("claimed_by", ME),),
    ),
    "fence again, its answer was lost": (
        TASKS.fence(),
        variables(),
        [{**CLAIMED, "cursor": {"S": DUE}}],
        0,
        (*OTHER_TOKEN, *OTHER_EXECUTION, ("claimed_by", ANOTHER), ("claimed_by", None), ("cursor", LATER)),
        (("cursor", EARLIER),),
    ),
    "fence, overlap allowed": (
        TASKS.fence(),
        variables(overlap="allow"),
        [JOB],
        0,
        (*OTHER_TOKEN, *OTHER_EXECUTION, ("cursor", DUE), ("cursor", LATER)),
        (("claimed_by", ANOTHER),),
    ),
    "claim, the job": (
        TASKS.claim(),
        variables(manual=True),
        [JOB, RUN],
        0,
        (("claimed_by", ANOTHER), ("plan", None)),
        (*OTHER_TOKEN, *OTHER_EXECUTION, ("claimed_by", ME)),
    ),
    "claim, the run": (
        TASKS.claim(),
        variables(manual=True),
        [JOB, RUN],
        1,
        (("status", "succeeded"), ("status", "running"), ("status", None)),
        (),
    ),
    "claim again, the run": (
        TASKS.claim(),
        variables(manual=True),
        [JOB, {**RUN, "status": {"S": "running"}, "execution": {"S": ME}}],
        1,
        (("execution", ANOTHER), ("execution", None), ("status", "failed")),
        (("status", "pending"),),
    ),
    "claim, overlap allowed": (
        TASKS.claim(),
        variables(manual=True, overlap="allow"),
        [JOB, RUN],
        0,
        (),
        (("claimed_by", ANOTHER), *OTHER_TOKEN),
    ),
    "record skipped, the job": (
        TASKS.record_skipped(),
        variables(outcome="skipped"),
        [JOB],
        0,
        (*OTHER_TOKEN, *OTHER_EXECUTION, ("cursor", DUE), ("cursor", LATER)),
        (("claimed_by", ANOTHER),),
    ),
    "record skipped, the run": (
        TASKS.record_skipped(),
        variables(outcome="skipped"),
        [JOB, {**RUN_BEGUN, "status": {"S": "pending"}}],
        1,
        (("started_at", DUE),),
        (("status", "running"),),
    ),
    "record": (
        TASKS.record(),
        variables(),
        [CLAIMED],
        0,
        OTHER_TOKEN,
        (("claimed_by", ANOTHER), ("cursor", DUE)),
    ),
    "record a manual run": (
        TASKS.record(),
        variables(manual=True),
        [CLAIMED, RUN],
        0,
        (("claimed_by", ANOTHER), ("claimed_by", None)),
        OTHER_TOKEN,
    ),
    "record a manual run, overlap allowed": (
        TASKS.record(),
        variables(manual=True, overlap="allow"),
        [JOB, RUN],
        0,
        (("plan", None),),
        (*OTHER_TOKEN, ("claimed_by", ANOTHER)),
    ),
    "release": (
        TASKS.release(),
        variables(),
        [CLAIMED],
        0,
        (("claimed_by", ANOTHER), ("claimed_by", None)),
        OTHER_TOKEN,
    ),
    "ended": (TASKS.status("ended"), variables(), [JOB], 0, OTHER_TOKEN, OTHER_EXECUTION),
    "paused": (TASKS.status("paused"), variables(), [JOB], 0, OTHER_TOKEN, OTHER_EXECUTION),
    "delete": (TASKS.delete(), variables(), [JOB], 0, OTHER_TOKEN, OTHER_EXECUTION),
}


@pytest.mark.parametrize("name", CASES)
def test_a_write_of_the_runner_is_made_for_the_row_as_it_should_be(database: Database, name: str) -> None:
    task, given, items, at, _, lets_through = CASES[name]
    for change in (None, *lets_through):
        database.put(
            *(
                item if change is None or at != each else changed(item, change)
                for each, item in enumerate(items)
            )
        )
        assert database.perform(task, given), change
        database.clear()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param(name, change, id=f"{name}: {change}")
        for name, case in CASES.items()
        for change in case[4]
    ],
)
def test_a_write_of_the_runner_is_not_made_for_another_row(
    database: Database, name: str, change: Change
) -> None:
    task, given, items, at, _, _ = CASES[name]
    database.put(*(changed(item, change) if at == each else item for each, item in enumerate(items)))
    assert not database.perform(task, given)


GROUPS = ("take", "fence", "claim", "record skipped", "record", "release", "ended", "paused", "delete")


@pytest.mark.parametrize("group", GROUPS)
def test_every_attribute_in_a_condition_of_the_runner_is_changed_in_some_case(
    database: Database, group: str
) -> None:
    """A new condition requires new cases."""
    of_group = [case for name, case in CASES.items() if name.startswith(group)]
    changes = {name for case in of_group for name, _ in (*case[4], *case[5])}
    found = {name for case in of_group for name in attributes(database.request(case[0], case[1]))}
    assert found
    assert found <= changes


def attributes(request: Any) -> Iterator[str]:
    """The attributes in the conditions of a request."""
    match request:
        case {"ConditionExpression": condition, "ExpressionAttributeNames": names}:
            yield from (names[alias] for alias in re.findall(r"#\w+", condition))
        case dict():
            for each in request.values():
                yield from attributes(each)
        case list():
            for each in request:
                yield from attributes(each)


def test_every_write_of_the_runner_has_cases() -> None:
    states = runner("jobs").to_dict()["States"]
    conditional = {
        name for name, state in states.items() if "ConditionExpression" in str(state.get("Arguments"))
    }
    names = {"Take", "Fence", "Claim", "Record skipped", "Record", "Release", "Ended", "Paused", "Delete"}
    assert conditional == names
    assert {name.lower() for name in names} == set(GROUPS)


# -- the client's writes ---------------------------------------------------------------------------------

CLAIM = Claim(run_key(NOON), ME, NOON)


def row(*, claim: Claim | None = None, token: str | None = TOKEN, version: int = 1) -> Row:
    return Row(
        job=ss.Job(
            name="job",
            schedule=ss.Cron("0 9 * * ? *"),
            target=ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f"),
        ),
        status=ss.JobStatus.ACTIVE,
        version=version,
        created_at=NOON,
        updated_at=NOON,
        anchor=NOON,
        cursor=NOON,
        token=token,
        claim=claim,
    )


def store(database: Database, stored: Row) -> None:
    """Writes a row, including the attributes that executions write."""
    claim: Item = {}
    if stored.claim is not None:
        claim = {
            "claimed": {"S": stored.claim.key},
            "claimed_by": {"S": stored.claim.execution},
            "started_at": {"S": write_instant(stored.claim.started_at)},
        }
    database.put({**key("job"), **write_row(stored), **claim})


CONCURRENT_CHANGES: dict[str, Callable[[Row], Row]] = {
    "version": lambda seen: seen._replace(version=2),
    "status": lambda seen: seen._replace(status=ss.JobStatus.PAUSED),
    "token": lambda seen: seen._replace(token=ANOTHER),
    "no token": lambda seen: seen._replace(token=None),
    "cursor": lambda seen: seen._replace(cursor=NOON + timedelta(hours=1)),
    "claimed": lambda seen: seen._replace(claim=CLAIM),
    "claimed by another": lambda seen: seen._replace(claim=Claim(run_key(NOON), ANOTHER, NOON)),
    "claimed for another run": lambda seen: seen._replace(
        claim=Claim(run_key(NOON + timedelta(hours=1)), ME, NOON)
    ),
    "no claim": lambda seen: seen._replace(claim=None),
}
VERBS: dict[str, Callable[[Table, Row], bool]] = {
    "change": lambda table, seen: table.change(seen, seen._replace(status=ss.JobStatus.PAUSED, token=None)),
    "change of the definition": lambda table, seen: table.change(
        seen, seen._replace(version=seen.version + 1)
    ),
    "delete": lambda table, seen: table.delete(seen),
}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("concurrent_change", CONCURRENT_CHANGES)
@pytest.mark.parametrize("claim", [None, CLAIM], ids=["idle", "in a run"])
def test_a_job_is_written_only_as_it_was_read(
    database: Database, verb: str, concurrent_change: str, claim: Claim | None
) -> None:
    table, seen = Table(database.client, "jobs"), row(claim=claim)
    present = CONCURRENT_CHANGES[concurrent_change](seen)
    if present == seen:  # such as the absence of a claim
        return
    store(database, present)
    before = database.items()
    assert not VERBS[verb](table, seen)
    assert database.items() == before
    assert VERBS[verb](table, present)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("claim", [None, CLAIM], ids=["idle", "in a run"])
def test_a_job_is_written_as_it_was_read(database: Database, verb: str, claim: Claim | None) -> None:
    table, seen = Table(database.client, "jobs"), row(claim=claim)
    store(database, seen)
    assert VERBS[verb](table, seen)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("seen", "present"), [(None, "theirs"), ("mine", "theirs"), ("mine", None)])
def test_a_paused_job_is_written_only_with_the_reason_that_was_read(
    database: Database, verb: str, seen: str | None, present: str | None
) -> None:
    table = Table(database.client, "jobs")
    paused = row(token=None)._replace(status=ss.JobStatus.PAUSED, pause_reason=seen)
    store(database, paused._replace(pause_reason=present))
    before = database.items()
    assert not VERBS[verb](table, paused)
    assert database.items() == before
    assert VERBS[verb](table, paused._replace(pause_reason=present))


def test_a_reason_that_an_earlier_client_has_left_is_removed_by_the_next_change(database: Database) -> None:
    table, seen = Table(database.client, "jobs"), row()
    database.put({**key("job"), **write_row(seen), "pause_reason": {"S": "long over"}})
    assert table.change(seen, seen._replace(status=ss.JobStatus.PAUSED, token=None))
    assert table.read("job").pause_reason is None


def test_a_row_of_the_solutions_scheduler_is_taken_over_once_even_where_its_version_stays(
    database: Database,
) -> None:
    table, seen = Table(database.client, "jobs"), row(version=3)._replace(owned=False)
    database.put({**key("job"), "latest": {"N": "3"}})
    taken = seen._replace(status=ss.JobStatus.PAUSED, token=None)
    assert table.change(seen, taken)
    before = database.items()
    assert not table.change(seen, taken._replace(token=ANOTHER))
    assert database.items() == before
