"""The validators find faults of a definition, and what they refuse wrongly is known by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.parts import asl_validators, nodejs
from tests.parts.asl_validators import asl_validator, cfn_lint
from tests.parts.environments import PartFailedError, PartMissingError


def machine(**state: Any) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", **in_jsonpath(**state)}


def in_jsonpath(**state: Any) -> dict[str, Any]:
    return {"StartAt": "Only", "States": {"Only": state}}


def task(**fields: Any) -> dict[str, Any]:
    resource = "arn:aws:states:::sqs:sendMessage"
    return machine(Type="Task", Resource=resource, Arguments={"QueueUrl": "q"}, End=True, **fields)


SOUND = [
    machine(Type="Succeed", Output={"a": "{% $states.input %}"}),
    {
        "StartAt": "Only",
        "States": {"Only": {"Type": "Pass", "Result": None, "ResultPath": None, "End": True}},
    },
    machine(Type="Wait", Timestamp="{% $fromMillis(0) %}", Assign={"a": 1}, Output="{% 1 %}", End=True),
    # What asl-validator would refuse by itself.
    machine(Type="Pass", Output={"empty": "", "lines": "a\nb", "nothing": None}, End=True),
    machine(Type="Pass", Output="{% 1 +\n 1 %}", End=True),
]

COMPUTED = [
    task(TimeoutSeconds="{% 1 %}"),
    task(HeartbeatSeconds="{% 2 %}"),
    machine(
        Type="Map",
        Items="{% [1] %}",
        MaxConcurrency="{% 3 %}",
        ItemProcessor={"StartAt": "Each", "States": {"Each": {"Type": "Pass", "End": True}}},
        End=True,
    ),
]


def test_definitions_are_left_as_they_were() -> None:
    definition = machine(Type="Pass", Output="{% 1 +\n 1 %}", End=True)
    asl_validator([definition])
    assert definition == machine(Type="Pass", Output="{% 1 +\n 1 %}", End=True)


def test_asl_validator_finds_faults_and_none_in_what_is_sound() -> None:
    expected = [
        (machine(Type="Pass", Next="Nowhere"), "MISSING_TRANSITION_TARGET"),
        (machine(Type="Pass", Next="Only"), "MISSING_TERMINAL_STATE"),
        (machine(Type="Pass", TimeoutSeconds=1, End=True), "SCHEMA_VALIDATION_FAILED"),
        (machine(Type="Pass", Output="{% 1 + %}", End=True), "SCHEMA_VALIDATION_FAILED"),
        (machine(Type="Pass", InputPath="$", End=True), "SCHEMA_VALIDATION_FAILED"),
        # Right, and refused: the faults that stay.
        (machine(Type="Pass", Output={"States": "a"}, End=True), "CRASHED"),
        (machine(Type="Pass", Output={"Next": "a"}, End=True), "MISSING_TRANSITION_TARGET"),
        (machine(Type="Pass", Output="text", End=True), "SCHEMA_VALIDATION_FAILED"),
        (machine(Type="Pass", Output={"a": [["text"]]}, End=True), "SCHEMA_VALIDATION_FAILED"),
    ]
    sound = [*SOUND, *COMPUTED]
    found = asl_validator([*sound, *(definition for definition, _ in expected), SOUND[0]])
    assert found[: len(sound)] == [[]] * len(sound)
    for (first, *_), (_, code) in zip(found[len(sound) : -1], expected, strict=True):
        assert first.startswith(f"{code}: ")
    assert found[-1] == []


def test_cfn_lint_finds_faults_and_none_in_what_is_sound() -> None:
    expected = [
        (machine(Type="Pass", TimeoutSeconds=1, End=True), "E3601: /States/Only/TimeoutSeconds: Additional"),
        (machine(Type="Pass", InputPath="$", End=True), "E3601: /States/Only/InputPath: Additional"),
        (task(TimeoutSeconds="soon"), "E3601: /States/Only/TimeoutSeconds: 'soon' is not of type 'number'"),
        ({**machine(Type="Pass", End=True), "StartAt": "A"}, "E3601: /StartAt: Missing 'Next' target 'A'"),
        (machine(Type="Pass", Output={"Fn::Sub": "${a}"}, End=True), "E1019: "),
        # Right, and refused: the faults that stay.
        (COMPUTED[0], "E3601: /States/Only/TimeoutSeconds: '{% 1 %}' is not of type 'number'"),
        (COMPUTED[1], "E3601: /States/Only/HeartbeatSeconds: '{% 2 %}' is not of type 'number'"),
        (COMPUTED[2], "E3601: /States/Only/MaxConcurrency: '{% 3 %}' is not of type 'number'"),
        (machine(Type="Pass", Output=[1], End=True), "E3601: /States/Only/Output: [1] is not of type"),
    ]
    found = cfn_lint([*SOUND, *(definition for definition, _ in expected)])
    assert found[: len(SOUND)] == [[]] * len(SOUND)
    for (first, *_), (_, finding) in zip(found[len(SOUND) :], expected, strict=True):
        assert first.startswith(finding)


def test_no_definitions_no_findings() -> None:
    assert asl_validator([]) == []
    assert cfn_lint([]) == []


def test_validator_that_fails_is_reported() -> None:
    with pytest.raises(PartFailedError, match="not a list"):
        asl_validators._ask([nodejs.node_command("")[0], "-e", "throw 'not a list'"], {}, ".", {})


def test_missing_validators_say_how_to_install_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nodejs, "ENVIRONMENT", tmp_path)
    with pytest.raises(PartMissingError, match=r"python3 tests/gate\.py tests"):
        asl_validator([])
    monkeypatch.setattr(asl_validators, "python_of", lambda name: tmp_path / name)
    with pytest.raises(PartMissingError, match=r"cfn-lint==.* python3 tests/gate.py tests"):
        cfn_lint([])
