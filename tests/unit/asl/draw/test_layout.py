"""Nothing in a picture lies on anything else, and lines lead from border to border."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import pytest

from stepsched.asl.draw import Graph, graph
from stepsched.asl.draw.coordinates import spread
from stepsched.asl.draw.layout import label_lines, lay_out
from stepsched.asl.draw.picture import Box, Frame, Label, Line, Picture, Point
from stepsched.display.fitting import clean, cut, width, wrapped
from tests.unit.asl.draw.definitions import (
    CHAIN,
    HOSTILE,
    LOOP,
    NAMED,
    NESTED,
    deep,
    hostile,
    random_definition,
)

Thing = Box | Label | Frame


def _inside(inner: Thing, outer: Thing) -> bool:
    return (
        outer.x - 0.01 <= inner.x
        and outer.y - 0.01 <= inner.y
        and inner.x + inner.w <= outer.x + outer.w + 0.01
        and inner.y + inner.h <= outer.y + outer.h + 0.01
    )


def _apart(one: Thing, other: Thing) -> bool:
    gap = 1.0
    return (
        one.x + one.w + gap <= other.x
        or other.x + other.w + gap <= one.x
        or one.y + one.h + gap <= other.y
        or other.y + other.h + gap <= one.y
    )


def _within(point: Point, thing: Thing) -> bool:
    """Whether the point is in the thing and not on its border."""
    x, y = point
    return thing.x + 0.3 < x < thing.x + thing.w - 0.3 and thing.y + 0.3 < y < thing.y + thing.h - 0.3


def _on_border(point: Point, thing: Thing) -> bool:
    x, y = point
    left, right, top, bottom = thing.x, thing.x + thing.w, thing.y, thing.y + thing.h
    if not (left - 0.1 <= x <= right + 0.1 and top - 0.1 <= y <= bottom + 0.1):
        return False
    return min(abs(x - left), abs(x - right), abs(y - top), abs(y - bottom)) < 0.1


def _drawn_points(line: Line) -> list[Point]:
    """Points on the line as it is drawn: straight, or as a curve that swings between verticals."""
    points = []
    for (x0, y0), (x1, y1) in pairwise(line.points):
        for step in range(13):
            t = step / 12
            if abs(x0 - x1) < 0.6 or abs(y0 - y1) < 0.6:
                points.append((x0 + (x1 - x0) * t, y0 + (y1 - y0) * t))
            else:
                sway = 3 * (1 - t) * t**2 + t**3
                middle = (y0 + y1) / 2
                rise = (1 - t) ** 3 * y0 + 3 * (1 - t) * t * middle + t**3 * y1
                points.append((x0 + (x1 - x0) * sway, rise))
    return points


def _check(picture: Picture) -> None:
    _check_rectangles(picture)
    _check_lines(picture)


def _check_rectangles(picture: Picture) -> None:
    things: list[Thing] = [*picture.boxes, *picture.labels, *picture.frames]
    for thing in things:
        assert thing.x + 0.01 >= 0
        assert thing.y + 0.01 >= 0
        assert thing.x + thing.w <= picture.width + 0.01
        assert thing.y + thing.h <= picture.height + 0.01
    holders = {id(box) for box in picture.boxes if box.node.groups} | {id(frame) for frame in picture.frames}
    for one, other in combinations(things, 2):
        held = (id(one) in holders and _inside(other, one)) or (id(other) in holders and _inside(one, other))
        assert held or _apart(one, other), (one, other)


def _check_lines(picture: Picture) -> None:
    solid: list[Thing] = [box for box in picture.boxes if not box.node.groups]
    solid += picture.labels
    holders: list[Thing] = [box for box in picture.boxes if box.node.groups]
    holders += picture.frames
    for line in picture.lines:
        points = _drawn_points(line)
        assert all(
            -0.01 <= x <= picture.width + 0.01 and -0.01 <= y <= picture.height + 0.01 for x, y in points
        )
        for thing in solid:
            assert not any(_within(point, thing) for point in points), (line, thing)
        for thing in holders:
            inside = sum(_within(point, thing) for point in points)
            assert inside in (0, len(points)) or inside >= len(points) - 2, (line, thing)
        if line.arrow:
            assert any(_on_border(line.points[-1], box) for box in picture.boxes), line


@pytest.mark.parametrize("document", NAMED.values(), ids=NAMED)
def test_nothing_overlaps(document: dict[str, Any]) -> None:
    _check(lay_out(graph(document)))


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nothing_overlaps_whatever_the_texts(text: str) -> None:
    _check(lay_out(graph(hostile(text))))


def test_deep_nesting_is_drawn_to_a_depth() -> None:
    picture = lay_out(graph(deep(300)))
    _check(picture)
    assert len(picture.frames) == 12


def _each(drawn: Graph) -> list[Graph]:
    return [drawn, *(each for node in drawn.nodes for group in node.groups for each in _each(group))]


@pytest.mark.parametrize("document", [LOOP, NESTED, CHAIN, *(random_definition(seed) for seed in range(30))])
def test_every_transition_leaves_its_source_and_enters_its_target(document: dict[str, Any]) -> None:
    picture = lay_out(graph(document))
    boxes = {box.node.id: box for box in picture.boxes}
    starts = [line.points[0] for line in picture.lines]
    heads = [line.points[-1] for line in picture.lines if line.arrow]
    for edge in (edge for each in _each(graph(document)) for edge in each.edges):
        assert any(_on_border(point, boxes[edge.source]) for point in starts), edge
        assert any(_on_border(point, boxes[edge.target]) for point in heads), edge


def test_states_stand_below_their_predecessors_but_for_loops() -> None:
    boxes = {box.node.name: box for box in lay_out(graph(LOOP)).boxes}
    order = ["Init", "Plan", "More?", "Wait", "Run", "Failed"]
    assert all(boxes[upper].y + boxes[upper].h < boxes[lower].y for upper, lower in pairwise(order))


def test_a_loop_goes_back_beside_the_boxes() -> None:
    picture = lay_out(graph(LOOP))
    (plan,) = (box for box in picture.boxes if box.node.name == "Plan")
    back = [line for line in picture.lines if line.arrow and line.points[0][1] > line.points[-1][1]]
    assert len(back) == 1  # both ways back share it
    assert _on_border(back[0].points[-1], plan)


def test_a_chain_is_straight_and_its_catches_share_a_trunk() -> None:
    picture = lay_out(graph(CHAIN))
    middles = {round(box.x + box.w / 2, 3) for box in picture.boxes if box.node.name.startswith("Step")}
    assert len(middles) == 1
    assert picture.width < 500


def test_branches_stand_side_by_side_in_their_box() -> None:
    picture = lay_out(graph(NESTED))
    boxes = {box.node.name: box for box in picture.boxes if box.node.name}
    first, second = (frame for frame in picture.frames if frame.name != "each item")
    assert first.x + first.w < second.x
    assert first.y == second.y
    assert _inside(first, boxes["Both"])
    assert _inside(boxes["Ship"], boxes["Orders"])
    assert _inside(boxes["Orders"], first)
    assert _inside(boxes["Report"], second)


def test_spread_keeps_the_distances_and_moves_as_little_as_it_can() -> None:
    assert spread([0, 0], [1, 3], [8]) == [-6.0, 2.0]
    assert spread([5, 20, 22], [1, 1, 1], [3, 3]) == [5, 19.5, 22.5]
    assert spread([], [], []) == []


def test_a_cut_text_fits() -> None:
    for text in ("i" * 90, "W" * 90, "什" * 90, "e\u0301" * 90):
        assert width(cut(text, 13, 100), 13) <= 100
        assert cut(text, 13, 100).endswith("…")
    assert cut("short", 13, 100) == "short"
    assert clean(" a\t\nb\x00\u202e ") == "a b"


def test_ways_back_to_different_states_run_apart() -> None:
    choose = {"Type": "Choice", "Choices": [{"Condition": "{% $a %}", "Next": "A"}], "Default": "B"}
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "C"}, "C": choose}
    picture = lay_out(graph({"StartAt": "A", "States": states}))
    back = [line for line in picture.lines if line.arrow and line.points[0][1] > line.points[-1][1]]
    lanes = {max(x for x, _ in line.points) for line in back} | {
        min(x for x, _ in line.points) for line in back
    }
    assert len(back) == 2
    assert len(lanes) == 4


@pytest.mark.parametrize("rules", [1, 2, 4, 9])
def test_transitions_leave_a_choice_apart_from_each_other(rules: int) -> None:
    targets = [f"T{number}" for number in range(rules)]
    choose = {"Type": "Choice", "Choices": [{"Condition": "{% $a %}", "Next": target} for target in targets]}
    states = {"C": choose, **{target: {"Type": "Succeed"} for target in targets}}
    picture = lay_out(graph({"StartAt": "C", "States": states}))
    (choice,) = (box for box in picture.boxes if box.node.name == "C")
    starts = sorted(line.points[0][0] for line in picture.lines if _on_border(line.points[0], choice))
    assert len(starts) == rules
    assert all(right - left > 5 for left, right in pairwise(starts))


def test_a_long_condition_is_written_whole_in_lines_that_fit_their_label() -> None:
    condition = "$states.input.order.total > 1000 and $states.input.customer.country in ['FR', 'DE']"
    choice = {"Type": "Choice", "Choices": [{"Condition": f"{{% {condition} %}}", "Next": "x"}]}
    (label,) = lay_out(graph({"StartAt": "x", "States": {"x": choice}})).labels
    lines = label_lines(label.edge.label)
    assert " ".join(lines) == condition
    assert len(lines) > 1
    assert all(width(line, 11) <= label.w for line in lines)
    assert label.h >= 14 * len(lines)


@pytest.mark.parametrize("count", [1, 5, 40])
def test_many_branches_stand_in_rows_no_wider_than_a_page(count: int) -> None:
    branch = {"StartAt": "step", "States": {"step": {"Type": "Pass", "End": True}}}
    parallel = {"Type": "Parallel", "End": True, "Branches": [branch] * count}
    picture = lay_out(graph({"StartAt": "all", "States": {"all": parallel}}))
    _check(picture)
    assert picture.width <= 1_600
    assert [frame.name for frame in picture.frames] == [f"branch {at}" for at in range(1, count + 1)]
    places = [(frame.y, frame.x) for frame in picture.frames]
    assert places == sorted(places)


def test_a_text_is_wrapped_at_blanks_and_marks_and_only_then_inside_words() -> None:
    assert wrapped("one two three", 10, 45, most=9) == ["one two", "three"]
    assert wrapped("first.second", 10, 40, most=9) == ["first.", "second"]
    assert "".join(wrapped("x" * 50, 10, 60, most=9)) == "x" * 50
    assert wrapped("", 10, 60, most=3) == [""]
    lines = wrapped("word " * 100, 10, 60, most=3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
