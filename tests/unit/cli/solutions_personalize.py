"""A dataset group of Amazon Personalize for tests, with datasets, trained solutions and batch jobs."""

from __future__ import annotations

import json
from typing import Any

from pydantic import JsonValue

from tests.parts.personalize import FakePersonalize

ROLE = "arn:aws:iam::123456789012:role/personalize"
SCHEMA = {
    "type": "record",
    "name": "Users",
    "fields": [{"name": "USER_ID", "type": "string"}],
    "version": "1.0",
}
RECIPES = {
    "ranking": "aws-user-personalization",
    "similar": "aws-sims",
    "segments": "aws-item-affinity",
}
"""The recipes of the solutions, by their names."""


def shop(fake: FakePersonalize) -> dict[str, str]:
    """Creates the dataset group, and returns the ARNs of its parts by name."""
    client = fake.client()
    made = {"shop": client.create_dataset_group(name="shop")["datasetGroupArn"]}
    client.create_dataset_group(name="another")
    fake.advance()
    schema = client.create_schema(name="schema", schema=json.dumps(SCHEMA))["schemaArn"]
    for kind in ("interactions", "users", "items"):
        made[kind] = client.create_dataset(
            name=f"shop-{kind}", schemaArn=schema, datasetGroupArn=made["shop"], datasetType=kind.upper()
        )["datasetArn"]
    for name, recipe in RECIPES.items():
        made[name] = client.create_solution(
            name=name, datasetGroupArn=made["shop"], recipeArn=f"arn:aws:personalize:::recipe/{recipe}"
        )["solutionArn"]
    client.create_event_tracker(name="clicks", datasetGroupArn=made["shop"])
    for number in (1, 2, 3):
        client.create_filter(
            name=f"filter-{number}", datasetGroupArn=made["shop"], filterExpression="EXCLUDE ItemID WHERE x"
        )
    fake.advance()
    for kind in ("interactions", "users"):  # the items have never been imported
        import_dataset(fake, made[kind], f"{kind}-old", f"s3://bucket/old/{kind}.csv")
        import_dataset(fake, made[kind], f"{kind}-new", f"s3://bucket/new/{kind}.csv")
    for name in RECIPES:
        train(fake, made, name)
    client.create_campaign(name="front-page", solutionVersionArn=made["ranking/version"], minProvisionedTPS=1)
    for name, verb in (("ranking", "inference"), ("segments", "segment")):
        batch(fake, made, name, verb, f"{verb}-once")
    fake.advance()
    fake.calls.clear()
    return made


def import_dataset(fake: FakePersonalize, dataset_arn: str, name: str, location: str) -> str:
    """Imports a dataset, and returns the ARN of the import job."""
    arn: str = fake.client().create_dataset_import_job(
        jobName=name, datasetArn=dataset_arn, dataSource={"dataLocation": location}, roleArn=ROLE
    )["datasetImportJobArn"]
    return arn


def train(fake: FakePersonalize, made: dict[str, str], name: str) -> None:
    """Trains a solution anew."""
    arn = fake.client().create_solution_version(solutionArn=made[name])["solutionVersionArn"]
    made[f"{name}/version"] = arn
    fake.advance()


def batch(fake: FakePersonalize, made: dict[str, str], name: str, verb: str, job: str, **more: Any) -> str:
    """Starts a batch job of a solution, and returns its ARN."""
    answer = getattr(fake.client(), f"create_batch_{verb}_job")(
        jobName=job,
        solutionVersionArn=made[f"{name}/version"],
        jobInput={"s3DataSource": {"path": f"s3://bucket/{job}.json"}},
        jobOutput={"s3DataDestination": {"path": "s3://bucket/out/"}},
        roleArn=ROLE,
        **more,
    )
    arn: str = answer[f"batch{verb.capitalize()}JobArn"]
    return arn


def api_names(value: JsonValue) -> Any:
    """A request with the names of the API in place of those of Step Functions."""
    match value:
        case dict():
            return {key[:1].lower() + key[1:]: api_names(item) for key, item in value.items()}
        case list():
            return [api_names(item) for item in value]
    return value
