"""Reads jobs from a Python module, JSON or YAML, and writes them to JSON or YAML."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from uuid import uuid4

from stepsched.core.errors import JobFileError
from stepsched.core.quoting import shortened
from stepsched.jobs.decorator import job_of
from stepsched.jobs.documents import read_job, write_job
from stepsched.jobs.job import Job, checked_jobs, no_job
from stepsched.jobs.sources import cut, listed, path_of, read_text, refuse
from stepsched.jobs.written import Place, Problem

_TOO_DEEP = "it nests too deeply"
_WRITE = "write jobs to"
_A_LIST = "expected a list of jobs, or a mapping with that list under 'jobs'"


class _Content(NamedTuple):
    """What a file holds."""

    document: Any
    problems: list[Problem]
    """The duplicate keys."""
    line: Callable[[Place], int | None]
    """Returns the line of the value at a place. None: the format has no lines."""


def load_jobs(source: str | Path) -> list[Job]:
    """Reads all jobs of a file or module, in order.

    Args:
        source: A path ending in ``.json``, ``.yaml``, ``.yml`` or ``.py``, or the dotted name of a
            module. JSON and YAML hold a list of jobs, or a mapping with that list under ``jobs``: in the form
            of ``Job.model_dump_json()``, or as people write them, such as ``schedule: rate(5 minutes)`` and
            ``target: arn:aws:lambda:...``; the guide has a table. YAML needs the extra ``stepsched[yaml]``.
            The jobs of a module are every :class:`Job`, every function decorated with ``@ss.job``, and the
            items of every list or tuple of them, at module level, including imported ones; each counts once.

    Raises:
        JobFileError: The file cannot be read, holds no job, a job is refused, or a name occurs twice. For
            JSON and YAML the error lists all mistakes, up to 100, each with its job, its field and, in YAML,
            its line. No job is returned then.
    """
    path = path_of(source, "the path of a file or the dotted name of a module")
    match path.suffix.lower():
        case ".json":
            return _jobs_in(str(source), _read_json(str(source), read_text(path)))
        case ".yaml" | ".yml":
            return _jobs_in(str(source), _read_yaml(str(source), read_text(path)))
        case ".py":
            jobs = _from_module(_import_file(path))
        case _:
            jobs = _from_module(_import_name(str(source)))
    refuse(str(source), _repeated(job.name for job in jobs))
    return _some(str(source), jobs)


def dump_jobs(jobs: Iterable[Job], path: str | Path) -> None:
    """Writes jobs to a file, from which :func:`load_jobs` reads equal jobs, in the same order.

    The file is meant for people: schedules and targets are texts where a text says all there is, and fields
    that have their default are left out. An existing file is replaced in one step, so that a reader sees the
    old or the new one; if anything is refused, it stays as it was.

    Args:
        jobs: The jobs, with distinct names.
        path: A path ending in ``.json``, ``.yaml`` or ``.yml``. YAML needs the extra ``stepsched[yaml]``.

    Raises:
        TypeError: ``jobs`` holds something else, such as a record.
        JobFileError: There is no job, a name occurs twice, a job calls a function that cannot be imported by
            name or has a stored crontab line with two readings (P-38), or the file cannot be written.
    """
    wanted = _checked(jobs)
    path = path_of(path, "a path ending in .json, .yaml or .yml", _WRITE)
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        raise _not_written(path, "expected a path ending in .json, .yaml or .yml")
    problems, documents = _repeated(job.name for job in wanted), []
    for number, job in enumerate(wanted, 1):
        try:
            documents.append(write_job(job))
        except ValueError as error:  # noqa: PERF203 -- all jobs are looked at
            problems.append(f"job {number} ({job.name!r}): {error}")
    if problems or not wanted:
        raise _not_written(path, listed(problems) if problems else "expected at least one job, got none")
    if path.suffix.lower() == ".json":
        text = json.dumps(documents, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = _yaml(str(path)).write_yaml(documents)
        if _read_yaml(str(path), text).document != documents:
            raise AssertionError(f"the YAML for {path} is read as other data")
    _replace(path, text)


def _checked(jobs: Iterable[Job]) -> list[Job]:
    wanted = list(checked_jobs(jobs))
    for each in wanted:
        if type(each) is not Job:
            raise no_job(each)
    return wanted


def _replace(path: Path, text: str) -> None:
    """Writes a file beside the path and renames it, so that the path is never half written."""
    try:
        place = path.resolve()
        beside = place.with_name(f".{place.name}.{uuid4().hex}")
        try:
            with beside.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if place.exists():
                beside.chmod(place.stat().st_mode & 0o7777)
            beside.replace(place)
        finally:
            with suppress(OSError):  # renamed, or never made
                beside.unlink()
    except OSError as error:
        raise _not_written(path, error.strerror or str(error)) from error
    except UnicodeEncodeError as error:
        raise _not_written(path, f"UTF-8 cannot encode it: {error}") from error


def _not_written(path: Path, reason: str) -> JobFileError:
    return JobFileError(str(path), reason, _WRITE)


def _some(source: str, jobs: list[Job]) -> list[Job]:
    if not jobs:
        raise JobFileError(source, "expected at least one job, got none")
    return jobs


def _repeated(names: Iterable[object]) -> list[str]:
    """Returns a problem for each name that occurs more than once, also among refused jobs."""
    counts = Counter(str(name) for name in names if isinstance(name, str))
    return [
        f"duplicate job name: {name!r} occurs {'twice' if count == 2 else f'{count} times'}"
        for name, count in counts.items()
        if count > 1
    ]


def _jobs_in(source: str, content: _Content) -> list[Job]:
    document, prefix = content.document, tuple[str, ...]()
    if isinstance(document, dict) and document.keys() == {"jobs"}:
        document, prefix = document["jobs"], ("jobs",)
    if not isinstance(document, list):
        raise JobFileError(source, _A_LIST + _instead(document))
    jobs: list[Job] = []
    problems: list[str] = []
    repeats: dict[Place, list[Problem]] = {}
    for repeat in content.problems:  # duplicate keys: of a job, or around the jobs
        repeats.setdefault(repeat.place[: len(prefix) + 1], []).append(repeat)
    for number, item in enumerate(document):
        job, around = read_job(item), Place((*prefix, number))
        found = [each._replace(place=each.place[len(around) :]) for each in repeats.pop(around, ())]
        if isinstance(job, Job) and not found:
            jobs.append(job)
            continue
        found += [] if isinstance(job, Job) else job
        label = f"job {number + 1} ({_name_in(item)!r})" if _name_in(item) else f"job {number + 1}"
        found.sort(key=lambda each: content.line((*around, *each.place)) or 0)
        problems += [_said(each, content, label, around) for each in found]
    around_jobs = [_said(each, content) for left in repeats.values() for each in left]
    refuse(source, around_jobs + problems + _repeated(map(_name_in, document)))
    return _some(source, jobs)


def _instead(document: object) -> str:
    if isinstance(document, dict) and "startDateTime" in document:
        return "; the document of an interval job is read by Job.from_document"
    if document is None:
        return "; got nothing"
    if isinstance(document, dict) and "target" in document:
        return "; got one job: put it into a list"
    if isinstance(document, dict) and document and all(isinstance(each, dict) for each in document.values()):
        return "; got jobs by name: write each as an item, with its name as a field"
    if isinstance(document, dict) and isinstance(document.get("jobs"), list):
        others = ", ".join(str(key) for key in document if key != "jobs")
        return cut(f" and nothing beside it; got also {others}")
    return ""


def _said(problem: Problem, content: _Content, label: str = "", around: Place = ()) -> str:
    """Returns a problem with its job, its place and its line."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem.place)
    line = content.line((*around, *problem.place))
    where = "" if line is None else f" (line {line})"
    return ": ".join(filter(None, (label, cut(field.lstrip(".")), cut(problem.text)))) + where


def _name_in(document: object) -> str | None:
    name = document.get("name") if isinstance(document, dict) else None
    return str(name) if isinstance(name, str) else None


def _read_json(source: str, text: str) -> _Content:
    problems = list[Problem]()

    def noting_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
        counts = Counter(key for key, _ in pairs)
        problems.extend(
            Problem((), f"duplicate key in one object: {key!r}") for key, count in counts.items() if count > 1
        )
        return dict(pairs)

    try:
        document = json.loads(text, object_pairs_hook=noting_repeats)
    except ValueError as error:
        raise JobFileError(source, f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise JobFileError(source, _TOO_DEEP) from error
    return _Content(document, problems, lambda _place: None)


def _read_yaml(source: str, text: str) -> _Content:
    yaml_text = _yaml(source)
    try:
        found = yaml_text.read_yaml(text)
    except yaml_text.YamlError as error:
        raise JobFileError(source, str(error)) from error
    except ValueError as error:
        raise JobFileError(source, f"it is not YAML: {error}") from error
    except RecursionError as error:
        raise JobFileError(source, _TOO_DEEP) from error
    return _Content(found.document, found.problems, found.line)


def _yaml(source: str) -> Any:
    """Returns the module that reads YAML."""
    try:
        import yaml  # noqa: F401 -- the next module needs it

        from stepsched.jobs import yaml_text
    except ImportError as error:
        raise JobFileError(source, "YAML needs the extra: pip install 'stepsched[yaml]'") from error
    return yaml_text


def _import_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if f"{name}.".startswith(f"{error.name}."):
            reason = (
                f"{shortened(str(error), 300)}; use a dotted module name or a path ending in .json, .yaml, "
                ".yml or .py"
            )
        else:
            reason = f"the import failed: {error}"
        raise JobFileError(name, reason) from error
    except Exception as error:
        raise JobFileError(name, f"the import failed: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> ModuleType:
    """Imports a file under its own name, so that its functions can be imported again by that name."""
    name = path.stem
    known = sys.modules.get(name)
    if known is not None:
        if getattr(known, "__file__", None) and Path(str(known.__file__)).resolve() == path.resolve():
            return known
        raise JobFileError(str(path), f"a module named {name!r} is already imported; rename the file")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise JobFileError(str(path), "no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise JobFileError(str(path), f"the import failed: {type(error).__name__}: {error}") from error
    return module


def _from_module(module: ModuleType) -> list[Job]:
    values: list[object] = []
    for value in vars(module).values():
        values.extend(value if isinstance(value, (list, tuple)) else [value])
    found = (value if isinstance(value, Job) else job_of(value) for value in values)
    # The same job may occur as a function's job, as a variable and as an item of a list.
    return list({id(job): job for job in found if job is not None}.values())
