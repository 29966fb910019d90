"""Tests the names and ARNs of executions and of their machine."""

from __future__ import annotations

import re

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions.executions import new_token
from stepsched.backends.stepfunctions.service import (
    Execution,
    Executions,
    execution_name,
    series_of,
    successor_of,
    token_of,
    validate_state_machine_arn,
)
from stepsched.core.quoting import quoted

TOKEN, OTHER = "0123456789ab", "ba9876543210"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:runner"
EXECUTION = MACHINE.replace("stateMachine", "execution")
NAMES = [
    *("job", "n" * 64, "-", "a-0123456789ab", f"a-{OTHER}-2", "7", "a.b_c-2", "-" * 64, "f" * 12, "job-2"),
    *("n" * 256, "a b", "a:b", "a/b", "é" * 256, "\N{ROCKET}" * 256, "{% $x %}", f"a b-{OTHER}-2"),
]


def arn(name: str) -> str:
    return f"{EXECUTION}:{name}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("token", [TOKEN, "0" * 12, "f" * 12, OTHER])
def test_a_name_is_taken_by_the_service_and_tells_its_token(name: str, token: str) -> None:
    first = execution_name(name, token)
    assert re.fullmatch(r"[0-9a-zA-Z_.-]{1,80}", first)
    assert token_of(arn(first)) == token
    assert Execution(arn(first), "RUNNING").token == token


@pytest.mark.parametrize("name", NAMES)
def test_each_execution_has_a_successor(name: str) -> None:
    latest, seen = execution_name(name, TOKEN), set[str]()
    for generation in range(2, 200):
        seen.add(latest)
        following = successor_of(Execution(arn(latest), "SUCCEEDED"), name)
        assert following is not None
        latest = following
        assert latest.endswith(f"-{TOKEN}-{generation}")
        assert re.fullmatch(r"[0-9a-zA-Z_.-]{1,80}", latest)
        assert latest not in seen
        assert token_of(arn(latest)) == TOKEN
    last = successor_of(Execution(arn(f"{execution_name(name, TOKEN)[-68:]}-9999999999"), "RUNNING"), name)
    assert last is not None
    assert len(last) <= 80
    assert successor_of(Execution(arn("by-hand"), "SUCCEEDED"), name) is None


@pytest.mark.parametrize("name", NAMES)
def test_the_machine_forms_the_names_of_successors_as_this_process_does(name: str) -> None:
    """From the member of its input, or from the first 55 characters of the job's name: see its state Load."""
    series = series_of(name, TOKEN).get("series", f"{name[:55]}-{TOKEN}")
    assert successor_of(Execution(arn(execution_name(name, TOKEN)), "RUNNING"), name) == f"{series}-2"


def test_the_input_of_a_job_with_a_plain_name_stays_as_it_was() -> None:
    """The start of an execution is idempotent only for an equal input, whatever version makes it."""
    assert series_of("n" * 64, TOKEN) == {}
    assert series_of("nightly report", TOKEN) == {"series": f"nightly-report-{TOKEN}"}


def test_names_of_long_jobs_differ_by_their_tokens() -> None:
    assert len({execution_name("n" * 64, new_token()) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "name",
    [
        "job",
        "7f3a2b1c-1111-2222-3333-0123456789a",
        "job-0123456789aB",
        "job-0123456789abc",
        "job-0123456789a",
        "0123456789ab",
        "job-0123456789ab-x",
        "job-0123456789ab-",
        "job_0123456789ab",
    ],
)
def test_a_foreign_name_has_no_token(name: str) -> None:
    assert token_of(arn(name)) is None
    assert Execution(arn(name), "RUNNING").token is None


def test_no_execution_has_no_token() -> None:
    assert token_of(None) is None


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_a_link_leads_to_the_console_of_the_partition(partition: str, region: str, host: str) -> None:
    machine = MACHINE.replace("arn:aws:", f"arn:{partition}:").replace("eu-west-1", region)
    executions = Executions(None, validate_state_machine_arn(machine))
    execution = executions.arn(f"job-{TOKEN}")
    assert execution == machine.replace(":stateMachine:", ":execution:") + f":job-{TOKEN}"
    assert executions.link(execution) == (
        f"https://{host}/states/home?region={region}#/v2/executions/details/{execution}"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        7,
        "",
        "runner",
        MACHINE + ":1",
        MACHINE + ":prod",
        MACHINE.replace("stateMachine", "execution") + ":x",
        MACHINE.replace("123456789012", "12345678901"),
        MACHINE.replace("eu-west-1", ""),
        MACHINE.replace("runner", "r" * 81),
        MACHINE.replace("runner", ""),
        MACHINE + "\n",
        " " + MACHINE,
        "arn:aws:lambda:eu-west-1:123456789012:function:runner",
    ],
)
def test_what_is_no_machine_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="expected state_machine_arn to be 'arn:aws:states:") as caught:
        validate_state_machine_arn(wrong)
    assert str(caught.value).endswith(f"got {quoted(wrong)}")
    assert "without alias or version" in str(caught.value)


@pytest.mark.parametrize("name", ["r", "r" * 80, "stepsched-runner_1.x"])
def test_a_machine_is_taken(name: str) -> None:
    machine = MACHINE.replace("runner", name)
    assert validate_state_machine_arn(machine) == machine


def test_a_job_can_have_any_of_these_names() -> None:
    target = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q")
    for name in NAMES:
        assert ss.Job(name=name, schedule=ss.Rate("PT1M"), target=target).name == name
