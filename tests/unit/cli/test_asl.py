"""``stepsched asl``: state machines of jobs and of files."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import stepsched as ss
from tests.unit.cli.conftest import CommandLine

JOBS = """\
- name: nightly
  schedule: cron(0 2 ? * MON-FRI *)
  target: arn:aws:lambda:eu-west-1:123456789012:function:report
- name: local
  schedule: rate(12 hours)
  target: ['true']
"""
MACHINE = {"StartAt": "Run", "States": {"Run": {"Type": "Pass", "End": True}}}
BROKEN = {"StartAt": "Run", "States": {"Run": {"Type": "Pass", "Next": "Rum"}}}
DOUBTFUL = {
    "StartAt": "Large",
    "States": {"Large": {"Type": "Choice", "Choices": [{"Variable": "$.n", "IsNull": True, "Next": "Run"}]}}
    | MACHINE["States"],  # type: ignore[operator]
}


@pytest.fixture(autouse=True)
def _files(stepsched: CommandLine) -> None:
    Path("jobs.yaml").write_text(JOBS)
    Path("one.yaml").write_text(JOBS.partition("- name: local")[0])
    for name, document in (("machine", MACHINE), ("broken", BROKEN), ("doubtful", DOUBTFUL)):
        Path(f"{name}.json").write_text(json.dumps(document))


@pytest.mark.parametrize("terminal", [True, False])
def test_render_prints_the_json_of_the_library(terminal: bool, stepsched: CommandLine) -> None:
    wanted = ss.render_asl(ss.load_jobs("jobs.yaml")[0]).to_json() + "\n"
    done = stepsched("asl", "render", "jobs.yaml", "nightly", terminal=terminal)
    assert (done.code, done.out, done.err) == (0, wanted, "")
    assert stepsched("asl", "render", "one.yaml", terminal=terminal).out == wanted
    assert stepsched("asl", "render", "-", stdin=Path("one.yaml").read_text()).out == wanted
    assert stepsched("asl", "render", "one.yaml", "-o", "yaml").out.startswith("Comment: ")


def test_check_of_a_good_definition_ends_with_0(stepsched: CommandLine) -> None:
    assert stepsched("asl", "check", "machine.json").document == []
    done = stepsched("asl", "check", "machine.json", terminal=True)
    assert (done.code, done.out) == (0, "machine.json: no problem was found\n")


def test_check_prints_each_error_on_a_line_and_ends_with_2(stepsched: CommandLine) -> None:
    done = stepsched("asl", "check", "broken.json", terminal=True)
    assert (done.code, done.err) == (2, "")
    assert [line.partition(": expected")[0].split(":")[:2] for line in done.out.splitlines()] == [
        ["broken.json", " MISSING_END_STATE ERROR"],
        ["broken.json", " MISSING_TRANSITION_TARGET ERROR at /States/Run/Next"],
    ]
    found = [each.model_dump(mode="json") for each in ss.asl.check(BROKEN)]
    for arguments in (("broken.json",), ("-",)):
        done = stepsched("asl", "check", *arguments, stdin=json.dumps(BROKEN))
        assert (done.code, done.document) == (2, found)


def test_check_of_warnings_ends_with_0_and_codes_can_be_ignored(stepsched: CommandLine) -> None:
    done = stepsched("asl", "check", "doubtful.json", "-o", "name")
    assert (done.code, done.out) == (0, "NO_DEFAULT at /States/Large\n")
    for code in ("NO_DEFAULT", done.out.strip()):
        assert stepsched("asl", "check", "doubtful.json", "--ignore", code).document == []


def test_check_reads_yaml_and_broken_json(stepsched: CommandLine) -> None:
    Path("machine.yaml").write_text("StartAt: Run\nStates:\n  Run: {Type: Pass, End: true}\n")
    assert stepsched("asl", "check", "machine.yaml").document == []
    Path("machine.json").write_text('{"StartAt": ')
    assert [each["code"] for each in stepsched("asl", "check", "machine.json").document] == [
        "INVALID_JSON_DESCRIPTION"
    ]


def test_check_knows_the_type_of_the_machine(stepsched: CommandLine) -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True}
    task["Parameters"] = {"QueueUrl": "https://q", "MessageBody.$": "$$.Task.Token"}
    Path("machine.json").write_text(json.dumps({"StartAt": "Ask", "States": {"Ask": task}}))
    codes = [
        stepsched("asl", "check", "machine.json", "--type", each).code for each in ("standard", "EXPRESS")
    ]
    assert codes == [0, 2]


@pytest.mark.parametrize(
    ("suffix", "start"), [(".svg", "<svg"), (".mmd", "flowchart"), (".mermaid", "flow"), (".dot", "digraph")]
)
def test_draw_writes_the_form_that_the_file_names(suffix: str, start: str, stepsched: CommandLine) -> None:
    done = stepsched("asl", "draw", "jobs.yaml", "nightly", "-o", f"x{suffix}")
    assert (done.code, done.out, done.err) == (0, "", "")
    text = Path(f"x{suffix}").read_text()
    assert text.startswith(start)
    if suffix == ".svg":
        ET.fromstring(text)


def test_draw_prints_mermaid_of_a_definition(stepsched: CommandLine) -> None:
    wanted = ss.asl.parse(MACHINE).to_mermaid().rstrip("\n") + "\n"
    assert stepsched("asl", "draw", "machine.json").out == wanted
    assert stepsched("asl", "draw", "-", stdin=json.dumps(MACHINE), terminal=True).out == wanted


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["render", "jobs.yaml"], 2, "it has|nightly, local", id="none"),
        pytest.param(["render", "jobs.yaml", "x"], 2, "got 'x'", id="unknown"),
        pytest.param(["render", "jobs.yaml", "local"], 2, "cannot render job 'local'", id="local"),
        pytest.param(["check", "gone.json"], 2, "cannot read gone.json", id="file"),
        pytest.param(["check", "machine.json", "--ignore", "NO_DEFALT"], 2, "use 'NO_DEFAULT'", id="code"),
        pytest.param(["draw", "machine.json", "-o", "x.png"], 2, ".svg, .mmd, .mermaid, .dot", id="suffix"),
        pytest.param(["draw", "machine.json", "Run"], 2, "leave 'Run' out", id="job"),
        pytest.param(["draw", "machine.json", "-o", "no/x.svg"], 1, "cannot write no/x.svg", id="folder"),
    ],
)
def test_a_wrong_use_is_refused_in_one_line(
    arguments: list[str], code: int, words: str, stepsched: CommandLine
) -> None:
    before = sorted(Path().iterdir())
    done = stepsched("asl", *arguments)
    assert (done.code, done.out) == (code, "")
    assert any(each in done.err for each in words.split("|"))
    assert done.err.count("\n") == 1
    assert sorted(Path().iterdir()) == before
