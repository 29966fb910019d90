"""``aws-solutions-scheduler import-dataset-group``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

import stepsched as ss
from stepsched.cli.failures import Failure
from stepsched.cli.solutions import app
from stepsched.cli.solutions.imports import import_dataset_group
from stepsched.cli.solutions.jobs import JobTasks
from stepsched.cli.solutions.original import OriginalTasks
from stepsched.cli.solutions.stacks import Stack
from stepsched.cli.solutions.tasks import Tasks
from stepsched.testing import TimeTravel
from tests.parts.personalize import ACCOUNT, REGION, FakePersonalize
from tests.sessions import new_session_of
from tests.unit.cli.conftest import Done
from tests.unit.cli.solutions_personalize import ROLE, shop

FUNCTION, BUCKET = "arn:aws:lambda:eu-west-1:123456789012:function:create-config", "personalize-bucket"
WEEKLY, HOURLY, NIGHTLY = "cron(0 3 ? * 1 *)", "cron(0 * * * ? *)", "cron(0 3 * * ? *)"
Import = Callable[..., Done]


class Session(boto3.Session):
    """A session of boto3 whose clients, but those of Personalize, answer what was said before. The answers,
    and the requests that they are for, are checked against the models of the services."""

    def prepare(self) -> None:
        self.made = dict[str, Any]()
        self.stubs = dict[str, Stubber]()

    def client(self, service_name: str, *args: Any, **options: Any) -> Any:
        if service_name not in self.made:
            self.made[service_name] = super().client(service_name, *args, **options)  # type: ignore[call-overload]
        return self.made[service_name]

    def expect(self, service: str, method: str, answer: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
        stub = self.stubs.get(service)
        if stub is None:
            stub = self.stubs[service] = Stubber(self.client(service, region_name=REGION))
            stub.activate()
        stub.add_response(method, dict(answer), dict(asked))

    def has_outputs(self, outputs: Mapping[str, str]) -> None:
        stack = {
            "StackName": "s",
            "CreationTime": "2030-01-01T00:00:00Z",
            "StackStatus": "CREATE_COMPLETE",
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        }
        self.expect("cloudformation", "describe_stacks", {"Stacks": [stack]}, {"StackName": "s"})

    def answers(self, document: object, *, event: Mapping[str, Any], error: str | None = None) -> None:
        """The function of the stack answers a document, once, to this event."""
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        answer: dict[str, Any] = {"Payload": StreamingBody(BytesIO(text), len(text)), "StatusCode": 200}
        if error is not None:
            answer["FunctionError"] = error
        self.expect(
            "lambda",
            "invoke",
            answer,
            {"FunctionName": FUNCTION, "Payload": json.dumps(event).encode()},
        )

    def takes(self, key: str, configuration: object) -> None:
        """The bucket takes a configuration, once."""
        identity = {"Account": ACCOUNT, "UserId": "me", "Arn": f"arn:aws:iam::{ACCOUNT}:user/me"}
        self.expect("sts", "get_caller_identity", identity, {})
        asked = {
            "Bucket": BUCKET,
            "Key": key,
            "Body": json.dumps(configuration, indent=2).encode(),
            "ContentType": "application/json",
            "ExpectedBucketOwner": ACCOUNT,
        }
        self.expect("s3", "put_object", {}, asked)

    def assert_everything_was_asked(self) -> None:
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()


@pytest.fixture
def fake() -> FakePersonalize:
    return FakePersonalize()


@pytest.fixture
def session(fake: FakePersonalize) -> Session:
    made = new_session_of(
        Session, aws_access_key_id=ACCOUNT, aws_secret_access_key="test", region_name=REGION
    )
    made.prepare()
    fake.attach(made)
    return made


@pytest.fixture
def importing(session: Session, capsys: pytest.CaptureFixture[str]) -> Iterator[Import]:
    """Runs ``import-dataset-group``; everything that AWS was said to be asked must have been asked."""

    def call(*arguments: str) -> Done:
        code = app.run(["-s", "s", "-r", REGION, "import-dataset-group", *arguments], session=session)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    yield call
    session.assert_everything_was_asked()


@pytest.fixture
def original(session: Session) -> Session:
    """A session whose stack is one of the AWS Solutions scheduler."""
    session.has_outputs({"CreateConfigFunctionArn": FUNCTION, "PersonalizeBucketName": BUCKET})
    return session


def configuration(**schedules: str) -> dict[str, Any]:
    """A configuration with one solution, as the function answers it."""
    recipe = "arn:aws:personalize:::recipe/aws-sims"
    return {
        "datasetGroup": {"serviceConfig": {"name": "d"}},
        "solutions": [
            {
                "serviceConfig": {"name": "s", "recipeArn": recipe},
                "workflowConfig": {"schedules": schedules},
            }
        ],
    }


# -- what is refused before anything is asked ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["-p", "config.json"], "must start with 'train/", id="path"),
        pytest.param(["-p", "train/config.yaml"], "must end with a suffix of .json", id="suffix"),
        pytest.param(
            ["-f", f"s{WEEKLY}"],
            "format must be solution_name@schedule_expression e.g solution@cron(0 */12 * * ? *)",
            id="no at sign",
        ),
        pytest.param(
            ["-i", "rate(1 hour)"], "invalid schedule rate(1 hour). Use a cron() schedule", id="rate"
        ),
        pytest.param(["-i", ""], "invalid schedule . Use a cron() schedule", id="empty"),
        pytest.param(
            ["-i", "cron(0 12 * * ?)"],
            "invalid cron ScheduleExpression cron(0 12 * * ?). Should have 6 fields",
            id="five fields",
        ),
        pytest.param(["-i", "cron(0 0 12 * * ? *)"], "Should have 6 fields\n", id="seven fields"),
        pytest.param(["-u", "s@cron(0 25 * * ? *)"], "invalid schedule 'cron(0 25 * * ? *)'", id="hour"),
        pytest.param(["-f", "s@cron(0 3 * * * *)"], "write '* * ?' for every day\n", id="days"),
        pytest.param(["-f", f"s@{WEEKLY}", "-f", f"s@{NIGHTLY}"], "two full schedules are given", id="twice"),
        pytest.param(["--config", "absent.json"], "absent.json", id="no file"),
    ],
)
def test_bad_values_are_refused_before_anything_is_asked(
    importing: Import, arguments: list[str], words: str
) -> None:
    given = ["-d", "d", *(arguments if "-p" in arguments else ["-p", "train/d.json", *arguments])]
    done = importing(*given)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


@pytest.mark.parametrize("arguments", [["-d", "d"], ["-p", "train/d.json"]])
def test_the_group_and_the_path_are_required(importing: Import, arguments: list[str]) -> None:
    done = importing(*arguments)
    assert done.code == 2
    assert "Missing option" in done.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "cannot read", id="no JSON"),
        pytest.param("[]", "the configuration: expected an object, got a list", id="list"),
        pytest.param("[" * 100_000, "cannot read", id="deep"),
        pytest.param(json.dumps(configuration(full="daily")), "full: invalid schedule daily", id="schedule"),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_asked(
    importing: Import, tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    done = importing("-d", "d", "-p", "train/d.json", "--config", str(path))
    assert (done.code, done.out) == (2, "")
    assert words in done.err


# -- a stack of the AWS Solutions scheduler -----------------------------------------------------------------


def test_the_function_makes_the_configuration_and_the_bucket_gets_it(
    importing: Import, original: Session
) -> None:
    made = configuration(full=WEEKLY)
    solution = "item-recommender-user-personalization"
    schedules = {"import": "cron(0 0 ? * 1 *)", "solutions": {solution: {"full": WEEKLY}}}
    original.answers(made, event={"datasetGroupName": "item-recommender", "schedules": schedules})
    original.takes("train/item-recommender/config.json", made)
    done = importing(
        *("-d", "item-recommender", "-i", "cron(0 0 ? * 1 *)", "-f", f"{solution}@{WEEKLY}"),
        *("-p", "train/item-recommender/config.json"),
    )
    assert (done.code, done.out) == (0, "")
    assert done.err == (
        f"The configuration of item-recommender is in s3://{BUCKET}/train/item-recommender/config.json\n"
    )


def test_without_schedules_the_function_gets_only_the_name(importing: Import, original: Session) -> None:
    made = configuration()
    original.answers(made, event={"datasetGroupName": "d"})
    original.takes("train/d.json", made)
    assert importing("-d", "d", "-p", "train/d.json").code == 0


def test_both_schedules_of_one_solution_reach_the_function(importing: Import, original: Session) -> None:
    made = configuration(full=WEEKLY)
    solutions = {"s": {"update": HOURLY, "full": WEEKLY}}
    original.answers(made, event={"datasetGroupName": "d", "schedules": {"solutions": solutions}})
    original.takes("train/d.json", made)
    assert importing("-d", "d", "-p", "train/d.json", "-f", f"s@{WEEKLY}", "-u", f"s@{HOURLY}").code == 0


def test_a_dry_run_prints_the_configuration_and_writes_nothing(importing: Import, original: Session) -> None:
    original.answers(configuration(full=WEEKLY), event={"datasetGroupName": "d"})
    done = importing("-d", "d", "-p", "train/d.json", "--dry-run")
    assert (done.code, done.document) == (0, configuration(full=WEEKLY))


def test_the_schedules_of_a_file_are_written_too(
    importing: Import, original: Session, tmp_path: Path
) -> None:
    stored = configuration(full=WEEKLY)
    batch = {"serviceConfig": {}, "workflowConfig": {"schedule": NIGHTLY}}
    stored["solutions"][0]["batchInferenceJobs"] = [batch]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(stored), encoding="utf-8")
    original.answers(configuration(), event={"datasetGroupName": "d"})
    original.takes("train/d.json", stored)
    assert importing("-d", "d", "-p", "train/d.json", "--config", str(path)).code == 0


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        pytest.param(
            {"errorMessage": "no such group", "errorType": "E"}, "Unhandled", "no such group", id="error"
        ),
        pytest.param({"x": 1}, "Unhandled", '{"x": 1}', id="no message"),
        pytest.param(["x"], "Unhandled", '["x"]', id="error in a list"),
        pytest.param(b"<html>", None, "the function answered no JSON: <html>", id="no JSON"),
        pytest.param([], None, "the function answered []", id="list"),
    ],
)
def test_a_failed_function_ends_with_its_message(
    importing: Import, original: Session, answer: object, error: str | None, words: str
) -> None:
    original.answers(answer, event={"datasetGroupName": "d"}, error=error)
    done = importing("-d", "d", "-p", "train/d.json")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: Could not generate configuration for d: {words}\n"


def test_all_mistakes_of_the_configuration_are_said_and_nothing_is_written(
    importing: Import, original: Session
) -> None:
    original.answers(configuration(full="cron(0 0)", update=HOURLY), event={"datasetGroupName": "d"})
    done = importing("-d", "d", "-p", "train/d.json")
    assert (done.code, done.out) == (1, "")
    full, update = done.err.rstrip("\n").split("; solutions")
    assert full.startswith(
        "Error: the configuration of d cannot be used: solutions[0].workflowConfig.schedules.full: invalid "
    )
    assert update == (
        "[0].workflowConfig.schedules.update: solution s does not support solution version incremental "
        "updates - please use `full` instead of `update`."
    )


@pytest.mark.parametrize("key", ["CreateConfigFunctionArn", "PersonalizeBucketName"])
def test_a_stack_with_only_one_of_the_two_outputs_is_refused(
    importing: Import, session: Session, key: str
) -> None:
    (other,) = {"CreateConfigFunctionArn", "PersonalizeBucketName"} - {key}
    session.has_outputs({key: "x"})
    done = importing("-d", "d", "-p", "train/d.json")
    assert (done.code, done.err) == (1, f"Error: could not find output with key {other} in stack\n")


# -- a stack of stepsched -----------------------------------------------------------------------------------


class EmbeddedStack(Stack):
    """A stack of stepsched whose jobs an embedded backend keeps."""

    def __init__(self, session: Session, client: ss.SchedulerClient) -> None:
        super().__init__("s", region=REGION, session=session)
        self.scheduler = client

    def tasks(self) -> JobTasks:
        return JobTasks(self.scheduler, None, "jobs")


@pytest.fixture
def travel() -> Iterator[TimeTravel]:
    with TimeTravel() as made:
        yield made


@pytest.fixture
def ours(
    session: Session, travel: TimeTravel, fake: FakePersonalize, capsys: pytest.CaptureFixture[str]
) -> Import:
    """The command for a stack of stepsched, with the dataset group ``shop``."""
    shop(fake)

    def call(*arguments: str) -> Done:
        session.has_outputs({"TableName": "jobs", "StateMachineArn": "arn"})
        stack = EmbeddedStack(session, travel.client)
        given = ["-d", "shop", "-p", "train/shop.json", *arguments]
        import_dataset_group.main(given, "import-dataset-group", standalone_mode=False, obj=stack)
        captured = capsys.readouterr()
        return Done(0, captured.out, captured.err)

    return call


def test_the_jobs_are_made_of_what_personalize_has(ours: Import, travel: TimeTravel) -> None:
    done = ours(
        "-i", NIGHTLY, "-f", f"ranking@{WEEKLY}", "-u", f"ranking@{HOURLY}", "-f", f"similar@{WEEKLY}"
    )
    names = [
        "personalize-dataset-import-shop",
        "personalize-dataset-import-shop.users",
        "solution-maintenance-full-ranking",
        "solution-maintenance-full-similar",
        "solution-maintenance-update-ranking",
    ]
    assert sorted(done.document["created"]) == names
    assert [record.name for record in travel.client.list()] == names
    assert {key: done.document[key] for key in ("datasetGroup", "updated", "unchanged", "removed")} == {
        "datasetGroup": "shop",
        "updated": [],
        "unchanged": [],
        "removed": [],
    }
    assert done.err == "The items of shop have never been imported, so they are left out\n"


def test_a_second_import_updates_and_removes_and_resumes_nothing(ours: Import, travel: TimeTravel) -> None:
    ours("-f", f"ranking@{WEEKLY}", "-f", f"similar@{WEEKLY}", "-f", f"segments@{WEEKLY}")
    travel.client.pause("solution-maintenance-full-similar")
    done = ours(
        "-f", f"ranking@{NIGHTLY}", "-f", f"similar@{WEEKLY}", "-f", "segments@delete", "-i", "delete"
    )
    assert done.document == {
        "datasetGroup": "shop",
        "created": [],
        "updated": ["solution-maintenance-full-ranking"],
        "unchanged": ["solution-maintenance-full-similar"],
        "removed": ["solution-maintenance-full-segments"],
    }
    assert done.err == (
        "solution-maintenance-full-similar stays paused; `activate -t solution-maintenance-full-similar` "
        "resumes it\n"
    )
    stored = {record.name: record for record in travel.client.list()}
    assert stored["solution-maintenance-full-ranking"].job.schedule == ss.Cron(NIGHTLY)
    assert stored["solution-maintenance-full-similar"].status is ss.JobStatus.PAUSED
    assert len(stored) == 2


def test_a_file_schedules_batch_jobs(ours: Import, travel: TimeTravel, tmp_path: Path) -> None:
    nightly = {"serviceConfig": {}, "workflowConfig": {"schedule": NIGHTLY}}
    stored = {
        "datasetGroup": {"serviceConfig": {"name": "shop"}, "workflowConfig": {"schedules": {}}},
        "solutions": [
            {"serviceConfig": {"name": "ranking"}, "batchInferenceJobs": [nightly, nightly]},
            {"serviceConfig": {"name": "segments"}, "batchSegmentJobs": [nightly]},
        ],
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(stored), encoding="utf-8")
    done = ours("--config", str(path), "-f", f"ranking@{WEEKLY}")
    assert sorted(done.document["created"]) == [
        "batch-inference-ranking",
        "batch-inference-ranking.2",
        "batch-segment-segments",
        "solution-maintenance-full-ranking",
    ]


def test_a_dry_run_prints_a_file_of_jobs_and_makes_none(
    ours: Import, travel: TimeTravel, tmp_path: Path
) -> None:
    done = ours("-i", NIGHTLY, "--dry-run")
    assert travel.client.list() == []
    path = tmp_path / "jobs.json"
    path.write_text(done.out, encoding="utf-8")
    main, users = ss.load_jobs(path)
    assert (main.name, users.name) == (
        "personalize-dataset-import-shop",
        "personalize-dataset-import-shop.users",
    )
    assert isinstance(users.target, ss.ApiTarget)
    assert users.target.request["JobName"] == "shop-users-" + ss.context.EXECUTION_ID
    assert users.target.request["RoleArn"] == ROLE


def test_without_schedules_there_is_nothing_to_do(ours: Import) -> None:
    done = ours()
    assert done.document["created"] == []
    assert done.err == "No schedule is given for shop, so there is nothing to do\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["-f", f"absent@{WEEKLY}"], "has no solution absent", id="solution"),
        pytest.param(["-u", f"similar@{HOURLY}"], "please use `full` instead of `update`", id="recipe"),
        pytest.param(["-d", "absent", "-i", NIGHTLY], "there is no dataset group 'absent'", id="group"),
        pytest.param(["-i", "cron(0 0 1 1 ? 2020)"], "would never run", id="over"),
    ],
)
def test_what_is_refused_changes_nothing(
    ours: Import, travel: TimeTravel, arguments: list[str], words: str
) -> None:
    with pytest.raises((Failure, ss.StepschedError, ValueError), match=words):
        ours("-f", f"ranking@{WEEKLY}", *arguments)
    assert travel.client.list() == []


def test_a_dataset_group_that_is_not_there_is_one_line_and_exit_code_1(
    importing: Import, session: Session
) -> None:
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:jobs"
    session.has_outputs({"TableName": "jobs", "StateMachineArn": machine})
    done = importing("-d", "absent", "-p", "train/d.json", "-i", NIGHTLY)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "Error: there is no dataset group 'absent' in eu-west-1; correct -d/--dataset-group or -r/--region\n"
    )


def test_a_stack_of_the_original_without_its_function_is_refused(
    session: Session, fake: FakePersonalize
) -> None:
    class OriginalStack(Stack):
        def tasks(self) -> Tasks:
            return OriginalTasks(None, None, "table", "arn")

    session.has_outputs({"SchedulerTableName": "table", "SchedulerStepFunctionArn": "arn"})
    stack = OriginalStack("s", region=REGION, session=session)
    given = ["-d", "shop", "-p", "train/shop.json", "-i", NIGHTLY]
    with pytest.raises(Failure, match="could not find output with key CreateConfigFunctionArn in stack"):
        import_dataset_group.main(given, standalone_mode=False, obj=stack)
    assert fake.calls == []


def test_a_backend_that_cannot_call_personalize_is_told_with_the_permissions(
    session: Session, fake: FakePersonalize
) -> None:
    shop(fake)
    session.has_outputs({"TableName": "jobs", "StateMachineArn": "arn"})
    with ss.SchedulerClient() as client:  # no handler is registered
        stack = EmbeddedStack(session, client)
        given = ["-d", "shop", "-p", "train/shop.json", "-f", f"ranking@{WEEKLY}"]
        with pytest.raises(Failure) as caught:
            import_dataset_group.main(given, standalone_mode=False, obj=stack)
        assert client.list() == []
    assert caught.value.message.endswith(
        'with resources={"personalize:createSolutionVersion": '
        '["arn:aws:personalize:eu-west-1:123456789012:solution/ranking"]}'
    )
