"""A dataset group as Personalize describes it: its configuration, and what jobs repeat of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepsched.cli.failures import Failure

_ACTIVE = "ACTIVE"
_SOLUTION = (
    *("name", "performHPO", "performAutoML", "performAutoTraining", "performIncrementalUpdate", "recipeArn"),
    *("eventType", "solutionConfig"),
)
_CAMPAIGN = ("name", "minProvisionedTPS", "campaignConfig")
_IMPORT = ("datasetArn", "dataSource", "roleArn", "importMode", "publishAttributionMetricsToS3")
_SEGMENT = ("filterArn", "numResults", "jobInput", "jobOutput", "roleArn")
_INFERENCE = (*_SEGMENT, "batchInferenceJobConfig", "batchInferenceJobMode", "themeGenerationConfig")
"""The members of a description that the request takes which creates a further one."""


@dataclass(frozen=True, kw_only=True)
class LiveDataset:
    """A dataset."""

    type: str
    """Its type in lower case, such as ``interactions``."""
    arn: str
    latest_import: Mapping[str, Any] | None
    """The parameters of its latest import job that has not failed, without the name of the job. None: there
    is none."""


@dataclass(frozen=True, kw_only=True)
class LiveSolution:
    """A solution."""

    name: str
    arn: str
    version_arn: str | None
    """The ARN of its latest version that is active. None: it has none."""
    latest_batches: Mapping[str, Mapping[str, Any]]
    """The parameters of its latest batch jobs that have not failed, without name and version: by
    ``batch-inference`` and ``batch-segment``."""


@dataclass(frozen=True, kw_only=True)
class LiveDatasetGroup:
    """A dataset group."""

    name: str
    configuration: dict[str, Any]
    """Its configuration, without schedules."""
    datasets: tuple[LiveDataset, ...] = ()
    solutions: Mapping[str, LiveSolution] = field(default_factory=dict)
    """The solutions by name."""


def read_dataset_group(personalize: Any, name: str) -> LiveDatasetGroup:
    """Reads a dataset group by calls of Personalize that list and describe; it changes nothing.

    Args:
        personalize: A client of boto3 for Personalize.
        name: The name of the dataset group.

    Raises:
        Failure: There is no such dataset group.
        BackendError: The service refuses a call.
    """
    from stepsched.aws.sdk import mapped

    with mapped("personalize", "Describe"):
        return _Reader(personalize).group(name)


class _Reader:
    def __init__(self, personalize: Any) -> None:
        self._personalize = personalize

    def group(self, name: str) -> LiveDatasetGroup:
        arn = next(
            (each["datasetGroupArn"] for each in self._list("dataset_groups") if each["name"] == name), None
        )
        if arn is None:
            region = self._personalize.meta.region_name
            raise Failure(
                f"there is no dataset group {name!r} in {region}; correct -d/--dataset-group or -r/--region"
            )
        group = self._describe("dataset_group", arn)
        found = [
            self._describe("dataset", each["datasetArn"])
            for each in self._list("datasets", datasetGroupArn=arn)
        ]
        solutions = [
            self._describe("solution", each["solutionArn"])
            for each in self._list("solutions", datasetGroupArn=arn)
        ]
        batches = self._batches() if solutions else {}
        configuration: dict[str, Any] = {
            "datasetGroup": {"serviceConfig": _chosen(group, ("name", "roleArn", "kmsKeyArn", "domain"))},
            "datasets": {each["datasetType"].lower(): self._dataset(each) for each in found},
            "solutions": [self._solution(each, batches) for each in solutions],
        }
        trackers = list(self._list("event_trackers", datasetGroupArn=arn))
        if trackers:
            configuration["eventTracker"] = {"serviceConfig": {"name": trackers[0]["name"]}}
        configuration["filters"] = [
            {
                "serviceConfig": _chosen(
                    self._describe("filter", each["filterArn"]), ("name", "filterExpression")
                )
            }
            for each in self._list("filters", datasetGroupArn=arn)
        ]
        return LiveDatasetGroup(
            name=name,
            configuration=configuration,
            datasets=tuple(
                LiveDataset(
                    type=each["datasetType"].lower(),
                    arn=each["datasetArn"],
                    latest_import=self._latest_import(each["datasetArn"]),
                )
                for each in found
            ),
            solutions={each["name"]: self._live_solution(each, batches) for each in solutions},
        )

    # -- the parts of the configuration -------------------------------------------------------------------

    def _dataset(self, dataset: Mapping[str, Any]) -> dict[str, Any]:
        schema = self._describe("schema", dataset["schemaArn"])
        service = _chosen(schema, ("name", "domain")) | {"schema": json.loads(schema["schema"])}
        return {
            "dataset": {"serviceConfig": {"name": dataset["name"]}},
            "schema": {"serviceConfig": service},
        }

    def _solution(
        self, solution: Mapping[str, Any], batches: Mapping[str, list[dict[str, Any]]]
    ) -> dict[str, Any]:
        campaigns = [
            self._describe("campaign", each["campaignArn"])
            for each in self._list("campaigns", solutionArn=solution["solutionArn"])
        ]
        made: dict[str, Any] = {"serviceConfig": _chosen(solution, _SOLUTION)}
        if campaigns:
            made["campaigns"] = [{"serviceConfig": _chosen(each, _CAMPAIGN)} for each in campaigns]
        for use, member in (("batch-inference", "batchInferenceJobs"), ("batch-segment", "batchSegmentJobs")):
            if _of_solution(batches[use], solution["solutionArn"]):
                made[member] = [{"serviceConfig": {}}]  # the next one repeats the latest
        return made

    # -- what jobs repeat ---------------------------------------------------------------------------------

    def _live_solution(
        self, solution: Mapping[str, Any], batches: Mapping[str, list[dict[str, Any]]]
    ) -> LiveSolution:
        arn = solution["solutionArn"]
        versions = self._list("solution_versions", solutionArn=arn)
        version = _latest(each for each in versions if each["status"] == _ACTIVE)
        found: dict[str, Mapping[str, Any]] = {}
        for use, noun, members in (
            ("batch-inference", "batch_inference_job", _INFERENCE),
            ("batch-segment", "batch_segment_job", _SEGMENT),
        ):
            latest = _latest(_of_solution(batches[use], arn))
            if latest is not None:
                described = self._describe(noun, latest[f"{_camel_case(noun)}Arn"])
                found[use] = _chosen(described, members)
        return LiveSolution(
            name=solution["name"],
            arn=arn,
            version_arn=None if version is None else version["solutionVersionArn"],
            latest_batches=found,
        )

    def _latest_import(self, dataset_arn: str) -> Mapping[str, Any] | None:
        imports = self._list("dataset_import_jobs", datasetArn=dataset_arn)
        latest = _latest(each for each in imports if not _has_failed(each))
        if latest is None:
            return None
        return _chosen(self._describe("dataset_import_job", latest["datasetImportJobArn"]), _IMPORT)

    def _batches(self) -> dict[str, list[dict[str, Any]]]:
        """Returns all batch jobs of the account that have not failed: they can be listed by a version, but
        not by a solution."""
        return {
            "batch-inference": [each for each in self._list("batch_inference_jobs") if not _has_failed(each)],
            "batch-segment": [each for each in self._list("batch_segment_jobs") if not _has_failed(each)],
        }

    # -- calls --------------------------------------------------------------------------------------------

    def _list(self, nouns: str, **conditions: str) -> Iterator[dict[str, Any]]:
        """Yields the summaries of all pages."""
        for page in self._personalize.get_paginator(f"list_{nouns}").paginate(**conditions):
            # The answer about filters has its list in upper case.
            yield from page.get("Filters" if nouns == "filters" else _camel_case(nouns), ())

    def _describe(self, noun: str, arn: str) -> dict[str, Any]:
        name = _camel_case(noun)
        found: dict[str, Any] = getattr(self._personalize, f"describe_{noun}")(**{f"{name}Arn": arn})[name]
        return found


def _camel_case(noun: str) -> str:
    first, *others = noun.split("_")
    return first + "".join(map(str.capitalize, others))


def _chosen(description: Mapping[str, Any], members: Iterable[str]) -> dict[str, Any]:
    return {name: description[name] for name in members if name in description}


def _has_failed(job: Mapping[str, Any]) -> bool:
    return str(job["status"]).endswith("FAILED")


def _of_solution(jobs: Iterable[dict[str, Any]], solution_arn: str) -> list[dict[str, Any]]:
    return [each for each in jobs if str(each["solutionVersionArn"]).startswith(f"{solution_arn}/")]


def _latest(summaries: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    return max(summaries, key=lambda each: each["creationDateTime"], default=None)
