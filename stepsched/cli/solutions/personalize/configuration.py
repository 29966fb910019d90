"""The configuration of a dataset group: where its schedules are, and its mistakes. The functions are pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import stepsched as ss

DELETE = "delete"
"""What stands in place of an expression where a schedule is to be removed."""
TRAINING_KINDS = ("full", "update")
BATCHES = {"batch-inference": "batchInferenceJobs", "batch-segment": "batchSegmentJobs"}
"""The lists of a solution's batch jobs, by the beginning of the names of their tasks."""
UPDATABLE_RECIPES = ("aws-hrnn-coldstart", "aws-user-personalization")
"""What the ARN of a recipe contains if its solutions can be trained by an update.

https://docs.aws.amazon.com/personalize/latest/dg/creating-a-solution-version.html
"""
_FIELDS = 6
"""The fields of an expression: the year cannot be left out, as in a schedule of EventBridge Scheduler."""
_KINDS: Mapping[type[Any], str] = {dict: "an object", list: "a list", str: "a text"}


class Scheduled(NamedTuple):
    """A schedule of a configuration."""

    place: str
    """Where it stands, such as ``solutions[0].workflowConfig.schedules.full``."""
    task: str
    """The name of the task that it asks for."""
    expression: str
    """A cron expression, or ``delete``."""
    use: str
    """``import``, ``full``, ``update``, ``batch-inference`` or ``batch-segment``."""
    solution: str | None = None
    """The name of the solution. None: the schedule is of the dataset group."""
    settings: Mapping[str, Any] = {}
    """The ``serviceConfig`` of a batch job: parameters of the request that creates it."""


class _Malformed(Exception):  # noqa: N818 -- it never leaves the module
    """A value of a configuration has another type than expected."""


def group_of(configuration: Mapping[str, Any]) -> str:
    """Returns the name of the dataset group of a configuration without mistakes."""
    return str(configuration["datasetGroup"]["serviceConfig"]["name"])


def scheduled(configuration: Mapping[str, Any]) -> list[Scheduled]:
    """Returns the schedules of a configuration, in its order: of the import, the trainings, the batch
    inference jobs and the batch segment jobs.

    Several batch jobs of one solution have tasks of different names: ``batch-inference-<solution>``,
    ``batch-inference-<solution>.2`` and so on. No solution has a name with a full stop.

    Raises:
        ValueError: The configuration has mistakes; the error lists them all.
    """
    found, mistakes = _read(configuration)
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return found


def mistakes_of(configuration: object) -> list[str]:
    """Returns all mistakes of a configuration, each with its place; an empty list if there are none.

    Checked are the members that schedules depend on, every expression, and that ``update`` belongs to a
    solution whose recipe can be trained by an update. Other members are Personalize's to check.
    """
    return _read(configuration)[1]


def expression_mistake(expression: object) -> str | None:
    """Returns what is wrong with the expression of a task. None: it is ``delete``, or a cron expression that
    Personalize's scheduler and this one take."""
    if expression == DELETE:
        return None
    if not (isinstance(expression, str) and expression.startswith("cron(") and expression.endswith(")")):
        return (
            f'invalid schedule {expression}. Use a cron() schedule or "delete" to remove a schedule that '
            "already exists"
        )
    if len(expression.removeprefix("cron(").removesuffix(")").split(" ")) != _FIELDS:
        return f"invalid cron ScheduleExpression {expression}. Should have {_FIELDS} fields"
    try:
        ss.Cron(expression)
    except ss.InvalidScheduleError as error:
        return str(error).partition("; AWS has no seconds field")[0]  # no other form is a schedule here
    return None


def update_mistake(solution: str, recipe: object) -> str | None:
    """Returns why a solution cannot be trained by an update. None: it can.

    Args:
        solution: The name of the solution.
        recipe: The ARN of its recipe; None or empty text if it has none.
    """
    if isinstance(recipe, str) and any(each in recipe for each in UPDATABLE_RECIPES):
        return None
    return (
        f"solution {solution} does not support solution version incremental updates - please use `full` "
        "instead of `update`."
    )


def with_training_schedules(
    configuration: Mapping[str, Any],
    *,
    import_schedule: str | None = None,
    solutions: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """Returns a copy of a configuration with schedules at their documented places; those that are not given
    stay as they are.

    Args:
        configuration: A configuration without mistakes.
        import_schedule: The schedule of the import. None: it is not changed.
        solutions: The schedules ``full`` and ``update`` by the name of the solution.

    Raises:
        ValueError: The dataset group has no solution of a name.
    """
    made: dict[str, Any] = deepcopy(dict(configuration))
    if import_schedule is not None:
        _schedules(made["datasetGroup"])["import"] = import_schedule
    present = {each["serviceConfig"]["name"]: each for each in made.get("solutions") or ()}
    unknown = [name for name in solutions or {} if name not in present]
    if unknown:
        known = ", ".join(sorted(present)) or "none"
        raise ValueError(
            f"dataset group {group_of(made)} has no solution {', '.join(unknown)}; its solutions are: {known}"
        )
    for name, schedules in (solutions or {}).items():
        _schedules(present[name]).update(schedules)
    return made


def with_schedules_of(configuration: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of a configuration with all schedules of another one, the batch jobs that have them
    included; other members of the other configuration are not read.

    Args:
        configuration: A configuration without mistakes.
        other: A configuration without mistakes.

    Raises:
        ValueError: The other one is of another dataset group, or schedules something of a solution that
            this one lacks.
    """
    if group_of(other) != group_of(configuration):
        raise ValueError(
            f"expected a configuration of dataset group {group_of(configuration)}, got one of "
            f"{group_of(other)}"
        )
    found = scheduled(other)
    trainings: dict[str, dict[str, str]] = {}
    for each in found:
        if each.solution is not None:
            named = trainings.setdefault(each.solution, {})
            if each.use in TRAINING_KINDS:
                named[each.use] = each.expression
    imported = next((each.expression for each in found if each.use == "import"), None)
    made = with_training_schedules(configuration, import_schedule=imported, solutions=trainings)
    sources = {each["serviceConfig"]["name"]: each for each in other.get("solutions") or ()}
    for solution in made.get("solutions") or ():
        source = sources.get(solution["serviceConfig"]["name"], {})
        for member in BATCHES.values():
            if any(_batch_expression(each) is not None for each in source.get(member) or ()):
                solution[member] = deepcopy(source[member])
    return made


def _schedules(node: dict[str, Any]) -> dict[str, Any]:
    """Returns the schedules of a node, which are made if they are absent."""
    workflow: dict[str, Any] = node.get("workflowConfig") or {}
    schedules: dict[str, Any] = workflow.get("schedules") or {}
    workflow["schedules"], node["workflowConfig"] = schedules, workflow
    return schedules


# -- Reading ---------------------------------------------------------------------------------------------


def _read(configuration: object) -> tuple[list[Scheduled], list[str]]:
    """Returns the schedules of a configuration, and its mistakes."""
    found: list[Scheduled] = []
    mistakes: list[str] = []
    seen: set[str] = set()
    readers = [_of_group(configuration)]
    try:
        solutions = _member(configuration, "", "solutions", list)
    except _Malformed as error:
        solutions = []
        mistakes.append(str(error))
    readers += [_of_solution(each, f"solutions[{index}]") for index, each in enumerate(solutions)]
    for each in (item for reader in readers for item in _until_malformed(reader)):
        if isinstance(each, str):
            mistakes.append(each)
            continue
        if each.task in seen:
            mistakes.append(f"{each.place}: {each.task} is scheduled twice; remove one of them")
        seen.add(each.task)
        found.append(each)
        mistakes += _mistakes_of(each)
    return found, mistakes


def _until_malformed(reader: Iterator[Scheduled]) -> Iterator[Scheduled | str]:
    """Yields the schedules of a reader; at the end, the mistake that has ended it."""
    try:
        yield from reader
    except _Malformed as error:
        yield str(error)


def _mistakes_of(each: Scheduled) -> Iterator[str]:
    wrong = expression_mistake(each.expression)
    if wrong is not None:
        yield f"{each.place}: {wrong}"
    if each.use == "update" and each.expression != DELETE and each.solution is not None:
        wrong = update_mistake(each.solution, each.settings.get("recipeArn"))
        if wrong is not None:
            yield f"{each.place}: {wrong}"


def _of_group(configuration: object) -> Iterator[Scheduled]:
    group = _member(configuration, "", "datasetGroup", dict, is_required=True)
    name = _name_of(group, "datasetGroup")
    schedules, place = _schedules_of(group, "datasetGroup")
    if schedules.get("import") is not None:
        yield Scheduled(
            f"{place}.import", f"personalize-dataset-import-{name}", schedules["import"], "import"
        )


def _of_solution(solution: object, place: str) -> Iterator[Scheduled]:
    name = _name_of(solution, place)
    settings = _member(solution, place, "serviceConfig", dict)
    schedules, where = _schedules_of(solution, place)
    for kind in TRAINING_KINDS:
        if schedules.get(kind) is not None:
            task = f"solution-maintenance-{kind}-{name}"
            yield Scheduled(f"{where}.{kind}", task, schedules[kind], kind, name, settings)
    for use, member in BATCHES.items():
        number = 0
        for index, batch in enumerate(_member(solution, place, member, list)):
            at = f"{place}.{member}[{index}]"
            workflow = _member(batch, at, "workflowConfig", dict)
            if workflow.get("schedule") is None:
                continue
            number += 1
            task = f"{use}-{name}" if number == 1 else f"{use}-{name}.{number}"
            settings_of_batch = _member(batch, at, "serviceConfig", dict)
            yield Scheduled(
                f"{at}.workflowConfig.schedule", task, workflow["schedule"], use, name, settings_of_batch
            )


def _batch_expression(batch: Mapping[str, Any]) -> object:
    return (batch.get("workflowConfig") or {}).get("schedule")


def _schedules_of(node: object, place: str) -> tuple[dict[str, Any], str]:
    workflow = _member(node, place, "workflowConfig", dict)
    where = f"{place}.workflowConfig"
    schedules: dict[str, Any] = _member(workflow, where, "schedules", dict)
    return schedules, f"{where}.schedules"


def _name_of(node: object, place: str) -> str:
    service = _member(node, place, "serviceConfig", dict, is_required=True)
    name: str = _member(service, f"{place}.serviceConfig", "name", str, is_required=True)
    return name


def _member(node: object, place: str, name: str, kind: type[Any], *, is_required: bool = False) -> Any:
    """Returns a member of a node; an empty value if it is absent or null.

    Raises:
        _Malformed: The node is no object, or the member is absent though it is required, or has another type.
    """
    where = f"{place}.{name}" if place else name
    if not isinstance(node, Mapping):
        raise _Malformed(f"{place or 'the configuration'}: expected an object, got {_shown(node)}")
    value = node.get(name)
    if value is None and not is_required:
        return kind()
    if not isinstance(value, kind) or (is_required and value == ""):
        raise _Malformed(f"{where}: expected {_KINDS[kind]}, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case Mapping():
            return "an object"
        case list():
            return "a list"
    return repr(value)[:60]
