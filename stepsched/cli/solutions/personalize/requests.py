"""The arguments of ``import-dataset-group``, and the event that they make. The functions are pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stepsched.cli.solutions.personalize.configuration import expression_mistake


def path_mistake(path: str) -> str | None:
    """Returns what is wrong with the path of a configuration in the bucket. None: nothing."""
    if not path.startswith("train/"):
        return "must start with 'train/"
    if not path.endswith(".json"):
        return "must end with a suffix of .json"
    return None


def split_schedule(text: str) -> tuple[str, str]:
    """Splits ``solution@expression`` at its first ``@``.

    Raises:
        ValueError: A part is absent.
    """
    solution, _, expression = text.partition("@")
    if not (solution and expression):
        raise ValueError("format must be solution_name@schedule_expression e.g solution@cron(0 */12 * * ? *)")
    return solution, expression


def checked_expression(expression: str) -> str:
    """Returns the expression of a task unchanged.

    Raises:
        ValueError: It is neither ``delete`` nor a cron expression.
    """
    wrong = expression_mistake(expression)
    if wrong is not None:
        raise ValueError(wrong)
    return expression


def solution_schedules(
    *, full: Iterable[tuple[str, str]] = (), update: Iterable[tuple[str, str]] = ()
) -> dict[str, dict[str, str]]:
    """Returns the schedules ``full`` and ``update`` by the name of the solution, both if both are given.

    Args:
        full: Names of solutions with the schedules of their full trainings.
        update: Names of solutions with the schedules of their trainings by an update.

    Raises:
        ValueError: A solution has two schedules of one kind.
    """
    found: dict[str, dict[str, str]] = {}
    for kind, given in (("update", update), ("full", full)):
        for solution, expression in given:
            schedules = found.setdefault(solution, {})
            if kind in schedules:
                raise ValueError(f"two {kind} schedules are given for solution {solution}; use one")
            schedules[kind] = expression
    return found


def event_of(
    dataset_group: str, *, import_schedule: str | None, solutions: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Returns the event of the function that answers the configuration of a dataset group.

    Args:
        dataset_group: The name of the dataset group.
        import_schedule: The schedule of the import. None: there is none.
        solutions: The schedules ``full`` and ``update`` by the name of the solution.

    >>> event_of("shop", import_schedule=None, solutions={})
    {'datasetGroupName': 'shop'}
    """
    schedules: dict[str, Any] = {}
    if import_schedule is not None:
        schedules["import"] = import_schedule
    if solutions:
        schedules["solutions"] = {name: dict(each) for name, each in solutions.items()}
    return {"datasetGroupName": dataset_group, **({"schedules": schedules} if schedules else {})}
