"""The fake of Personalize is as its model says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.parts.personalize import MODEL, OPERATIONS, STEPS, WRONG_PATTERNS, FakePersonalize, mistakes

ROLE = "arn:aws:iam::123456789012:role/personalize"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization"
SOURCE = {"dataLocation": "s3://bucket/users.csv"}
INPUT, OUTPUT = {"s3DataSource": {"path": "s3://b/in"}}, {"s3DataDestination": {"path": "s3://b/out"}}


@pytest.fixture
def fake() -> FakePersonalize:
    return FakePersonalize()


@pytest.fixture
def made(fake: FakePersonalize) -> dict[str, str]:
    """The ARNs of one active resource of each kind."""
    client, arns = fake.client(), dict[str, str]()

    def create(noun: str, **parameters: Any) -> None:
        answer = getattr(client, f"create_{noun}")(**parameters)
        (arns[noun],) = [value for key, value in answer.items() if key.endswith("Arn")]
        fake.advance()

    create("dataset_group", name="shop")
    group = {"datasetGroupArn": arns["dataset_group"]}
    create("schema", name="schema", schema="{}")
    create("dataset", name="users", schemaArn=arns["schema"], datasetType="USERS", **group)
    create("dataset_import_job", jobName="i", datasetArn=arns["dataset"], dataSource=SOURCE, roleArn=ROLE)
    create("solution", name="ranking", recipeArn=RECIPE, **group)
    create("solution_version", solutionArn=arns["solution"])
    version = {"solutionVersionArn": arns["solution_version"]}
    create("campaign", name="front", **version)
    create("event_tracker", name="clicks", **group)
    create("filter", name="seen", filterExpression="EXCLUDE ItemID WHERE x", **group)
    for kind in ("inference", "segment"):
        given = {"jobInput": INPUT, "jobOutput": OUTPUT, "roleArn": ROLE, **version}
        create(f"batch_{kind}_job", jobName=kind, **given)
    return arns


def refused(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_every_operation_is_one_of_the_service_and_is_answered(
    fake: FakePersonalize, made: dict[str, str]
) -> None:
    client = fake.client()
    assert set(OPERATIONS) <= set(MODEL.operation_names)
    for noun, arn in made.items():
        first, *others = noun.split("_")
        member = first + "".join(map(str.capitalize, others))
        found = getattr(client, f"describe_{noun}")(**{f"{member}Arn": arn})[member]
        assert found[f"{member}Arn"] == arn
        assert isinstance(found["creationDateTime"], datetime)
        listed = list(client.get_paginator(f"list_{noun}s").paginate())
        assert [arn] == [
            each[f"{member}Arn"]
            for page in listed
            for items in page.values()
            if isinstance(items, list)
            for each in items
        ]
    assert {name for name, _ in fake.calls} == set(OPERATIONS)


def test_pages_have_the_size_that_was_asked_for_and_tokens_belong_to_their_list(
    fake: FakePersonalize,
) -> None:
    client = fake.client()
    for number in range(5):
        client.create_dataset_group(name=f"group-{number}")
    pages = [page["datasetGroups"] for page in client.get_paginator("list_dataset_groups").paginate()]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [each["name"] for page in pages for each in page] == [f"group-{number}" for number in range(5)]
    first = client.list_dataset_groups(maxResults=1)
    assert len(first["datasetGroups"]) == 1
    assert refused(client.list_dataset_groups, nextToken="9/x") == "InvalidNextTokenException"
    assert (
        refused(
            client.list_solutions,
            nextToken=first["nextToken"],
            datasetGroupArn="arn:aws:personalize:eu-west-1:123456789012:dataset-group/group-0",
        )
        == "InvalidNextTokenException"
    )


def test_what_is_created_becomes_active_step_by_step_or_fails(fake: FakePersonalize) -> None:
    client = fake.client()
    arn = client.create_dataset_group(name="shop")["datasetGroupArn"]
    seen = []
    for _ in STEPS:
        seen.append(client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"]["status"])
        fake.advance(1)
    assert seen == list(STEPS)
    other = client.create_dataset_group(name="other")["datasetGroupArn"]
    fake.fail(other)
    fake.advance()
    found = client.describe_dataset_group(datasetGroupArn=other)["datasetGroup"]
    assert (found["status"], found["failureReason"]) == ("CREATE FAILED", "out of luck")


def test_refusals(fake: FakePersonalize, made: dict[str, str]) -> None:
    client = fake.client()
    solution = made["solution"]
    again = {"datasetArn": made["dataset"], "dataSource": SOURCE, "roleArn": ROLE}
    assert refused(client.create_dataset_import_job, jobName="i", **again) == "ResourceAlreadyExistsException"
    assert refused(client.create_dataset_import_job, jobName="a/b:c", **again) == "InvalidInputException"
    assert refused(client.describe_solution, solutionArn=solution + "x") == "ResourceNotFoundException"
    wrong = {"solutionArn": solution, "trainingMode": "HALF"}
    assert refused(client.create_solution_version, **wrong) == "InvalidInputException"
    client.create_solution_version(solutionArn=solution, trainingMode="UPDATE")
    assert refused(client.create_solution_version, solutionArn=solution) == "ResourceInUseException"
    plain = client.create_solution(
        name="similar",
        datasetGroupArn=made["dataset_group"],
        recipeArn="arn:aws:personalize:::recipe/aws-sims",
    )["solutionArn"]
    assert refused(client.create_solution_version, solutionArn=plain) == "ResourceInUseException"
    fake.advance()
    update = {"solutionArn": plain, "trainingMode": "UPDATE"}
    assert refused(client.create_solution_version, **update) == "InvalidInputException"
    fake.denied.add("ListSolutions")
    assert refused(client.list_solutions) == "AccessDeniedException"
    with pytest.raises(ParamValidationError):
        client.create_solution_version(trainingMode="FULL")


@pytest.mark.parametrize(
    ("operation", "value", "expected"),
    [
        pytest.param("CreateSolutionVersion", {}, "solutionArn is missing", id="missing"),
        pytest.param("CreateSolutionVersion", {"solutionArn": "a"}, "does not match", id="pattern"),
        pytest.param("ListSolutions", {"maxResults": 101}, "is not from 1 to 100", id="limit"),
        pytest.param("ListSolutions", {"maxResults": True}, "expected integer", id="type"),
        pytest.param("ListSolutions", {"max": 1}, "max is unknown", id="unknown"),
        pytest.param("CreateDatasetGroup", {"name": "n" * 64}, "is not from 1 to 63", id="length"),
        pytest.param("CreateDatasetGroup", {"name": "n", "domain": "X"}, "is not one of", id="enumeration"),
    ],
)
def test_the_check_against_the_model_finds(operation: str, value: Any, expected: str) -> None:
    found = list(mistakes(MODEL.operation_model(operation).input_shape, value))
    assert len(found) == 1
    assert expected in found[0]


def test_the_answer_that_the_model_describes_wrongly_is_still_described_so() -> None:
    """Remove the exception when the model is mended."""
    (name,) = WRONG_PATTERNS
    shape, _, member = name.partition(".")
    described: Any = MODEL.shape_for(shape)
    assert "personalize" in described.members[member].metadata["pattern"]


def test_schemas_are_answered_as_moto_does(fake: FakePersonalize, monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")

    def answers(client: Any) -> list[dict[str, Any]]:
        arn = client.create_schema(name="schema", schema=json.dumps({"type": "record"}), domain="ECOMMERCE")
        found = client.describe_schema(schemaArn=arn["schemaArn"])["schema"]
        (listed,) = client.list_schemas()["schemas"]
        return [_without_times(each) for each in (arn, found, listed)]

    with moto.mock_aws():
        theirs = answers(boto3.Session(region_name="eu-west-1").client("personalize"))
    assert answers(fake.client()) == theirs


def _without_times(answer: dict[str, Any]) -> dict[str, Any]:
    for name in ("creationDateTime", "lastUpdatedDateTime"):
        if name in answer:
            assert answer[name].astimezone(timezone.utc)
    return {
        key: value for key, value in answer.items() if not key.endswith("Time") and key != "ResponseMetadata"
    }
