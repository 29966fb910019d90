"""Reads jobs from a Python module, JSON or YAML, and writes them to JSON or YAML."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeAlias, get_args
from uuid import uuid4

from stepsched.core.errors import JobFileError
from stepsched.core.quoting import quoted, shortened
from stepsched.core.text_files import path_of, read_text
from stepsched.jobs.decorator import job_of
from stepsched.jobs.documents import read_job, write_job
from stepsched.jobs.job import Job, checked_jobs, no_job
from stepsched.jobs.json_text import JsonError, read_json
from stepsched.jobs.sources import FileProblem, checked_text, cut, listed, refuse
from stepsched.jobs.written import Place, Problem
from stepsched.schedules.stored import reading_stored

_TOO_DEEP = "it nests too deeply"
_WRITE = "write jobs to"
_NO_JOB = "expected at least one job, got none"
Format: TypeAlias = Literal["json", "yaml"]
_FORMATS: dict[str, Format] = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}
_A_LIST = "expected a list of jobs, or a mapping with that list under 'jobs'"


class _Content(NamedTuple):
    """What a file holds."""

    document: Any
    problems: list[Problem]
    """The duplicate keys."""
    line: Callable[[Place], int | None]
    """Returns the line of the value at a place, if it is known."""
    shows_lines: bool
    """Whether the message of an error has the lines too."""


class _Item(NamedTuple):
    """An item of a document that holds a job."""

    document: Any
    """The job, or the record of one."""
    place: Place

    @property
    def is_record(self) -> bool:
        """Whether the item is a record of a stored job."""
        item = self.document
        is_mapping = isinstance(item, dict) and isinstance(item.get("job"), dict)
        return is_mapping and {"status", "version"} <= item.keys()

    @property
    def is_foreign(self) -> bool:
        """Whether the item is a record of a job that stepsched did not create."""
        return self.is_record and self.document.get("owned") is False

    def job(self) -> _Item:
        """Returns the job of a record; otherwise the item itself."""
        return _Item(self.document["job"], Place((*self.place, "job"))) if self.is_record else self


def load_jobs(source: str | Path) -> list[Job]:
    """Reads all jobs of a file or module, in order.

    Args:
        source: A path ending in ``.json``, ``.yaml``, ``.yml`` or ``.py``, or the dotted name of a
            module. JSON and YAML hold a list of jobs, or a mapping with that list under ``jobs``: in the form
            of ``Job.model_dump_json()``, or as people write them, such as ``schedule: rate(5 minutes)`` and
            ``target: arn:aws:lambda:...``; the guide has a table. YAML needs the extra ``stepsched[yaml]``.
            The jobs of a module are every :class:`Job`, every function decorated with ``@ss.job``, and the
            items of every list or tuple of them, at module level, including imported ones; each counts once.

    A document may also hold records of stored jobs, in the form of ``JobRecord.model_dump_json()``, which
    ``stepsched list`` prints: their jobs are read, as they were accepted when they were stored. Records of
    jobs that stepsched did not create are left out.

    Raises:
        JobFileError: The file cannot be read, holds no job, a job is refused, or a name occurs twice. For
            JSON and YAML the error lists all mistakes, up to 100, each with its job, its field and, in YAML,
            its line. No job is returned then.
    """
    path = path_of(source, "the path of a file or the dotted name of a module")
    match path.suffix.lower():
        case ".json" | ".yaml" | ".yml" as suffix:
            return _jobs_in(str(source), _read(str(source), read_text(path), _FORMATS[suffix]))
        case ".py":
            jobs = _from_module(import_file(path))
        case _:
            jobs = _from_module(import_name(str(source)))
    refuse(str(source), _repeated(job.name for job in jobs))
    return _some(str(source), jobs)


def read_jobs(text: str, *, form: Format | None = None, source: str = "the text") -> list[Job]:
    """Reads all jobs of a JSON or YAML text, as :func:`load_jobs` reads those of a file.

    Args:
        text: The text.
        form: The format: ``"json"`` or ``"yaml"``. None: JSON, if the text begins with a bracket, otherwise
            YAML.
        source: Where the text is from, for errors.

    Raises:
        TypeError: ``text`` is not a string.
        ValueError: ``form`` is another format.
        JobFileError: As for :func:`load_jobs`.

    Example:
        >>> text = '[{"name": "tidy", "schedule": "rate(1 hour)", "target": ["true"]}]'
        >>> [job.schedule.describe() for job in read_jobs(text)]
        ['Every hour']
    """
    text = checked_text(text).removeprefix("\ufeff")
    return _jobs_in(source, _read(source, text, format_of(text) if form is None else _checked_form(form)))


def read_document(text: str, form: Format, source: str) -> Any:
    """Returns the data of a text, whatever it holds.

    Raises:
        JobFileError: The text is not of that format.
    """
    return _read(source, text, form).document


def lines_of_jobs(text: str, form: Format, source: str) -> list[int | None]:
    """Returns the line of each job of a text, in the order of :func:`read_jobs`.

    Raises:
        JobFileError: The text is not of that format, or holds no list of jobs.
    """
    content = _read(source, text, form)
    return [content.line(item.place) for item in _items(source, content.document)[1]]


def format_of(text: str) -> Format:
    """Returns the format of a text whose format nobody has told."""
    return "json" if text.lstrip()[:1] in ("[", "{") else "yaml"


def _checked_form(form: Format) -> Format:
    if form not in get_args(Format):
        raise ValueError(f"expected 'json' or 'yaml' for form, got {quoted(form)}")
    return form


def write_jobs(jobs: Iterable[Job], *, form: Format = "json", source: str = "the text") -> str:
    """Returns the text of a file of jobs, which :func:`dump_jobs` writes.

    Args:
        jobs: The jobs, with distinct names.
        form: The format: ``"json"`` or ``"yaml"``. YAML needs the extra ``stepsched[yaml]``.
        source: What the text is for, for errors.

    Raises:
        TypeError: As for :func:`dump_jobs`.
        ValueError: ``form`` is another format.
        JobFileError: As for :func:`dump_jobs`.
    """
    form = _checked_form(form)
    documents = list[Any]()
    wanted = _checked(jobs)
    problems = _repeated(job.name for job in wanted)
    for number, job in enumerate(wanted, 1):
        try:
            documents.append(write_job(job))
        except ValueError as error:  # noqa: PERF203 -- all jobs are looked at
            problems.append(FileProblem(None, f"job {number} ({job.name!r}): {error}"))
    if problems or not wanted:
        reason = listed([each.text for each in problems]) if problems else _NO_JOB
        raise JobFileError(source, reason, _WRITE, [(None, each.text) for each in problems])
    if form == "json":
        return json.dumps(documents, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    text: str = _yaml(source).write_yaml(documents)
    if _read_yaml(source, text).document != documents:
        raise AssertionError(f"the YAML for {source} is read as other data")
    return text


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
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise _not_written(path, "expected a path ending in .json, .yaml or .yml")
    _replace(path, write_jobs(wanted, form=form, source=str(path)))


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
        raise JobFileError(source, _NO_JOB)
    return jobs


def _repeated(
    names: Iterable[object], line: Callable[[int], int | None] = lambda _: None
) -> list[FileProblem]:
    """Returns a problem for each name that occurs more than once, also among refused jobs.

    Args:
        names: The names; what is no text is left out.
        line: Returns the line of the name with that number; the first is 0.
    """
    places: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        if isinstance(name, str):
            places.setdefault(str(name), []).append(number)
    problems = list[FileProblem]()
    for name, numbers in places.items():
        if len(numbers) > 1:
            count = "twice" if len(numbers) == 2 else f"{len(numbers)} times"
            text = f"duplicate job name: {name!r} occurs {count}"
            problems.append(FileProblem(line(numbers[1]), text, text))
    return problems


def _jobs_in(source: str, content: _Content) -> list[Job]:
    prefix, items = _items(source, content.document)
    jobs: list[Job] = []
    problems: list[FileProblem] = []
    repeats: dict[Place, list[Problem]] = {}
    for repeat in content.problems:  # duplicate keys: of a job, or around the jobs
        repeats.setdefault(repeat.place[: len(prefix) + 1], []).append(repeat)
    for number, item in enumerate(items, 1):
        document, around = item.job()
        job = _job_in(item)
        found = [each._replace(place=each.place[len(around) :]) for each in repeats.pop(item.place, ())]
        if isinstance(job, Job) and not found:
            jobs.append(job)
            continue
        found += [] if isinstance(job, Job) else job
        label = f"job {number} ({_name_in(document)!r})" if _name_in(document) else f"job {number}"
        found.sort(key=lambda each: content.line((*around, *each.place)) or 0)
        problems += [_said(each, content, label, around) for each in found]
    around_jobs = [_said(each, content) for left in repeats.values() for each in left]
    named = [item.job() for item in items]
    repeated = _repeated(
        (_name_in(item.document) for item in named),
        lambda number: content.line((*named[number].place, "name")),
    )
    refuse(source, around_jobs + problems + repeated)
    return _some(source, jobs)


def _items(source: str, document: Any) -> tuple[Place, list[_Item]]:
    """Returns the place of the list with the jobs, and its items, without records of foreign jobs."""
    prefix: Place = ()
    if isinstance(document, dict) and document.keys() == {"jobs"}:
        document, prefix = document["jobs"], ("jobs",)
    elif _Item(document, ()).is_record:
        return (), [_Item(document, ())]
    if not isinstance(document, list):
        raise JobFileError(source, _A_LIST + _instead(document))
    items = [_Item(item, Place((*prefix, number))) for number, item in enumerate(document)]
    return prefix, [item for item in items if not item.is_foreign]


def _job_in(item: _Item) -> Job | list[Problem]:
    if not item.is_record:
        return read_job(item.document)
    with reading_stored():  # it was accepted when it was stored
        return read_job(item.job().document)


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


def _said(problem: Problem, content: _Content, label: str = "", around: Place = ()) -> FileProblem:
    """Returns a problem with its job, its place and its line."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem.place)
    line = content.line((*around, *problem.place))
    text = ": ".join(filter(None, (label, cut(field.lstrip(".")), cut(problem.text))))
    return FileProblem(
        line, text, text if line is None or not content.shows_lines else f"{text} (line {line})"
    )


def _name_in(document: object) -> str | None:
    name = document.get("name") if isinstance(document, dict) else None
    return str(name) if isinstance(name, str) else None


def _read(source: str, text: str, form: Format) -> _Content:
    return _read_json(source, text) if form == "json" else _read_yaml(source, text)


def _read_json(source: str, text: str) -> _Content:
    try:
        found = read_json(text)
    except JsonError as error:
        raise JobFileError(source, str(error), problems=[(error.line, error.text)]) from error
    except RecursionError as error:
        raise JobFileError(source, _TOO_DEEP) from error
    return _Content(found.document, found.problems, found.line, shows_lines=False)


def _read_yaml(source: str, text: str) -> _Content:
    yaml_text = _yaml(source)
    try:
        found = yaml_text.read_yaml(text)
    except yaml_text.YamlError as error:
        raise JobFileError(source, str(error), problems=[(error.line, error.text)]) from error
    except ValueError as error:
        raise JobFileError(source, f"it is not YAML: {error}") from error
    except RecursionError as error:
        raise JobFileError(source, _TOO_DEEP) from error
    return _Content(found.document, found.problems, found.line, shows_lines=True)


def _yaml(source: str) -> Any:
    """Returns the module that reads YAML."""
    try:
        import yaml  # noqa: F401 -- the next module needs it

        from stepsched.jobs import yaml_text
    except ImportError as error:
        raise JobFileError(source, "YAML needs the extra: pip install 'stepsched[yaml]'") from error
    return yaml_text


def import_name(name: str) -> ModuleType:
    """Imports a module by its dotted name.

    Raises:
        JobFileError: There is none, or it cannot be imported.
    """
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
    except (Exception, SystemExit) as error:  # a script may end itself
        raise JobFileError(name, f"the import failed: {type(error).__name__}: {error}") from error


def import_file(path: Path) -> ModuleType:
    """Imports a file under its own name, so that its functions can be imported again by that name.

    Raises:
        JobFileError: It cannot be imported, or a module of that name is already imported.
    """
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
    except (Exception, SystemExit) as error:  # a script may end itself
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
