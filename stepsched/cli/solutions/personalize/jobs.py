"""The jobs that a configuration asks for. Each run makes one call of Personalize, so that they need no other
solution. The functions are pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import stepsched as ss
from stepsched.cli.solutions.personalize.configuration import DELETE, TRAINING_KINDS, Scheduled, scheduled
from stepsched.cli.solutions.personalize.live import LiveDatasetGroup, LiveSolution

_LONGEST_NAME = 63
"""The maximum length of a name in Personalize."""
_LONGEST_ID = 20
"""The length of the ID of an attempt that a name leaves room for."""
_MAPS = ("ItemExplorationConfig", "RankingInfluence")
"""The parameters whose members are keys of the caller, so that their case stays as it is."""
_MAIN_DATASET = "interactions"
"""The dataset that every training needs: the import of it has the name of the original's task."""
_CREATES = {"batch-inference": "createBatchInferenceJob", "batch-segment": "createBatchSegmentJob"}
_REQUIRED = ("jobInput", "jobOutput", "roleArn")
"""The parameters without which no batch job is created, besides its name and version."""


def jobs_of(configuration: Mapping[str, Any], live: LiveDatasetGroup) -> list[ss.Job]:
    """Returns the jobs that the schedules of a configuration ask for.

    | schedule | jobs | call |
    |---|---|---|
    | import | ``personalize-dataset-import-<group>`` for the interactions, and the same with ``.users``, ``.items`` and so on for each other dataset that has been imported before | ``createDatasetImportJob`` with the source and the role of the dataset's latest import |
    | full, update | ``solution-maintenance-full-<solution>``, ``solution-maintenance-update-<solution>`` | ``createSolutionVersion`` |
    | batch inference, batch segment | ``batch-inference-<solution>``, ``batch-segment-<solution>``; further ones of a solution end in ``.2``, ``.3`` and so on | ``createBatchInferenceJob``, ``createBatchSegmentJob`` with the solution's latest active version and the parameters of its latest such job, which the ``serviceConfig`` replaces one by one |

    A batch job keeps the version of the solution that is the latest now. Schedules that are ``delete`` give no
    job; :func:`removed_tasks` names them.

    Args:
        configuration: The configuration.
        live: What Personalize has.

    Raises:
        ValueError: The configuration has mistakes, or something that it schedules cannot be created, such as
            a batch job of a solution that has never had one. The error lists all reasons.
    """  # noqa: E501 -- a table
    jobs: list[ss.Job] = []
    reasons: list[str] = []
    for each in scheduled(configuration):
        if each.expression == DELETE:
            continue
        try:
            jobs += _jobs_of(each, live)
        except ValueError as error:
            reasons.append(f"{each.place}: {error}")
    if reasons:
        raise ValueError("; ".join(reasons))
    return jobs


def removed_tasks(configuration: Mapping[str, Any], live: LiveDatasetGroup) -> list[str]:
    """Returns the names of the jobs that a configuration removes: those whose schedule is ``delete``.

    Args:
        configuration: A configuration without mistakes.
        live: What Personalize has.
    """
    names: list[str] = []
    for each in scheduled(configuration):
        if each.expression == DELETE:
            others = (dataset.type for dataset in live.datasets if dataset.type != _MAIN_DATASET)
            names += [each.task, *(f"{each.task}.{other}" for other in others if each.use == "import")]
    return names


def never_imported(live: LiveDatasetGroup) -> list[str]:
    """Returns the types of the datasets without an import to repeat, such as ``["users"]``."""
    return [each.type for each in live.datasets if each.latest_import is None]


def permissions_of(jobs: Iterable[ss.Job]) -> dict[str, list[str]]:
    """Returns the resources that the calls of jobs act on, as ``deploy.template`` takes them.

    Args:
        jobs: Jobs of :func:`jobs_of`.
    """
    found: dict[str, set[str]] = {}
    for job in jobs:
        assert isinstance(job.target, ss.ApiTarget)
        action, request = job.target.action, job.target.request
        arns = (request.get(name) for name in ("SolutionArn", "DatasetArn", "SolutionVersionArn"))
        arn = next(str(each) for each in arns if each is not None)
        if action != "createSolutionVersion":  # IAM names what is created, not what it is created of
            kind = re.sub(r"([A-Z])", r"-\1", action.removeprefix("create")).lower().lstrip("-")
            arn = f"{':'.join(arn.split(':')[:5])}:{kind}/*"
        found.setdefault(f"personalize:{action}", set()).add(arn)
    return {name: sorted(arns) for name, arns in sorted(found.items())}


def _jobs_of(each: Scheduled, live: LiveDatasetGroup) -> Iterator[ss.Job]:
    if each.solution is None:
        yield from _imports(each, live)
        return
    solution = live.solutions.get(each.solution)
    if solution is None:
        known = ", ".join(sorted(live.solutions)) or "none"
        raise ValueError(
            f"dataset group {live.name} has no solution {each.solution}; its solutions are: {known}"
        )
    if each.use in TRAINING_KINDS:
        request = {"SolutionArn": solution.arn, "TrainingMode": each.use.upper()}
        words = f"{each.use.capitalize()} training of solution {solution.name}"
        yield _job(each.task, each, live, "createSolutionVersion", request, words)
    else:
        request = _batch_request(each, solution)
        words = f"{each.use.replace('-', ' ').capitalize()} job of solution {solution.name}"
        yield _job(each.task, each, live, _CREATES[each.use], request, words)


def _imports(each: Scheduled, live: LiveDatasetGroup) -> Iterator[ss.Job]:
    imported = [dataset for dataset in live.datasets if dataset.latest_import is not None]
    if not imported:
        raise ValueError(
            f"no dataset of {live.name} has an import job that an import could repeat; import each dataset "
            "once with CreateDatasetImportJob"
        )
    for dataset in imported:
        is_main = dataset.type == _MAIN_DATASET
        request = {"JobName": _unique(f"{live.name}-{dataset.type}"), **_sdk_names(dataset.latest_import)}
        yield _job(
            each.task if is_main else f"{each.task}.{dataset.type}",
            each,
            live,
            "createDatasetImportJob",
            request,
            f"Import of the {dataset.type} of dataset group {live.name}",
        )


def _batch_request(each: Scheduled, solution: LiveSolution) -> dict[str, Any]:
    settings = {**solution.latest_batches.get(each.use, {}), **each.settings}
    missing = [name for name in _REQUIRED if name not in settings]
    if missing:
        raise ValueError(
            f"solution {solution.name} has no {each.use.replace('-', ' ')} job that could be repeated; write "
            f"{', '.join(missing)} in the serviceConfig, or create one such job first"
        )
    version = settings.pop("solutionVersionArn", None) or solution.version_arn
    if version is None:
        raise ValueError(f"solution {solution.name} has no active version; train it first")
    name = settings.pop("jobName", solution.name)
    return {"JobName": _unique(name), "SolutionVersionArn": version, **_sdk_names(settings)}


def _job(
    name: str, each: Scheduled, live: LiveDatasetGroup, action: str, request: dict[str, Any], words: str
) -> ss.Job:
    return ss.Job(
        name=name,
        schedule=ss.Cron(each.expression),
        target=ss.ApiTarget("personalize", action, request),
        description=words,
        tags={"dataset-group": live.name},
    )


def _unique(beginning: str) -> ss.context.ContextText:
    """Returns a name that is another one in every attempt of every run."""
    return beginning[: _LONGEST_NAME - _LONGEST_ID - 1] + "-" + ss.context.EXECUTION_ID


def _sdk_names(value: Any) -> Any:
    """Returns parameters with the names that Step Functions and EventBridge Scheduler take: Pascal case."""
    match value:
        case Mapping():
            return {
                (proper := key[:1].upper() + key[1:]): item if proper in _MAPS else _sdk_names(item)
                for key, item in value.items()
            }
        case list():
            return [_sdk_names(item) for item in value]
    return value
