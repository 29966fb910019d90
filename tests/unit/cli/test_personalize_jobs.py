"""The jobs of a dataset group: read from Personalize, made, run, and taken by Personalize."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.cli.failures import Failure
from stepsched.cli.solutions.personalize.configuration import mistakes_of, scheduled, with_training_schedules
from stepsched.cli.solutions.personalize.jobs import jobs_of, never_imported, permissions_of, removed_tasks
from stepsched.cli.solutions.personalize.live import LiveDatasetGroup, read_dataset_group
from stepsched.testing import Recorder, TimeTravel
from stepsched.testing.travel import Call
from tests.parts.personalize import MODEL, FakePersonalize, mistakes
from tests.unit.cli.solutions_personalize import ROLE, SCHEMA, api_names, batch, import_dataset, shop, train

HOURLY, NIGHTLY = "cron(0 * * * ? *)", "cron(0 3 * * ? *)"
ARN = "arn:aws:personalize:eu-west-1:123456789012"


@pytest.fixture
def fake() -> FakePersonalize:
    return FakePersonalize()


@pytest.fixture
def made(fake: FakePersonalize) -> dict[str, str]:
    return shop(fake)


@pytest.fixture
def live(fake: FakePersonalize, made: dict[str, str]) -> LiveDatasetGroup:
    return read_dataset_group(fake.client(), "shop")


def with_batches(live: LiveDatasetGroup, member: str, *batches: dict[str, Any]) -> dict[str, Any]:
    """The configuration with nightly batch jobs of the solution that has had one."""
    made = deepcopy(live.configuration)
    (solution,) = [each for each in made["solutions"] if member in each]
    nightly = {"workflowConfig": {"schedule": NIGHTLY}}
    solution[member] = [{"serviceConfig": {}, **nightly, **each} for each in batches]
    return made


# -- reading ---------------------------------------------------------------------------------------------


def test_the_configuration_of_a_live_dataset_group(live: LiveDatasetGroup) -> None:
    recipe = "arn:aws:personalize:::recipe/aws-"
    schema = {"serviceConfig": {"name": "schema", "schema": SCHEMA}}
    assert live.configuration == {
        "datasetGroup": {"serviceConfig": {"name": "shop"}},
        "datasets": {
            kind: {"dataset": {"serviceConfig": {"name": f"shop-{kind}"}}, "schema": schema}
            for kind in ("interactions", "users", "items")
        },
        "solutions": [
            {
                "serviceConfig": {"name": "ranking", "recipeArn": f"{recipe}user-personalization"},
                "campaigns": [{"serviceConfig": {"name": "front-page", "minProvisionedTPS": 1}}],
                "batchInferenceJobs": [{"serviceConfig": {}}],
            },
            {"serviceConfig": {"name": "similar", "recipeArn": f"{recipe}sims"}},
            {
                "serviceConfig": {"name": "segments", "recipeArn": f"{recipe}item-affinity"},
                "batchSegmentJobs": [{"serviceConfig": {}}],
            },
        ],
        "eventTracker": {"serviceConfig": {"name": "clicks"}},
        "filters": [
            {"serviceConfig": {"name": f"filter-{number}", "filterExpression": "EXCLUDE ItemID WHERE x"}}
            for number in (1, 2, 3)
        ],
    }
    assert mistakes_of(live.configuration) == []
    assert scheduled(live.configuration) == []


def test_reading_changes_nothing(fake: FakePersonalize, live: LiveDatasetGroup) -> None:
    assert {re.sub("[a-z].*", "", name[:1]) + name[1:4] for name, _ in fake.calls} == {"List", "Desc"}


def test_what_is_repeated_is_the_latest_that_has_not_failed(
    fake: FakePersonalize, made: dict[str, str]
) -> None:
    fake.fail(import_dataset(fake, made["users"], "users-newest", "s3://bucket/broken.csv"))
    fake.client().create_solution_version(solutionArn=made["ranking"])  # is still being trained
    fake.fail(batch(fake, made, "ranking", "inference", "inference-newest"))
    live = read_dataset_group(fake.client(), "shop")
    (users,) = [each for each in live.datasets if each.type == "users"]
    assert users.latest_import == {
        "datasetArn": made["users"],
        "dataSource": {"dataLocation": "s3://bucket/new/users.csv"},
        "roleArn": ROLE,
    }
    ranking = live.solutions["ranking"]
    assert ranking.version_arn == made["ranking/version"]
    found = ranking.latest_batches["batch-inference"]
    assert found["jobInput"] == {"s3DataSource": {"path": "s3://bucket/inference-once.json"}}
    assert "jobName" not in found


def test_a_batch_job_is_repeated_for_its_own_solution_only(
    fake: FakePersonalize, made: dict[str, str]
) -> None:
    made["ranking-2"] = fake.client().create_solution(
        name="ranking-2", datasetGroupArn=made["shop"], recipeArn="arn:aws:personalize:::recipe/aws-sims"
    )["solutionArn"]
    fake.advance()
    train(fake, made, "ranking-2")
    batch(fake, made, "ranking-2", "inference", "newest")
    live = read_dataset_group(fake.client(), "shop")
    inputs = {
        name: each.latest_batches["batch-inference"]["jobInput"]["s3DataSource"]["path"]
        for name, each in live.solutions.items()
        if "batch-inference" in each.latest_batches
    }
    assert inputs == {"ranking": "s3://bucket/inference-once.json", "ranking-2": "s3://bucket/newest.json"}


def test_an_empty_dataset_group_has_an_empty_configuration(fake: FakePersonalize) -> None:
    fake.client().create_dataset_group(name="empty")
    live = read_dataset_group(fake.client(), "empty")
    assert live.configuration == {
        "datasetGroup": {"serviceConfig": {"name": "empty"}},
        "datasets": {},
        "solutions": [],
        "filters": [],
    }
    assert jobs_of(live.configuration, live) == []


def test_a_dataset_group_that_is_not_there_is_an_error_with_its_name(fake: FakePersonalize) -> None:
    with pytest.raises(Failure, match="there is no dataset group 'absent' in eu-west-1"):
        read_dataset_group(fake.client(), "absent")


def test_no_permission_is_an_error_of_stepsched(fake: FakePersonalize, made: dict[str, str]) -> None:
    fake.denied.add("DescribeSolution")
    with pytest.raises(ss.errors.AccessDeniedError) as caught:
        read_dataset_group(fake.client(), "shop")
    assert (caught.value.service, caught.value.operation) == ("personalize", "DescribeSolution")


# -- the jobs --------------------------------------------------------------------------------------------


def test_every_schedule_gives_its_job(live: LiveDatasetGroup) -> None:
    configuration = with_batches(live, "batchInferenceJobs", {}, {"serviceConfig": {"numResults": 5}})
    configuration = with_training_schedules(
        configuration,
        import_schedule=NIGHTLY,
        solutions={"ranking": {"full": NIGHTLY, "update": HOURLY}, "similar": {"full": NIGHTLY}},
    )
    jobs = jobs_of(configuration, live)
    assert [(job.name, job.target.action) for job in jobs if isinstance(job.target, ss.ApiTarget)] == [
        ("personalize-dataset-import-shop", "createDatasetImportJob"),
        ("personalize-dataset-import-shop.users", "createDatasetImportJob"),
        ("solution-maintenance-full-ranking", "createSolutionVersion"),
        ("solution-maintenance-update-ranking", "createSolutionVersion"),
        ("batch-inference-ranking", "createBatchInferenceJob"),
        ("batch-inference-ranking.2", "createBatchInferenceJob"),
        ("solution-maintenance-full-similar", "createSolutionVersion"),
    ]
    assert {job.schedule for job in jobs} == {ss.Cron(NIGHTLY), ss.Cron(HOURLY)}
    assert {tuple(job.tags.items()) for job in jobs} == {(("dataset-group", "shop"),)}
    assert never_imported(live) == ["items"]


def test_all_names_are_names_on_every_backend_or_longer_only(live: LiveDatasetGroup) -> None:
    longest = "n" * 63
    configuration = with_training_schedules(live.configuration, import_schedule=NIGHTLY)
    configuration["datasetGroup"]["serviceConfig"]["name"] = longest
    long_live = LiveDatasetGroup(name=longest, configuration=configuration, datasets=live.datasets)
    main, users = jobs_of(configuration, long_live)
    assert main.name == f"personalize-dataset-import-{longest}"
    assert users.name == f"{main.name}.users"


def test_what_cannot_be_made_is_refused_with_all_reasons(
    fake: FakePersonalize, made: dict[str, str], live: LiveDatasetGroup
) -> None:
    configuration = with_batches(live, "batchSegmentJobs", {})
    configuration["datasetGroup"]["workflowConfig"] = {"schedules": {"import": NIGHTLY}}
    configuration["solutions"][1]["batchInferenceJobs"] = [{"workflowConfig": {"schedule": NIGHTLY}}]
    strange = {"serviceConfig": {"name": "strange"}, "workflowConfig": {"schedules": {"full": NIGHTLY}}}
    configuration["solutions"].append(strange)
    untrained = LiveDatasetGroup(
        name="shop",
        configuration=configuration,
        solutions={
            name: type(each)(name=name, arn=each.arn, version_arn=None, latest_batches=each.latest_batches)
            for name, each in live.solutions.items()
        },
    )
    with pytest.raises(ValueError) as caught:
        jobs_of(configuration, untrained)
    group = "datasetGroup.workflowConfig.schedules"
    similar = "solutions[1].batchInferenceJobs[0].workflowConfig.schedule"
    assert str(caught.value).split("; ") == [
        f"{group}.import: no dataset of shop has an import job that an import could repeat",
        "import each dataset once with CreateDatasetImportJob",
        f"{similar}: solution similar has no batch inference job that could be repeated",
        "write jobInput, jobOutput, roleArn in the serviceConfig, or create one such job first",
        "solutions[2].batchSegmentJobs[0].workflowConfig.schedule: solution segments has no active version",
        "train it first",
        "solutions[3].workflowConfig.schedules.full: dataset group shop has no solution strange",
        "its solutions are: ranking, segments, similar",
    ]


def test_delete_gives_no_job_and_removes_the_tasks(live: LiveDatasetGroup) -> None:
    configuration = with_training_schedules(
        live.configuration, import_schedule="delete", solutions={"similar": {"full": "delete"}}
    )
    assert jobs_of(configuration, live) == []
    assert removed_tasks(configuration, live) == [
        "personalize-dataset-import-shop",
        "personalize-dataset-import-shop.users",
        "personalize-dataset-import-shop.items",
        "solution-maintenance-full-similar",
    ]


def test_the_template_of_a_stack_takes_the_targets_with_their_permissions(live: LiveDatasetGroup) -> None:
    configuration = with_training_schedules(
        with_batches(live, "batchSegmentJobs", {}),
        import_schedule=NIGHTLY,
        solutions={"ranking": {"full": NIGHTLY}, "similar": {"full": NIGHTLY}},
    )
    jobs = jobs_of(configuration, live)
    permissions = permissions_of(jobs)
    assert permissions == {
        "personalize:createBatchSegmentJob": [f"{ARN}:batch-segment-job/*"],
        "personalize:createDatasetImportJob": [f"{ARN}:dataset-import-job/*"],
        "personalize:createSolutionVersion": [f"{ARN}:solution/ranking", f"{ARN}:solution/similar"],
    }
    made = ss.deploy.template([job.target for job in jobs], resources=permissions)
    policy = made["Resources"]["RunnerRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    (passed,) = [each for each in policy["Statement"] if each["Action"] == ["iam:PassRole"]]
    assert passed["Resource"] == [ROLE]


# -- the runs --------------------------------------------------------------------------------------------


class Personalize:
    """Makes the calls of jobs, as Step Functions does, on the fake."""

    def __init__(self, fake: FakePersonalize) -> None:
        self._fake = fake
        self._client = fake.client()

    def __call__(self, call: Call) -> object:
        target = call.target
        assert isinstance(target, ss.ApiTarget)
        method = re.sub("([A-Z])", r"_\1", target.action).lower()
        answer = getattr(self._client, method)(**api_names(target.request))
        self._fake.advance()
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def test_runs_call_personalize_and_it_takes_the_calls(
    fake: FakePersonalize, made: dict[str, str], live: LiveDatasetGroup
) -> None:
    settings = {
        "numResults": 5,
        "filterArn": f"{ARN}:filter/filter-1",
        "batchInferenceJobConfig": {"itemExplorationConfig": {"explorationWeight": "0.3"}},
        "tags": [{"tagKey": "team", "tagValue": "shop"}],
    }
    configuration = with_training_schedules(
        with_batches(live, "batchInferenceJobs", {}, {"serviceConfig": settings}),
        import_schedule=NIGHTLY,
        solutions={"ranking": {"full": "cron(0 1 * * ? *)", "update": "cron(0 2 * * ? *)"}},
    )
    named = {job.name: job.target for job in jobs_of(configuration, live)}["batch-inference-ranking.2"]
    assert isinstance(named, ss.ApiTarget)
    assert named.request["BatchInferenceJobConfig"] == {"ItemExplorationConfig": {"explorationWeight": "0.3"}}
    fake.calls.clear()
    recorder = Recorder(answer=Personalize(fake))
    with TimeTravel(datetime(2030, 1, 1, tzinfo=timezone.utc), recorder=recorder, strict=True) as travel:
        travel.client.create_many(jobs_of(configuration, live))
        travel.advance(timedelta(days=2))
        runs = list(travel.client.runs())
    assert len(runs) == 12
    assert {run.status.value for run in runs} == {"succeeded"}
    modes = [each["trainingMode"] for each in fake.requests("CreateSolutionVersion")]
    assert modes == ["FULL", "UPDATE"] * 2
    assert {each["solutionArn"] for each in fake.requests("CreateSolutionVersion")} == {made["ranking"]}
    imports = fake.requests("CreateDatasetImportJob")
    assert {(each["datasetArn"], each["dataSource"]["dataLocation"]) for each in imports} == {
        (made["interactions"], "s3://bucket/new/interactions.csv"),
        (made["users"], "s3://bucket/new/users.csv"),
    }
    batches = fake.requests("CreateBatchInferenceJob")
    assert [each.get("numResults") for each in batches].count(5) == 2
    (config,) = {str(each["batchInferenceJobConfig"]) for each in batches if "numResults" in each}
    assert config == "{'itemExplorationConfig': {'explorationWeight': '0.3'}}"
    for jobs in (imports, batches):
        assert len({each["jobName"] for each in jobs}) == 4


@pytest.mark.parametrize("member", ["batchInferenceJobs", "batchSegmentJobs"])
def test_a_call_of_step_functions_has_only_parameters_that_it_knows(
    live: LiveDatasetGroup, member: str
) -> None:
    configuration = with_batches(live, member, {})
    (job,) = jobs_of(configuration, live)
    assert ss.deploy.template([job.target], resources=permissions_of([job]))
    configuration = with_batches(live, member, {"serviceConfig": {"speed": 1}})
    (job,) = jobs_of(configuration, live)
    with pytest.raises(ValueError, match="takes no 'Speed' here"):
        ss.deploy.template([job.target], resources=permissions_of([job]))


def test_names_in_personalize_stay_within_their_limit(fake: FakePersonalize) -> None:
    client, longest = fake.client(), "n" * 63
    group = client.create_dataset_group(name=longest)["datasetGroupArn"]
    fake.advance()
    schema = client.create_schema(name="schema", schema="{}")["schemaArn"]
    dataset = client.create_dataset(
        name="users", schemaArn=schema, datasetGroupArn=group, datasetType="USERS"
    )["datasetArn"]
    fake.advance()
    import_dataset(fake, dataset, "once", "s3://bucket/users.csv")
    live = read_dataset_group(client, longest)
    (job,) = jobs_of(with_training_schedules(live.configuration, import_schedule=NIGHTLY), live)
    assert isinstance(job.target, ss.ApiTarget)
    name = job.target.request["JobName"]
    assert isinstance(name, ss.context.ContextText)
    filled = name.filled({ss.context.EXECUTION_ID: "0" * 20})
    request: Any = MODEL.operation_model("CreateDatasetImportJob").input_shape
    assert list(mistakes(request.members["jobName"], filled)) == []
