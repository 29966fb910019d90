"""States that are built in Python: written in the language's words, checked, never changed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from stepsched import asl
from stepsched.asl.documents import AslValue, is_written, write

GO = asl.condition("$x > 1")
RETRIER = asl.Retrier(error_equals=("States.ALL",), max_attempts=0)
CATCHER = asl.Catcher(error_equals=("States.ALL",), next="B", output=None)
FLOW = asl.Flow(states={"A": asl.Pass(end=True)})
PROCESSOR = asl.Processor(states={"A": asl.Pass(end=True)}, processor_config={"Mode": "INLINE"})
IN_FLOW = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}

BUILT = [
    pytest.param(asl.Pass(end=True), {"Type": "Pass", "End": True}, id="pass"),
    pytest.param(
        asl.Pass(result=None, result_path=None, input_path=None, output_path=None, parameters={}, next="B"),
        {
            "Type": "Pass",
            "Result": None,
            "ResultPath": None,
            "InputPath": None,
            "OutputPath": None,
            "Parameters": {},
            "Next": "B",
        },
        id="pass with null",
    ),
    pytest.param(
        asl.Task(
            resource="r",
            arguments={"a": [1]},
            timeout_seconds="{% 5 %}",
            heartbeat_seconds=1,
            credentials={"RoleArn": "a"},
            retry=[RETRIER],
            catch=(CATCHER,),
            assign={"x": None},
            output="{% $states.result %}",
            next="B",
        ),
        {
            "Type": "Task",
            "Resource": "r",
            "Arguments": {"a": [1]},
            "TimeoutSeconds": "{% 5 %}",
            "HeartbeatSeconds": 1,
            "Credentials": {"RoleArn": "a"},
            "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B", "Output": None}],
            "Assign": {"x": None},
            "Output": "{% $states.result %}",
            "Next": "B",
        },
        id="task",
    ),
    pytest.param(asl.Wait(seconds=5, next="B"), {"Type": "Wait", "Seconds": 5, "Next": "B"}, id="wait"),
    pytest.param(asl.Wait(timestamp_path="$.t"), {"Type": "Wait", "TimestampPath": "$.t"}, id="wait by path"),
    pytest.param(
        asl.Choice(
            choices=(GO.then("B", assign={"y": 1}, output=[], comment="c"),), default="C", assign={"z": 1}
        ),
        {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $x > 1 %}", "Next": "B", "Assign": {"y": 1}, "Output": [], "Comment": "c"}
            ],
            "Default": "C",
            "Assign": {"z": 1},
        },
        id="choice",
    ),
    pytest.param(asl.Succeed(output={"a": 1}), {"Type": "Succeed", "Output": {"a": 1}}, id="succeed"),
    pytest.param(asl.Fail(error="E", cause="c"), {"Type": "Fail", "Error": "E", "Cause": "c"}, id="fail"),
    pytest.param(
        asl.Parallel(branches=[FLOW], comment="c", end=True),
        {"Type": "Parallel", "Branches": [IN_FLOW], "Comment": "c", "End": True},
        id="parallel",
    ),
    pytest.param(
        asl.Map(items=[1, 2], item_processor=PROCESSOR, max_concurrency=1, tolerated_failure_percentage=2.5),
        {
            "Type": "Map",
            "Items": [1, 2],
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **IN_FLOW},
            "MaxConcurrency": 1,
            "ToleratedFailurePercentage": 2.5,
        },
        id="map",
    ),
    pytest.param(
        asl.Map(iterator=FLOW, items_path="$.i", label="l", next="B"),
        {"Type": "Map", "Iterator": IN_FLOW, "ItemsPath": "$.i", "Label": "l", "Next": "B"},
        id="map in the older words",
    ),
    pytest.param(asl.OtherState(document={"Type": "Loop"}), {"Type": "Loop"}, id="other"),
    pytest.param(
        asl.StateMachine(
            states={"A": asl.Pass(end=True)}, timeout_seconds=5, version="1.0", unknown={"Foo": 1}
        ),
        {**IN_FLOW, "TimeoutSeconds": 5, "Version": "1.0", "Foo": 1},
        id="machine",
    ),
]


@pytest.mark.parametrize(("value", "written"), BUILT)
def test_a_value_is_written_in_the_words_of_the_language(value: AslValue, written: dict[str, Any]) -> None:
    assert value.to_dict() == written
    assert value.model_dump() == written
    assert value.model_dump(mode="json") == written


@pytest.mark.parametrize(
    ("value", "written"), [each for each in BUILT if each.id not in ("other", "machine")]
)
def test_json_is_an_exact_mirror(value: AslValue, written: dict[str, Any]) -> None:
    again = type(value).model_validate_json(value.model_dump_json())
    assert again == value
    assert again.to_dict() == written
    assert type(value).model_validate(value.model_dump()) == value


def test_json_mirrors_an_other_state() -> None:
    state = asl.OtherState(document={"Type": "Loop"})
    assert asl.OtherState.model_validate_json(state.model_dump_json()) == state


def test_the_order_is_the_one_people_read() -> None:
    state = asl.Task(
        next="B",
        catch=(CATCHER,),
        retry=(RETRIER,),
        output={},
        timeout_seconds=5,
        arguments={},
        resource="r",
        comment="c",
        query_language="JSONata",
    )
    assert list(state.to_dict()) == [
        "Type",
        "Comment",
        "QueryLanguage",
        "Resource",
        "Arguments",
        "TimeoutSeconds",
        "Output",
        "Retry",
        "Catch",
        "Next",
    ]


# -- values ---------------------------------------------------------------------------------------------


def test_a_copy_is_changed_by_replace() -> None:
    state = asl.Pass(result=None, next="B")
    moved = state.replace(next="C")
    assert moved.to_dict() == {"Type": "Pass", "Result": None, "Next": "C"}
    assert state.next == "B"
    machine = asl.StateMachine(states={"A": asl.Pass(end=True)})
    assert machine.replace(comment="c").to_dict()["Comment"] == "c"


def test_replace_refuses_as_the_constructor_does() -> None:
    with pytest.raises(ValueError, match=r"Pass has no field nxt; it has .*next"):
        asl.Pass(end=True).replace(nxt="B")
    with pytest.raises(ValidationError, match="next"):
        asl.Pass(end=True).replace(next=5)


@pytest.mark.parametrize("value", [each.values[0] for each in BUILT], ids=[str(each.id) for each in BUILT])
def test_a_value_does_not_change(value: Any) -> None:
    for name in type(value).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, name, None)


def test_data_is_copied_in_and_out() -> None:
    data = {"a": [1]}
    state = asl.Pass(result=data, end=True)
    data["a"].append(2)
    state.to_dict()["Result"]["a"].append(3)
    assert state.to_dict()["Result"] == {"a": [1]}


def test_equal_is_what_says_the_same() -> None:
    assert asl.Pass(next="B") == asl.Pass(next="B", end=None)
    assert asl.Pass(next="B") != asl.Pass(next="C")
    assert asl.Pass(end=True) != asl.Succeed()  # it is the point


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (asl.Pass(result_path=None), asl.Pass()),
        (asl.Pass(result=None), asl.Pass()),
        (asl.Pass(result=1), asl.Pass(result=True)),
    ],
)
def test_what_is_written_differently_is_not_equal(one: asl.Pass, other: asl.Pass) -> None:
    assert one != other


def test_a_state_shows_what_it_says() -> None:
    assert repr(asl.Pass(next="B", comment="c")) == "Pass(comment='c', next='B')"


# -- mistakes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: asl.Pass(nxt="B"), r"(?s)nxt.*Pass has no field nxt; it has .*did you mean next"),  # type: ignore[call-arg]
        (lambda: asl.Task(), r"(?is)resource.*required"),  # type: ignore[call-arg]
        (lambda: asl.Choice(), r"(?is)choices.*required"),  # type: ignore[call-arg]
        (lambda: asl.Wait(seconds=1.5), r"(?s)seconds.*integer"),
        (lambda: asl.Pass(next=5), r"(?s)next.*string"),
        (lambda: asl.Retrier(error_equals=5), r"(?s)error_equals.*tuple"),
        (lambda: asl.Retrier(error_equals=("A",), jitter_strategy="SOME"), r"(?s)jitter_strategy.*FULL"),
        (lambda: asl.Pass(result=object()), r"(?s)result.*JSON"),
        (lambda: asl.Pass(result={"a": {1, 2}}), r"(?s)result.*JSON"),
        (lambda: asl.StateMachine(), r"(?is)states.*required"),  # type: ignore[call-arg]
        (lambda: asl.StateMachine(states={"A": 5}), r"states\.A"),
        (lambda: asl.StateMachine(states={"A": asl.Pass}), r"states\.A"),
        (lambda: asl.StateMachine(states={}, query_language="jsonata"), r"(?s)query_language.*JSONata"),
        (lambda: asl.Parallel(branches=[{"A": asl.Pass(end=True)}]), r"(?s)branches\.0"),
        (lambda: asl.Map(item_processor=FLOW), r"(?s)item_processor.*Processor"),
    ],
)
def test_a_mistake_is_named(make: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make()


def test_a_lone_one_stands_for_a_list() -> None:
    lone = asl.Task(resource="r", retry=asl.Retrier(error_equals="A"), catch=CATCHER, end=True)
    assert lone == asl.Task(
        resource="r", retry=(asl.Retrier(error_equals=("A",)),), catch=(CATCHER,), end=True
    )
    assert asl.Choice(choices=GO.then("B")) == asl.Choice(choices=(GO.then("B"),))


def test_a_test_is_no_rule() -> None:
    with pytest.raises(ValidationError, match="expected a rule, got the test"):
        asl.Choice(choices=(GO,))


def test_an_unknown_type_written_in_python_is_kept() -> None:
    flow = asl.Flow(states={"A": {"Type": "Loop"}})
    assert flow.states["A"] == asl.OtherState(document={"Type": "Loop"})


def test_a_state_may_be_given_as_it_is_written() -> None:
    flow = asl.Flow(states={"A": {"Type": "Pass", "End": True}})
    assert flow == FLOW


# -- flows ----------------------------------------------------------------------------------------------


def test_a_flow_starts_at_its_first_state() -> None:
    states: Any = {"B": asl.Pass(next="A"), "A": asl.Pass(end=True)}
    assert asl.Flow(states=states).start_at == "B"
    assert asl.Processor(states=states).start_at == "B"
    assert asl.StateMachine(states=states).start_at == "B"
    assert asl.Flow(states=states, start_at="A").start_at == "A"
    assert asl.Flow(states={}).start_at is None


def test_a_chain_leads_from_one_to_the_next() -> None:
    linked = asl.chain({"A": asl.Pass(), "B": asl.Wait(seconds=1), "C": asl.Task(resource="r")})
    assert [(state.next, state.end) for state in linked.values()] == [("B", None), ("C", None), (None, True)]


def test_a_chain_leaves_what_says_itself_where_it_leads() -> None:
    choice = asl.Choice(choices=(GO.then("A"),))
    states = {
        "A": asl.Pass(next="D"),
        "B": choice,
        "C": asl.Pass(end=True),
        "D": asl.Succeed(),
        "E": asl.Fail(),
    }
    assert asl.chain(states) == states


def test_a_chain_keeps_its_states_as_they_were() -> None:
    first = asl.Pass()
    asl.chain({"A": first, "B": asl.Succeed()})
    assert first.next is None


def test_a_chain_of_nothing_is_nothing() -> None:
    assert asl.chain({}) == {}


# -- the base -------------------------------------------------------------------------------------------


def test_what_a_definition_writes_begins_with_a_capital() -> None:
    assert is_written({"Type": "Pass"})
    assert not is_written({"type": "Pass"})
    assert not is_written({5: "Pass"})
    assert not is_written([])


def test_values_are_written_at_any_depth() -> None:
    assert write({"a": (asl.Succeed(), [asl.Succeed()])}) == {
        "a": [{"Type": "Succeed"}, [{"Type": "Succeed"}]]
    }
