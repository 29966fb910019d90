"""Definitions that AWS was recorded to accept, to refuse or to fail in every run; and silenced findings.

Each line of the file has the smallest definition that shows one recorded answer, and the recording: a
snapshot test of LocalStack, whose answers are AWS's own, or the issue that quotes AWS.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stepsched import asl
from stepsched.asl.diagnostics import ERROR_CODES, Doubt
from tests.unit.asl.checks.definitions import ENDS, PASS, VALID, choice, distributed, each, machine, task
from tests.unit.asl.checks.test_mutants import MUTANTS

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parents[3] / "data" / "asl_recorded.jsonl").read_text("utf-8").splitlines()
]


def errors(definition: Any, **options: Any) -> list[str]:
    return [str(found) for found in asl.check(definition, **options) if found.is_error]


@pytest.mark.parametrize("line", range(len(RECORDED)))
def test_an_error_is_what_aws_was_recorded_to_refuse(line: int) -> None:
    recorded = RECORDED[line]
    found = errors(recorded["definition"], type=recorded.get("type", "STANDARD"))
    wrong = f"line {line + 1}: {recorded['answer']} by AWS: {recorded['source']}"
    if recorded["answer"] == "accepted":
        assert found == [], wrong
    else:
        assert found, wrong


def test_the_recorded_answers_are_many_and_each_has_its_source() -> None:
    answers = [recorded["answer"] for recorded in RECORDED]
    assert set(answers) == {"accepted", "refused", "fails"}
    assert (answers.count("accepted"), answers.count("refused"), answers.count("fails")) == (236, 99, 7)
    assert all("/" in recorded["source"] for recorded in RECORDED)


def test_a_code_is_for_errors_or_for_warnings() -> None:
    assert not set(ERROR_CODES) & set(Doubt)
    seen = [found for mutant in MUTANTS for found in asl.check(mutant.definition())]
    seen += [found for recorded in RECORDED for found in asl.check(recorded["definition"])]
    assert {found.code for found in seen if found.is_error} <= set(ERROR_CODES)
    assert {found.code for found in seen if not found.is_error} <= set(Doubt)


# -- Silence --------------------------------------------------------------------------------------------

UNSURE = machine(
    {
        "Pick": choice({"Variable": "$.a", "IsNull": True, "Next": "Again"}),
        "Again": choice({"Variable": "$.b", "IsNull": True, "Next": "Done"}),
        "Done": ENDS,
    }
)
for _state in ("Pick", "Again"):
    UNSURE["States"][_state].pop("Default", None)


def test_a_finding_is_silenced_by_its_code_everywhere_or_at_one_place() -> None:
    places = ["/States/Pick", "/States/Again"]
    assert [(found.code, found.path) for found in asl.check(UNSURE)] == [("NO_DEFAULT", at) for at in places]
    assert asl.check(UNSURE, ignore=["NO_DEFAULT"]) == []
    (left,) = asl.check(UNSURE, ignore=["NO_DEFAULT at /States/Pick"])
    assert left.path == "/States/Again"
    printed = [str(found).removeprefix("WARNING ").partition(":")[0] for found in asl.check(UNSURE)]
    assert asl.check(UNSURE, ignore=printed) == []
    assert len(asl.check(UNSURE, ignore=("NOT_EVALUATED", "NO_DEFAULT at /States/Other"))) == 2


def test_a_machine_is_silenced_in_the_same_way() -> None:
    parsed = asl.parse(json.dumps(UNSURE))
    assert len(parsed.check()) == 2
    assert parsed.check(ignore=["NO_DEFAULT"]) == []


@pytest.mark.parametrize(
    ("ignore", "error", "cure"),
    [
        (["NO_DEFAULTS"], ValueError, "use 'NO_DEFAULT'"),
        (["no_default"], ValueError, "use 'NO_DEFAULT'"),
        (["/States/Pick"], ValueError, "use one of the codes"),
        (["NODEFAULT at /States/Pick"], ValueError, "use 'NO_DEFAULT at /States/Pick'"),
        (["WARNING NO_DEFAULT at /States/Pick: there is"], ValueError, "use 'NO_DEFAULT at /States/Pick'"),
        ([""], ValueError, "use one of the codes"),
        ("NO_DEFAULT", TypeError, r"use \['NO_DEFAULT'\]"),
        ([5], TypeError, "got 5"),
        ([None], TypeError, "got None"),
    ],
)
def test_what_is_no_code_is_refused(ignore: Any, error: type[Exception], cure: str) -> None:
    for check in (asl.parse(json.dumps(UNSURE)).check, lambda **given: asl.check(UNSURE, **given)):
        with pytest.raises(error, match=cure):
            check(ignore=ignore)


# -- EXPRESS --------------------------------------------------------------------------------------------

RUN_JOB = "arn:aws:states:::batch:submitJob.sync"
SYNC = task(Resource=RUN_JOB, Parameters={"JobDefinition": "d", "JobName": "n", "JobQueue": "q"})
ACTIVITY = task(Resource="arn:aws:states:us-east-1:123456789012:activity:hand")


@pytest.mark.parametrize(
    ("state", "at"),
    [
        pytest.param(SYNC, "/Resource", id="sync"),
        pytest.param(VALID["task-token"]["States"]["A"], "/Resource", id="token"),
        pytest.param(ACTIVITY, "/Resource", id="activity"),
        pytest.param(distributed(), "", id="distributed"),
    ],
)
def test_an_express_machine_does_not_wait(state: dict[str, Any], at: str) -> None:
    plain = machine({"A": state})
    assert errors(plain) == errors(plain, type="STANDARD") == []
    inner = machine({"Outer": each(ItemProcessor=machine({"A": state}))})
    for definition, path in (
        (plain, f"/States/A{at}"),
        (inner, f"/States/Outer/ItemProcessor/States/A{at}"),
    ):
        paths = [found.path for found in asl.check(definition, type="EXPRESS") if found.is_error]
        assert paths == [path]
    parsed = asl.parse(json.dumps(plain))
    assert parsed.check(type="EXPRESS") == asl.check(plain, type="EXPRESS")


def test_an_express_machine_may_do_the_rest() -> None:
    assert asl.check(VALID["task-jsonata"], type="EXPRESS") == []
    assert asl.check(machine({"A": PASS}), type="EXPRESS") == []


@pytest.mark.parametrize("kind", ["express", "", "Standard", None, 5])
def test_another_type_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="expected the type to be 'STANDARD' or 'EXPRESS', got"):
        asl.check({}, type=kind)
