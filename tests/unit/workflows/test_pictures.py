"""Pictures of workflows and runs: complete, harmless, readable, and of bounded size."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from unicodedata import category
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.asl.draw.layout import lay_out
from stepsched.asl.draw.palette import LINE
from stepsched.display.fitting import _TURNING, width
from stepsched.display.svg import INK, SOFT
from stepsched.workflows import (
    Step,
    StepRun,
    StepStatus,
    When,
    Workflow,
    WorkflowRun,
    WorkflowRunStatus,
)
from stepsched.workflows.pictures import (
    to_dot,
    to_gantt,
    to_gantt_text,
    to_mermaid,
    to_svg,
)
from stepsched.workflows.pictures.axis import Axis, axis_text, ticks
from stepsched.workflows.pictures.bars import MOST_BARS, chart
from stepsched.workflows.pictures.drawn import drawn_steps, graph
from stepsched.workflows.pictures.statuses import LOOK
from stepsched.workflows.pictures.words import kind_text
from tests.unit.asl.draw import test_layout as layouts
from tests.unit.asl.draw.definitions import HOSTILE
from tests.unit.workflows.graphs import (
    FAILED,
    NIGHTLY,
    NOW,
    RUN,
    START,
    TARGETS,
    harmless,
    minutes,
    random_run,
    random_workflow,
    run_of,
    step_run,
)

SVG = "{http://www.w3.org/2000/svg}"
TAGS = {"svg", "g", "rect", "path", "circle", "polygon", "text", "title"}


def check_svg(text: str) -> ET.Element:
    """Looks whether a picture is well formed, brings nothing with it, and keeps its texts inside."""
    root = ET.fromstring(text)
    text.encode()
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= TAGS
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not attributes & {"id", "class", "href"}
    assert not any(name.startswith("on") for name in attributes)
    outside = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"<style|<script|<use|<image|@import", outside)
    assert "nan" not in " ".join(value for element in root.iter() for value in element.attrib.values())
    whole, high = float(root.attrib["width"]), float(root.attrib["height"])
    assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
    for element in root.iter(f"{SVG}text"):
        size = float(element.attrib["font-size"])
        wide = width(element.text or "", size, bold="font-weight" in element.attrib)
        x, y = float(element.attrib["x"]) + 22, float(element.attrib["y"]) + 22
        left = x - wide / 2 if element.attrib.get("text-anchor") == "middle" else x
        assert 0 <= left <= left + wide <= whole, element.text
        assert size <= y <= high
    return root


def check_all(flow: Workflow, run: WorkflowRun) -> None:
    """Looks whether all pictures of a workflow and its run are as they should be."""
    for states in (None, run):
        root = check_svg(to_svg(flow, states, NOW))
        titles = [(title.text or "").split("\n")[0] for title in root.iter(f"{SVG}title")]
        assert sorted(set(titles) & set(flow.by_name)) == sorted(flow.by_name)
        assert all(titles.count(name) == 1 for name in flow.by_name)
        check_texts(flow, states)
    check_svg(to_svg(None, run, NOW))
    check_svg(to_gantt(run, NOW, timezone.utc))
    check_lines(to_gantt_text(run, NOW, timezone.utc))
    for text in (str(run), str(flow)):
        check_lines(text, width=1_000)


def check_texts(flow: Workflow, run: WorkflowRun | None) -> None:
    """Looks whether the languages of others have each step once and each need once."""
    drawn = graph(drawn_steps(flow, run), NOW)
    ids = {node.name: node.id for node in drawn.nodes}
    wanted = sorted((ids[need], ids[step.name]) for step in flow.steps for need in step.needs)
    assert len(ids) == len(flow.steps)
    mermaid, dot = to_mermaid(flow, run, NOW), to_dot(flow, run, NOW)
    found = re.findall(r'^ *(s\d+) (?:-->|-\.->)(?:\|"[^"|]*"\|)? (s\d+)$', mermaid, re.MULTILINE)
    assert sorted(found) == wanted
    assert sorted(re.findall(r"^ *(s\d+) -> (s\d+) \[", dot, re.MULTILINE)) == wanted
    for text in (
        re.findall(r"^ *(s\d+)\[", mermaid, re.MULTILINE),
        re.findall(r"^ *(s\d+) \[", dot, re.MULTILINE),
    ):
        assert sorted(text) == sorted(ids.values())
    assert mermaid.isascii()


def check_lines(text: str, width: int = 80) -> None:
    """Looks whether a text fits into a terminal, and nothing in it steers that."""
    for line in text.split("\n"):
        assert len(line) <= width
        assert not any(char in _TURNING or category(char) in ("Cc", "Cs") for char in line)


# -- the graph ------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [RUN, FAILED], ids=["running", "failed"])
def test_a_picture_is_complete_and_harmless(run: WorkflowRun) -> None:
    check_all(NIGHTLY, run)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_texts_are_text_and_nothing_else(text: str) -> None:
    said = harmless(text)
    steps = [step.model_copy(update={"error": said, "reason": said, "detail": said}) for step in RUN.steps]
    run = run_of(*steps, workflow=said or "w", error=said)
    check_all(NIGHTLY.replace(title=said[:256], description=said[:512]), run)


def test_a_state_is_a_colour_a_sign_and_a_word() -> None:
    texts = [text.text or "" for text in check_svg(to_svg(NIGHTLY, FAILED, NOW)).iter(f"{SVG}text")]
    assert "succeeded 10 min · Batch etl:3" in texts
    assert "failed 5 min · command python" in texts
    assert "upstream_failed · Lambda report" in texts
    assert len({*LOOK.signs.values()}) == len(LOOK.signs)
    assert set(LOOK.signs) == set(LOOK.colours) == {"step", *StepStatus}


def test_without_a_run_no_state_is_drawn() -> None:
    texts = [text.text or "" for text in check_svg(to_svg(NIGHTLY, None, NOW)).iter(f"{SVG}text")]
    assert "Batch etl:3" in texts
    assert not any(text.startswith(str(status)) for text in texts for status in StepStatus)


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG21/#dfn-relative-luminance"""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("kind", LOOK.colours)
def test_every_text_is_readable_on_its_ground(kind: str) -> None:
    colour, tint = LOOK.colours[kind]
    assert contrast(colour, "#ffffff") >= 4.5
    for ink in (INK, SOFT, colour):
        assert contrast(ink, tint) >= 4.5


def test_lines_are_seen_on_the_ground_that_the_picture_brings() -> None:
    ground = check_svg(to_svg(NIGHTLY, RUN, NOW))[0]
    assert ground.attrib["fill"] == "#ffffff"
    assert contrast(LINE, "#ffffff") >= 4.5


def test_a_condition_stands_on_its_line_and_a_rule_in_its_step() -> None:
    texts = [text.text or "" for text in check_svg(to_svg(NIGHTLY, None, NOW)).iter(f"{SVG}text")]
    assert texts.count("rows[0] > 3") == 1
    assert "when one has failed · Lambda report" in texts


def test_a_tooltip_says_everything_about_a_step() -> None:
    root = check_svg(to_svg(NIGHTLY, FAILED, NOW))
    titles = {(title.text or "").split("\n")[0]: title.text for title in root.iter(f"{SVG}title")}
    assert titles["clean"] == (
        "clean\nfailed: exit code 137\nstarted 2030-01-07 02:15:00+00:00, took 5 min\ncommand python\n"
        "needs extract"
    )
    assert titles["extract"] is not None
    assert titles["extract"].endswith("Batch etl:3\nretries 2x\ntimeout 2 h")
    assert titles["report"] is not None
    assert "only if extract: rows[0] > 3" in titles["report"]


def test_it_says_what_it_is_to_those_who_cannot_see_it() -> None:
    said = check_svg(to_svg(NIGHTLY, FAILED, NOW)).attrib["aria-label"]
    assert said == "nightly/20300107T020000Z-k3f9, failed: 2 succeeded, 1 failed, 2 upstream_failed"
    assert check_svg(to_svg(NIGHTLY, None, NOW)).attrib["aria-label"] == "nightly, 5 steps"


def test_a_step_that_the_run_does_not_have_has_no_state() -> None:
    more = NIGHTLY.replace(steps=(*NIGHTLY.steps, Step("new", target=TARGETS[0], needs=["publish"])))
    root = check_svg(to_svg(more, FAILED, NOW))
    (title,) = [title.text for title in root.iter(f"{SVG}title") if (title.text or "").startswith("new\n")]
    assert title == "new\nBatch etl:3\nneeds publish"


def test_only_a_run_of_the_workflow_is_drawn_in_it() -> None:
    with pytest.raises(ValueError, match="expected a run of workflow 'nightly', got one of 'weekly'"):
        NIGHTLY.to_svg(RUN.replace(workflow="weekly"))
    with pytest.raises(TypeError, match=r"expected a WorkflowRun, got 'nightly'; use WorkflowClient\.status"):
        NIGHTLY.to_dot("nightly")  # type: ignore[arg-type]
    assert NIGHTLY.to_mermaid(RUN) != NIGHTLY.to_mermaid()


def test_a_run_draws_itself_by_the_needs_of_its_steps() -> None:
    alone = graph(drawn_steps(None, RUN), NOW)
    assert len(alone.edges) == sum(len(step.needs) for step in RUN.steps)


def test_a_need_that_the_run_does_not_have_is_left_out() -> None:
    lonely = run_of(StepRun(name="clean", needs=("extract",)))
    assert graph(drawn_steps(None, lonely), NOW).edges == ()
    check_svg(lonely.to_svg())
    check_svg(lonely.to_gantt())


@pytest.mark.parametrize("seed", range(12))
def test_nothing_overlaps(seed: int) -> None:
    layouts._check(lay_out(graph(drawn_steps(random_workflow(seed), None), NOW)))


@pytest.mark.parametrize("count", [151, 1_000, 2_000])
def test_a_large_workflow_is_an_overview_of_bounded_size(count: int) -> None:
    flow = random_workflow(count, count)
    run = random_run(flow, 1)
    text = to_svg(flow, run, NOW)
    root = check_svg(text)
    names = [(title.text or "").split("\n")[0] for title in root.iter(f"{SVG}title")]
    assert sorted(names) == sorted(flow.by_name)
    assert float(root.attrib["width"]) < 1_400
    assert float(root.attrib["height"]) < 12_000
    assert len(text) < 2_000_000
    assert any("An overview without lines" in (each.text or "") for each in root.iter(f"{SVG}text"))
    needing = next(step for step in flow.steps if step.needs)
    (title,) = [t.text for t in root.iter(f"{SVG}title") if (t.text or "").startswith(f"{needing.name}\n")]
    assert title is not None
    assert f"needs {', '.join(needing.needs)}" in title


def test_a_chain_of_the_most_steps_is_drawn_in_few_rows() -> None:
    chain = [
        Step(f"s{number}", target=TARGETS[0], needs=[f"s{number - 1}"] if number else [])
        for number in range(2_000)
    ]
    root = check_svg(to_svg(Workflow("chain", steps=chain), None, NOW))
    assert float(root.attrib["height"]) < 6_000


def test_many_steps_side_by_side_are_an_overview_too() -> None:
    wide = Workflow("wide", steps=[Step(f"s{number}", target=TARGETS[0]) for number in range(60)])
    assert "An overview without lines" in to_svg(wide, None, NOW)
    assert "An overview without lines" not in to_svg(random_workflow(2, 40), None, NOW)


# -- the chart ------------------------------------------------------------------------------------


def test_a_chart_shows_when_steps_waited_and_ran() -> None:
    bars = {bar.run.name: bar for bar in chart(RUN, NOW).bars}
    assert (bars["extract"].ready, bars["extract"].start, bars["extract"].end) == (
        START,
        minutes(1),
        minutes(11),
    )
    assert (bars["clean"].ready, bars["clean"].start, bars["clean"].end) == (minutes(11), minutes(15), NOW)
    assert bars["report"].start is None


def test_the_critical_path_is_the_longest_chain_of_durations() -> None:
    shown = chart(FAILED, NOW)
    assert [bar.run.name for bar in shown.bars if bar.is_critical] == ["extract", "clean", "alarm"]
    assert shown.critical == timedelta(minutes=16)
    assert (shown.axis.start, shown.axis.end) == (START, minutes(21))


def test_a_running_run_is_drawn_until_now_and_an_ended_one_until_its_end() -> None:
    assert "now" in [text.text for text in check_svg(to_gantt(RUN, NOW, timezone.utc)).iter(f"{SVG}text")]
    root = check_svg(to_gantt(FAILED, NOW, timezone.utc))
    assert "now" not in [text.text for text in root.iter(f"{SVG}text")]


def test_a_chart_marks_attempts_and_outcomes_in_words() -> None:
    texts = [text.text for text in check_svg(to_gantt(RUN, NOW, timezone.utc)).iter(f"{SVG}text")]
    assert "10 min, attempt 2" in texts
    assert "45 min, running" in texts
    assert texts.count("pending") == 3
    assert "5 min, failed" in [
        t.text for t in check_svg(to_gantt(FAILED, NOW, timezone.utc)).iter(f"{SVG}text")
    ]


def test_the_axis_is_in_a_zone_and_says_its_offset() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert axis_text(START, NOW, paris) == "2030-01-07, Europe/Paris (+01:00)"
    assert ticks(START, NOW, paris)[:2] == [(START, "03:00"), (minutes(10), "03:10")]
    assert "2030-01-07, Europe/Paris (+01:00)" in RUN.to_gantt(timezone="Europe/Paris", now=NOW)
    assert "2030-01-07, Europe/Paris (+01:00)" in RUN.to_gantt_text(timezone="Europe/Paris", now=NOW)


def test_the_axis_crosses_a_clock_change_with_both_offsets() -> None:
    begin = datetime(2030, 3, 31, 0, 30, tzinfo=timezone.utc)
    end = begin + timedelta(hours=2)
    paris = ZoneInfo("Europe/Paris")
    assert axis_text(begin, end, paris) == "2030-03-31, Europe/Paris (+01:00 to +02:00)"
    assert [text for _, text in ticks(begin, end, paris)] == [
        "01:30",
        "03:00",
        "03:30",
        "04:00",
        "04:30",
    ]


@pytest.mark.parametrize(
    ("length", "texts"),
    [
        pytest.param(timedelta(milliseconds=5), ["02:00:00.000", "02:00:00.001"], id="milliseconds"),
        pytest.param(timedelta(seconds=6), ["02:00:00", "02:00:01"], id="seconds"),
        pytest.param(timedelta(minutes=70), ["02:00", "02:10"], id="minutes"),
        pytest.param(timedelta(days=2), ["12:00", "8 Jan 00:00"], id="two days"),
        pytest.param(timedelta(days=60), ["16 Jan", "25 Jan"], id="months"),
    ],
)
def test_the_marks_of_an_axis_are_round(length: timedelta, texts: list[str]) -> None:
    marks = ticks(START, START + length, timezone.utc)
    found = [text for _, text in marks]
    assert 2 <= len(found) <= 8
    assert all(START <= at <= START + length for at, _ in marks)
    assert [text for text in texts if text not in found] == []


def test_of_many_steps_the_chart_shows_those_that_matter() -> None:
    flow = random_workflow(7, 1_000)
    run = random_run(flow, 7)
    shown = chart(run, NOW)
    assert len(shown.bars) == MOST_BARS
    assert shown.left_out == 900
    assert "and 900 shorter steps" in to_gantt(run, NOW, timezone.utc)
    assert "and 900 shorter steps" in to_gantt_text(run, NOW, timezone.utc)
    assert any(bar.is_critical for bar in shown.bars)


def test_a_chart_of_a_run_without_steps_or_length_is_a_chart() -> None:
    check_svg(to_gantt(run_of(), START, timezone.utc))
    instant = step_run("extract", StepStatus.SUCCEEDED, started_at=START, ended_at=START)
    check_svg(to_gantt(run_of(instant), START, timezone.utc))
    check_lines(to_gantt_text(run_of(instant), START, timezone.utc))


def test_a_clock_that_is_behind_does_not_turn_a_bar_around() -> None:
    early = START - timedelta(minutes=5)
    check_svg(to_gantt(RUN, early, timezone.utc))
    assert all(bar.took >= timedelta(0) for bar in chart(RUN, early).bars)


RESTARTED = run_of(
    step_run("extract", StepStatus.SUCCEEDED, attempt=1, started_at=START, ended_at=minutes(10)),
    step_run("clean", StepStatus.SUCCEEDED, attempt=2, started_at=minutes(4_000), ended_at=minutes(4_030)),
    status=WorkflowRunStatus.SUCCEEDED,
    ended_at=minutes(4_030),
)


def test_a_long_pause_before_a_restart_is_a_gap() -> None:
    axis = chart(RESTARTED, NOW).axis
    assert axis.pieces == ((START, minutes(10)), (minutes(4_000), minutes(4_030)))
    assert [axis.place(at) for at in (START, minutes(4_030))] == [0, pytest.approx(1)]
    texts = [text.text for text in check_svg(to_gantt(RESTARTED, NOW, timezone.utc)).iter(f"{SVG}text")]
    assert "2 d 18 h" in texts
    assert "9 Jan 20:40" in texts
    assert ":: nothing ran, for 2 d 18 h" in to_gantt_text(RESTARTED, NOW, timezone.utc)


def test_an_axis_never_goes_back() -> None:
    spans = [(minutes(at), minutes(at + 1)) for at in (0, 5, 7, 100, 1_000, 5_000, 20_000, 90_000, 400_000)]
    axis = Axis.of(START, minutes(500_000), spans)
    assert len(list(axis.gaps())) <= 4
    places = [axis.place(minutes(at)) for at in range(-50, 500_150, 50)]
    assert places == sorted(places)
    assert [places[0], places[-1]] == [0, pytest.approx(1)]
    assert Axis.of(START, START, []).place(START) == 0
    (first, last), _ = next(axis.gaps())
    assert axis.place(first) < axis.place(first + (last - first) / 2) < axis.place(last)


def test_marks_whose_texts_would_overlap_have_none() -> None:
    spans = [(minutes(at), minutes(at + 1)) for at in (10_000, 20_000, 30_000, 40_000)]
    spans.insert(0, (START, minutes(60)))
    steps = [
        step_run(name, StepStatus.SUCCEEDED, attempt=1, started_at=first, ended_at=last)
        for name, (first, last) in zip(NIGHTLY.by_name, spans, strict=True)
    ]
    root = check_svg(to_gantt(run_of(*steps, ended_at=minutes(40_001)), NOW, timezone.utc))
    ends = list[tuple[float, float]]()
    for text in root.iter(f"{SVG}text"):
        if text.attrib["y"] == "60":
            half, x = width(text.text or "", 11) / 2, float(text.attrib["x"])
            ends.append((x - half, x + half))
    assert len(ends) > 4  # of more marks
    assert all(before[1] < after[0] for before, after in pairwise(ends))


def test_a_chart_in_text_marks_the_critical_path() -> None:
    lines = to_gantt_text(FAILED, NOW, timezone.utc).split("\n")
    (clean,) = [line for line in lines if line.startswith("clean")]
    assert "#" in clean
    assert "." in clean
    assert clean.endswith("5 min failed")
    (running,) = [
        line for line in to_gantt_text(RUN, NOW, timezone.utc).split("\n") if line.startswith("clean")
    ]
    assert running.split()[1].endswith(">")


def test_a_chart_as_text_fits_into_80_columns_and_names_are_never_cut() -> None:
    name = "a-step-with-a-very-long-name-of-sixty-four-characters-to-be-seen"
    chart = run_of(StepRun(name=name, status=StepStatus.FAILED, attempt=12)).to_gantt_text(now=NOW)
    check_lines(chart)
    assert name in chart.split("\n")


# -- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "said"),
    [
        pytest.param(TARGETS[0], "Batch etl:3", id="batch"),
        pytest.param(ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders"), "queue orders", id="queue"),
        pytest.param(ss.ApiTarget("ecs", "runTask", {}), "ECS runTask", id="api"),
        pytest.param(
            ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report:prod"),
            "Lambda report:prod",
            id="alias",
        ),
        pytest.param(ss.targets.BatchTarget("etl", job_queue="low"), "Batch etl", id="name"),
        pytest.param(ss.CommandTarget([r"C:\tools\load.exe"]), "command load.exe", id="windows"),
        pytest.param(
            ss.targets.TemplateTarget("arn:aws:glue:eu-west-1:123456789012:job/load"),
            "target load",
            id="template",
        ),
        pytest.param(
            ss.StateMachineTarget("arn:aws:states:eu-west-1:123456789012:stateMachine:m"), "state machine m",
            id="machine",
        ),
    ],
)  # fmt: skip
def test_a_target_is_said_in_few_words(target: ss.Target, said: str) -> None:
    assert kind_text(target) == said


def test_a_target_that_is_no_step_has_its_kind() -> None:
    assert kind_text(ss.WorkflowTarget("nightly")) == "workflow"


def test_what_a_rule_says_is_seen_where_it_is_more_than_usual() -> None:
    flow = Workflow(
        "w",
        steps=[
            Step("a", target=TARGETS[0], when=When.DONE),
            Step("b", target=TARGETS[0], needs=["a"], when=When.DONE),
        ],
    )
    assert str(flow).count("when all have ended") == 1
    assert to_svg(flow, None, NOW).count("when all have ended · Batch") == 1
