"""The configuration of a dataset group, and the event of the function that makes one."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from stepsched.cli.solutions.personalize.configuration import (
    mistakes_of,
    scheduled,
    with_schedules_of,
    with_training_schedules,
)
from stepsched.cli.solutions.personalize.requests import (
    event_of,
    path_mistake,
    solution_schedules,
    split_schedule,
)

SAMPLE = Path(__file__).parents[2] / "data" / "solutions" / "dataset_group_config.json"
"""A configuration of the AWS Solutions scheduler, Apache-2.0."""
HOURLY, WEEKLY, NIGHTLY = "cron(0 * * * ? *)", "cron(0 0 ? * 1 *)", "cron(0 3 * * ? *)"


@pytest.fixture
def sample() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return document


# -- the schedules of a configuration -----------------------------------------------------------------------


def test_all_eight_schedules_of_the_sample_are_found_with_their_tasks(sample: dict[str, Any]) -> None:
    assert [(each.place, each.task, each.expression) for each in scheduled(sample)] == [
        (
            "datasetGroup.workflowConfig.schedules.import",
            "personalize-dataset-import-unit_test_new_datasetgroup",
            "cron(0 */6 * * ? *)",
        ),
        (
            "solutions[0].batchSegmentJobs[0].workflowConfig.schedule",
            "batch-segment-affinity_item",
            "cron(0 3 * * ? *)",
        ),
        (
            "solutions[1].batchSegmentJobs[0].workflowConfig.schedule",
            "batch-segment-affinity_item_attribute",
            "cron(0 3 * * ? *)",
        ),
        (
            "solutions[2].workflowConfig.schedules.full",
            "solution-maintenance-full-unit_test_sims_new",
            "cron(0 0 ? * 1 *)",
        ),
        (
            "solutions[3].workflowConfig.schedules.full",
            "solution-maintenance-full-unit_test_popularity_count_new",
            "cron(0 1 ? * 1 *)",
        ),
        (
            "solutions[4].workflowConfig.schedules.full",
            "solution-maintenance-full-unit_test_personalized_ranking_new",
            "cron(0 2 ? * 1 *)",
        ),
        (
            "solutions[5].workflowConfig.schedules.full",
            "solution-maintenance-full-unit_test_personalized_ranking_new_2",
            "cron(0 2 ? * 1 *)",
        ),
        (
            "solutions[5].batchInferenceJobs[0].workflowConfig.schedule",
            "batch-inference-unit_test_personalized_ranking_new_2",
            "cron(0 3 * * ? *)",
        ),
    ]
    assert mistakes_of(sample) == []


def test_the_schedules_that_are_asked_for_stand_at_their_documented_places(sample: dict[str, Any]) -> None:
    name = "unit_test_personalized_ranking_new"
    before = deepcopy(sample)
    made = with_training_schedules(
        sample, import_schedule="cron(0 */6 * * ? *)", solutions={name: {"full": WEEKLY, "update": HOURLY}}
    )
    assert made["datasetGroup"]["workflowConfig"]["schedules"] == {"import": "cron(0 */6 * * ? *)"}
    assert made["solutions"][4]["workflowConfig"]["schedules"] == {"full": WEEKLY, "update": HOURLY}
    assert mistakes_of(made) == []
    assert sample == before
    assert with_training_schedules(sample) == sample


def test_a_solution_that_is_not_there_is_refused(sample: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has no solution absent; its solutions are: affinity_item, "):
        with_training_schedules(sample, solutions={"absent": {"full": WEEKLY}})


def test_several_batch_jobs_of_one_solution_have_tasks_of_their_own(sample: dict[str, Any]) -> None:
    solution = sample["solutions"][5]
    (one,) = solution["batchInferenceJobs"]
    solution["batchInferenceJobs"] = [one, {"serviceConfig": {}}, one, one]
    tasks = [each.task for each in scheduled(sample) if each.use == "batch-inference"]
    name = "batch-inference-unit_test_personalized_ranking_new_2"
    assert tasks == [name, f"{name}.2", f"{name}.3"]


def test_all_mistakes_are_found_each_with_its_place(sample: dict[str, Any]) -> None:
    sample["datasetGroup"]["workflowConfig"]["schedules"]["import"] = "rate(5 minutes)"
    sample["solutions"][0]["batchSegmentJobs"][0]["workflowConfig"]["schedule"] = "cron(0 25 * * ? *)"
    sample["solutions"][1]["serviceConfig"] = {"recipeArn": "r"}
    sample["solutions"][2]["workflowConfig"]["schedules"] = {"full": 5, "update": HOURLY}
    sample["solutions"][4]["workflowConfig"]["schedules"]["update"] = HOURLY
    sample["solutions"][5]["batchInferenceJobs"][0]["workflowConfig"]["schedule"] = "cron(* * * * * *)"
    found = mistakes_of(sample)
    assert found[0] == (
        "datasetGroup.workflowConfig.schedules.import: invalid schedule rate(5 minutes). Use a cron() "
        'schedule or "delete" to remove a schedule that already exists'
    )
    assert [each.partition(": ")[0] for each in found] == [
        "datasetGroup.workflowConfig.schedules.import",
        "solutions[0].batchSegmentJobs[0].workflowConfig.schedule",
        "solutions[1].serviceConfig.name",
        "solutions[2].workflowConfig.schedules.full",
        "solutions[2].workflowConfig.schedules.update",
        "solutions[5].batchInferenceJobs[0].workflowConfig.schedule",
    ]
    assert found[4].endswith(
        "solution unit_test_sims_new does not support solution version incremental updates - please use "
        "`full` instead of `update`."
    )
    with pytest.raises(ValueError, match=r"^datasetGroup\.workflowConfig.*; solutions\[5\]"):
        scheduled(sample)


@pytest.mark.parametrize(
    ("recipe", "is_updatable"),
    [
        ("arn:aws:personalize:::recipe/aws-user-personalization", True),
        ("arn:aws:personalize:::recipe/aws-user-personalization-v2", True),
        ("arn:aws:personalize:::recipe/aws-hrnn-coldstart", True),
        ("arn:aws:personalize:::recipe/aws-hrnn", False),
        ("arn:aws:personalize:::recipe/aws-sims", False),
        (None, False),
    ],
)
def test_only_two_recipes_can_be_trained_by_an_update(recipe: str | None, is_updatable: bool) -> None:
    solution = {
        "serviceConfig": {"name": "s", "recipeArn": recipe},
        "workflowConfig": {"schedules": {"update": HOURLY}},
    }
    document = {"datasetGroup": {"serviceConfig": {"name": "g"}}, "solutions": [solution]}
    assert (mistakes_of(document) == []) is is_updatable
    solution["workflowConfig"] = {"schedules": {"update": "delete"}}
    assert mistakes_of(document) == []


@pytest.mark.parametrize(
    ("document", "mistake"),
    [
        pytest.param([], "the configuration: expected an object, got a list", id="no object"),
        pytest.param({}, "datasetGroup: expected an object, got nothing", id="empty"),
        pytest.param(
            {"datasetGroup": {}},
            "datasetGroup.serviceConfig: expected an object, got nothing",
            id="no service",
        ),
        pytest.param(
            {"datasetGroup": {"serviceConfig": {"name": ""}}},
            "datasetGroup.serviceConfig.name: expected a text, got ''",
            id="no name",
        ),
        pytest.param(
            {"datasetGroup": {"serviceConfig": {"name": "g"}}, "solutions": {}},
            "solutions: expected a list, got an object",
            id="solutions",
        ),
        pytest.param(
            {"datasetGroup": {"serviceConfig": {"name": "g"}}, "solutions": [5]},
            "solutions[0]: expected an object, got 5",
            id="solution",
        ),
        pytest.param(
            {"datasetGroup": {"serviceConfig": {"name": "g"}, "workflowConfig": {"schedules": "daily"}}},
            "datasetGroup.workflowConfig.schedules: expected an object, got 'daily'",
            id="schedules",
        ),
    ],
)
def test_a_document_of_another_shape_is_refused_with_the_place(document: Any, mistake: str) -> None:
    assert mistake in mistakes_of(document)


def test_a_solution_that_stands_twice_is_refused(sample: dict[str, Any]) -> None:
    sample["solutions"].append(sample["solutions"][2])
    (mistake,) = mistakes_of(sample)
    assert mistake == (
        "solutions[6].workflowConfig.schedules.full: solution-maintenance-full-unit_test_sims_new is "
        "scheduled twice; remove one of them"
    )


def test_the_schedules_of_a_stored_configuration_are_taken_batch_jobs_included(
    sample: dict[str, Any],
) -> None:
    bare = deepcopy(sample)
    del bare["datasetGroup"]["workflowConfig"]
    for solution in bare["solutions"]:
        for name in ("workflowConfig", "batchSegmentJobs", "batchInferenceJobs"):
            solution.pop(name, None)
    assert scheduled(bare) == []
    assert scheduled(with_schedules_of(bare, sample)) == scheduled(sample)
    other = {"datasetGroup": {"serviceConfig": {"name": "other"}}}
    with pytest.raises(ValueError, match="expected a configuration of dataset group unit_test_new_dataset"):
        with_schedules_of(bare, other)
    del bare["solutions"][0]
    with pytest.raises(ValueError, match="has no solution affinity_item;"):
        with_schedules_of(bare, sample)


# -- the event of the function ------------------------------------------------------------------------------


def test_the_event_names_every_schedule() -> None:
    every = "cron(* * * * ? *)"
    solutions = solution_schedules(
        update=[("a", every), ("b", every)],
        full=[("c", every), ("d", every)],
    )
    event = event_of("group", import_schedule=every, solutions=solutions)
    assert json.dumps(event) == json.dumps(
        {
            "datasetGroupName": "group",
            "schedules": {
                "import": every,
                "solutions": {
                    "a": {"update": every},
                    "b": {"update": every},
                    "c": {"full": every},
                    "d": {"full": every},
                },
            },
        }
    )


def test_the_event_without_schedules_has_only_the_name() -> None:
    assert event_of("d", import_schedule=None, solutions={}) == {"datasetGroupName": "d"}


def test_the_full_and_the_update_schedule_of_one_solution_both_survive() -> None:
    found = solution_schedules(full=[("a", WEEKLY)], update=[("a", HOURLY)])
    assert found == {"a": {"update": HOURLY, "full": WEEKLY}}
    with pytest.raises(ValueError, match="two full schedules are given for solution a; use one"):
        solution_schedules(full=[("a", WEEKLY), ("a", NIGHTLY)])


def test_a_schedule_is_split_at_its_first_at_sign() -> None:
    assert split_schedule("a@b@c") == ("a", "b@c")
    for text in ("a", "@cron(0 * * * ? *)", "a@", "", "@"):
        with pytest.raises(ValueError) as caught:
            split_schedule(text)
        assert str(caught.value) == (
            "format must be solution_name@schedule_expression e.g solution@cron(0 */12 * * ? *)"
        )


@pytest.mark.parametrize(
    ("path", "mistake"),
    [
        ("train/shop/config.json", None),
        ("train/.json", None),
        ("shop/config.json", "must start with 'train/"),
        ("/train/config.json", "must start with 'train/"),
        ("train/config.yaml", "must end with a suffix of .json"),
        ("", "must start with 'train/"),
    ],
)
def test_the_path_of_a_configuration(path: str, mistake: str | None) -> None:
    assert path_mistake(path) == mistake
