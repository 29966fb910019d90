"""Reads jobs from a Python module, JSON or YAML."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stepsched.core.context import revive
from stepsched.core.errors import JobFileError
from stepsched.core.quoting import given_text, shortened
from stepsched.jobs import Job
from stepsched.jobs.decorator import job_of

if TYPE_CHECKING:
    import yaml

_MOST_VALUES, _MOST_REPEATED, _VERY_MANY = 100_000, 10, 10**12
"""The limit of values that a YAML file may hold with its aliases expanded: the first number, or the second
times the values that are written in the file. The count stops at the third."""
_MOST_SHOWN = 2_000
"""The maximum number of characters in the error of one job."""
_TOO_DEEP = "it nests too deeply"


def load_jobs(source: str | Path) -> list[Job]:
    """Reads all jobs of a file or module, in order.

    Args:
        source: A path ending in ``.json``, ``.yaml``, ``.yml`` or ``.py``, or the dotted name of a
            module. JSON and YAML hold a list of jobs in the form of ``Job.model_dump_json()``, or a
            mapping with that list under ``jobs``; YAML needs the extra ``stepsched[yaml]``. The jobs of a
            module are every :class:`Job`, every function decorated with ``@ss.job``, and the items of every
            list or tuple of them, at module level, including imported ones; each counts once.

    Raises:
        JobFileError: The file cannot be read, holds no job, a job is refused, or a name occurs twice. For
            JSON and YAML the error lists every such job. No job is returned then.
    """
    if not isinstance(source, (str, Path)) or not str(source).strip("."):
        raise JobFileError(given_text(source), "expected the path of a file or the dotted name of a module")
    path = Path(source)
    match path.suffix.lower():
        case ".json":
            return _from_documents(str(source), _read_json(path))
        case ".yaml" | ".yml":
            return _from_documents(str(source), _read_yaml(path))
        case ".py":
            jobs = _from_module(_import_file(path))
        case _:
            jobs = _from_module(_import_name(str(source)))
    _refuse(str(source), _repeated(job.name for job in jobs))
    return _some(str(source), jobs)


def _some(source: str, jobs: list[Job]) -> list[Job]:
    if not jobs:
        raise JobFileError(source, "expected at least one job, got none")
    return jobs


def _repeated(names: Iterable[object]) -> list[str]:
    """Returns a problem for each name that occurs more than once, also among refused jobs."""
    counts = Counter(name for name in names if isinstance(name, str))
    return [
        f"duplicate job name: {name!r} occurs {'twice' if count == 2 else f'{count} times'}"
        for name, count in counts.items()
        if count > 1
    ]


def _refuse(source: str, problems: list[str]) -> None:
    """Raises all problems as one error; returns if there are none."""
    if not problems:
        return
    lines = [_cut(problem) for problem in problems]
    raise JobFileError(
        source, lines[0] if len(lines) == 1 else "\n  ".join([f"{len(lines)} problems:", *lines])
    )


def _cut(text: str) -> str:
    """Truncates the text of an error, which may quote a large part of the file."""
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _from_documents(source: str, document: object) -> list[Job]:
    if isinstance(document, dict) and document.keys() == {"jobs"}:
        document = document["jobs"]
    if not isinstance(document, list):
        raise JobFileError(source, "expected a list of jobs, or a mapping with that list under 'jobs'")
    jobs: list[Job] = []
    problems: list[str] = []
    for number, item in enumerate(document, 1):
        job = _read_job(item)
        if isinstance(job, Job):
            jobs.append(job)
        else:
            name = _name_in(item)
            problems.append(f"job {number} ({name!r}): {job}" if name else f"job {number}: {job}")
    _refuse(source, problems + _repeated(map(_name_in, document)))
    return _some(source, jobs)


def _read_job(document: object) -> Job | str:
    """Returns the job, or the text of its error."""
    try:
        return Job.model_validate(_revived(document))
    except ValueError as error:
        return _problems(error)


def _name_in(document: object) -> object:
    return document.get("name") if isinstance(document, dict) else None


def _revived(document: object) -> object:
    """Returns the document with the context attributes in its payloads; they have no meaning elsewhere."""
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
    except ValueError as error:  # such as of a null character
        raise JobFileError(str(path), f"expected the path of a file: {error}") from error


def _read_json(path: Path) -> object:
    text = _text(path)
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except ValueError as error:
        raise JobFileError(str(path), f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise JobFileError(str(path), _TOO_DEEP) from error


def _without_repeats(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"duplicate key in one object: {key!r}")
        found[key] = value
    return found


def _read_yaml(path: Path) -> object:
    try:
        import yaml
    except ImportError as error:
        raise JobFileError(str(path), "YAML needs the extra: pip install 'stepsched[yaml]'") from error

    class Loader(yaml.SafeLoader):
        """Refuses duplicate keys; YAML's own loader keeps the last one."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 -- as its base
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(set(keys)) < len(keys):
                raise ValueError(f"duplicate key near line {node.start_mark.line + 1}")
            return super().construct_mapping(node, deep=deep)

    text = _text(path)
    try:
        loader = Loader(text)
        root = loader.get_single_node()
        if root is not None:
            _check_aliases(path, root)
        return None if root is None else loader.construct_document(root)
    except JobFileError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise JobFileError(str(path), f"it is not YAML: {error}") from error
    except RecursionError as error:
        raise JobFileError(str(path), _TOO_DEEP) from error


def _check_aliases(path: Path, root: yaml.Node) -> None:
    """Refuses a document whose aliases would expand to too many values, before it is expanded.

    Each node is visited once; the values below an alias count at each of its uses.
    """
    sizes: dict[int, int] = {}
    around: set[int] = set()
    waiting = [(root, False)]
    while waiting:
        node, is_counted = waiting.pop()
        parts = _parts(node)
        if is_counted:
            sizes[id(node)] = min(1 + sum(sizes[id(part)] for part in parts), _VERY_MANY)
            around.discard(id(node))
        elif id(node) in around:
            line = node.start_mark.line + 1 if node.start_mark else "?"
            raise JobFileError(str(path), f"the value at line {line} contains itself through an alias")
        elif id(node) not in sizes:
            around.add(id(node))
            waiting += [(node, True), *((part, False) for part in parts)]
    most = max(_MOST_VALUES, _MOST_REPEATED * len(sizes))
    if sizes[id(root)] > most:
        raise JobFileError(str(path), f"its aliases expand to more than {most:,} values; use fewer aliases")


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """Returns the direct children of a node: keys, values and items."""
    if isinstance(node.value, str):
        return []
    return [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]


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
