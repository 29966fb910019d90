"""Two validators of definitions that are not ours, as parts for tests: asl-validator and cfn-lint.

Each misses much and refuses some of what is right; tests/parts/test_asl_validators.py shows the faults. What
cfn-lint finds is told as its user sees it.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.gate import CFN_LINT
from tests.parts.environments import PartFailedError, PartMissingError, python_of
from tests.parts.nodejs import node_command, node_environment

PATIENCE = 60
"""Seconds that all definitions of one call may take."""

RUNNER = Path(__file__).with_name("cfn_lint_runner.py")

_BREAK = re.compile(r"[\n\r\u2028\u2029]")
_DATA = frozenset({"Arguments", "Assign", "ItemSelector", "Output"})


def asl_validator(definitions: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """What asl-validator finds in each definition, as ``CODE: message``; nothing is an empty list.

    It does not know that a text may be empty or have line breaks, so it is shown others in their place. Keys
    of data called ``States``, ``Next`` or ``Default`` confuse it, and it takes neither a list or plain text
    as ``Output`` nor a list of lists of text in data: a test of such a definition names what it expects.

    Raises `PartMissingError` if Node or the package is missing.
    """
    shown = [_without_breaks(definition) for definition in definitions]
    with tempfile.TemporaryDirectory(prefix="asl-validator-") as folder:
        found = _ask(node_command("asl_validator.js"), shown, folder, node_environment(Path(folder)))
    return [list(dict.fromkeys(f"{each['code']}: {each['message']}" for each in errors)) for errors in found]


def cfn_lint(definitions: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """What cfn-lint finds in each definition as part of a template, as ``RULE: path: message``.

    It does not know that numbers of a task and of a map may be computed, nor that an output may be a list:
    a test of such a definition names what it expects. It tells the same words once in a call. It reads
    ``Ref`` and ``Fn::`` keys of a definition as CloudFormation does.

    Raises `PartMissingError` if its environment is missing.
    """
    python = python_of("cfn-lint")
    if not python.exists():
        raise PartMissingError("cfn-lint", CFN_LINT)
    machines = {f"M{index}": _machine(each) for index, each in enumerate(definitions)}
    if not machines:
        return []
    errors = {name: list[str]() for name in machines}
    with tempfile.TemporaryDirectory(prefix="cfn-lint-") as folder:
        (found,) = _ask(
            [str(python), "-I", str(RUNNER)], [{"Resources": machines}], folder, {"HOME": folder, "TZ": "UTC"}
        )
    for rule, path, message in found:
        match path:
            case ["Resources", str() as machine, "Properties", "Definition", *rest]:
                place = "".join(f"/{step}" for step in rest)
                errors[machine].append(f"{rule}: {place}: {message}")
    return list(errors.values())


def _machine(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": "arn:aws:iam::000000000000:role/machine", "Definition": definition},
    }


def _without_breaks(value: Any, *, data: bool = False) -> Any:
    """The same definition, but with no text in data, and no expression, that is empty or spans lines."""
    match value:
        case str() if data or value.startswith("{%"):
            return _BREAK.sub(" ", value) or " "
        case dict():
            return {key: _without_breaks(each, data=data or key in _DATA) for key, each in value.items()}
        case list():
            return [_without_breaks(each, data=data) for each in value]
        case _:
            return value


def _ask(command: Sequence[str], request: Any, folder: str, environment: Mapping[str, str]) -> list[Any]:
    ended = subprocess.run(
        command,
        input=json.dumps(request).encode(),
        capture_output=True,
        cwd=folder,
        env=dict(environment),
        timeout=PATIENCE,
        check=False,
    )
    if ended.returncode:
        raise PartFailedError(ended.stderr.decode(errors="replace"))
    answer: list[Any] = json.loads(ended.stdout)
    return answer
