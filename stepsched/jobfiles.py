"""Jobs from files: a Python module, JSON, or YAML."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Hashable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from stepsched.context import revive
from stepsched.decorator import job_of
from stepsched.errors import JobFileError
from stepsched.jobs import Job


def load_jobs(source: str | Path) -> list[Job]:
    """Reads the jobs of a file or module, in their order.

    Args:
        source: A path ending in ``.json``, ``.yaml``, ``.yml`` or ``.py``, or the dotted name of a
            module. JSON and YAML hold a list of jobs in the form of ``Job.model_dump_json()``, or a
            mapping with that list under ``jobs``; YAML needs the extra ``stepsched[yaml]``. A module
            gives every :class:`Job`, every function below ``@ss.job``, and every list or tuple of them, at
            its top, also those that it imports from another module; each counts once.

    Raises:
        JobFileError: The file cannot be read, holds no job, a job is refused, or a name stands twice.
            Nothing is loaded then.
    """
    if not isinstance(source, (str, Path)) or not str(source).strip("."):
        raise JobFileError(str(source), "the path of a file or the dotted name of a module is wanted")
    path = Path(source)
    match path.suffix.lower():
        case ".json":
            jobs = _from_documents(str(source), _read_json(path))
        case ".yaml" | ".yml":
            jobs = _from_documents(str(source), _read_yaml(path))
        case ".py":
            jobs = _from_module(_import_file(path))
        case _:
            jobs = _from_module(_import_name(str(source)))
    if not jobs:
        raise JobFileError(str(source), "it holds no job")
    seen: set[str] = set()
    for job in jobs:
        if job.name in seen:
            raise JobFileError(str(source), f"the name {job.name!r} stands twice")
        seen.add(job.name)
    return jobs


def _from_documents(source: str, document: object) -> list[Job]:
    if isinstance(document, dict) and document.keys() == {"jobs"}:
        document = document["jobs"]
    if not isinstance(document, list):
        raise JobFileError(source, "a list of jobs is wanted, or a mapping with that list under 'jobs'")
    return [_job(source, number, item) for number, item in enumerate(document, 1)]


def _job(source: str, number: int, document: object) -> Job:
    try:
        return Job.model_validate(_revived(document))
    except ValueError as error:
        name = document.get("name") if isinstance(document, dict) else None
        problems = _problems(error)
        what = f"job {number} ({name!r})" if name else f"job {number}"
        raise JobFileError(source, f"{what}: {problems}") from error


def _revived(document: object) -> object:
    """The document with the context attributes of its payloads: elsewhere they mean nothing."""
    if not isinstance(document, dict):
        return document
    return document | {key: revive(document[key]) for key in ("input", "target") if key in document}


def _problems(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, problem["loc"])), _words(problem["msg"]))))
        for problem in error.errors()
    )


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise JobFileError(str(path), error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise JobFileError(str(path), f"it is not UTF-8: {error}") from error


def _read_json(path: Path) -> object:
    text = _text(path)
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise JobFileError(str(path), f"it is not JSON: {error}") from error


def _without_repeats(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _read_yaml(path: Path) -> object:
    try:
        import yaml
    except ImportError as error:
        raise JobFileError(str(path), "YAML needs the extra: pip install 'stepsched[yaml]'") from error

    class Loader(yaml.SafeLoader):
        """Refuses keys that stand twice, of which YAML's own loader keeps the last."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 -- as its base
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(set(keys)) < len(keys):
                raise ValueError(f"a key stands twice near line {node.start_mark.line + 1}")
            return super().construct_mapping(node, deep=deep)

    text = _text(path)
    try:
        return yaml.load(text, Loader)  # noqa: S506 -- a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise JobFileError(str(path), f"it is not YAML: {error}") from error


def _import_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        reason = f"{error}; give a dotted module name or a path ending in .json, .yaml, .yml or .py"
        raise JobFileError(name, reason) from error
    except Exception as error:
        raise JobFileError(name, f"it fails on import: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> ModuleType:
    """Imports under the file's own name, so that its functions can be found again."""
    name = path.stem
    known = sys.modules.get(name)
    if known is not None:
        if getattr(known, "__file__", None) and Path(str(known.__file__)).resolve() == path.resolve():
            return known
        raise JobFileError(str(path), f"a module named {name!r} is loaded already; rename the file")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise JobFileError(str(path), "no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise JobFileError(str(path), f"it fails on import: {type(error).__name__}: {error}") from error
    return module


def _from_module(module: ModuleType) -> list[Job]:
    values: list[object] = []
    for value in vars(module).values():
        values.extend(value if isinstance(value, (list, tuple)) else [value])
    found = (value if isinstance(value, Job) else job_of(value) for value in values)
    # One job may be a function's, a name of its own and an item of a list.
    return list({id(job): job for job in found if job is not None}.values())
