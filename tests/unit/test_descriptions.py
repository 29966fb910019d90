"""What ``help``, completion and the JSON schema tell of a value: its fields with their docstrings."""

from __future__ import annotations

import inspect
import json
import pydoc
import subprocess
import sys
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, Field, TypeAdapter

import stepsched as ss
from stepsched.core.descriptions import FieldText, field_texts
from stepsched.core.values import Value

VALUES = {
    f"{space}.{name}": value
    for space in ss._NAMESPACES
    if space != "asl"
    for name in getattr(ss, space).__all__
    if isinstance(value := getattr(getattr(ss, space), name), type) and issubclass(value, Value)
}
PYDANTIC = {"model_dump", "model_dump_json", "model_json_schema", "model_validate", "model_validate_json"}


class Base(Value, frozen=True):
    """A base."""

    first: Annotated[int, Field(ge=1)] = 1
    """The first.

    It has two paragraphs.
    """


class Derived(Base, frozen=True):
    """A value of a test."""

    second: dict[Annotated[str, Field(min_length=1)], list[int]] = Field(default_factory=dict)
    """The second."""
    third: str | None = Field(default=None, description="Its own words.")
    """The third."""
    bare: int = 0
    shared: ClassVar[int] = 1
    """Not a field."""
    _hidden: int = 0


def helped(thing: object) -> str:
    return pydoc.render_doc(thing, renderer=pydoc.plaintext)  # type: ignore[attr-defined]


def test_the_source_says_what_a_field_is() -> None:
    assert field_texts(Derived) == {
        "first": FieldText("int", "The first.\n\nIt has two paragraphs."),
        "second": FieldText("dict[str, list[int]]", "The second."),
        "third": FieldText("str | None", "The third."),
        "bare": FieldText("int", ""),
    }


def test_the_docstring_of_a_class_tells_its_fields() -> None:
    assert Derived.__doc__ == inspect.getdoc(Derived)
    assert Derived.__doc__ == (
        "A value of a test.\n"
        "\n"
        "Attributes:\n"
        "    first (int): The first.\n"
        "\n"
        "        It has two paragraphs.\n"
        "    second (dict[str, list[int]]): The second.\n"
        "    third (str | None): The third.\n"
        "    bare (int)"
    )


def test_a_class_without_source_has_its_own_docstring_and_no_fields() -> None:
    namespace: dict[str, Any] = {"Value": Value, "__name__": "nowhere"}
    exec("class Odd(Value, frozen=True):\n    'Odd.'\n    field: int = 0\n    'Never read.'", namespace)
    assert namespace["Odd"].__doc__ == "Odd."
    assert "description" not in namespace["Odd"].model_json_schema()["properties"]["field"]


def test_a_class_without_docstring_has_none() -> None:
    class Silent(Value, frozen=True):
        field: int = 0

    assert Silent.__doc__ is None
    assert "description" not in Silent.model_json_schema()


def test_the_schema_describes_the_fields() -> None:
    schema = Derived.model_json_schema()
    assert schema["description"] == "A value of a test."
    assert {name: each.get("description") for name, each in schema["properties"].items()} == {
        "first": "The first.\n\nIt has two paragraphs.",
        "second": "The second.",
        "third": "Its own words.",
        "bare": None,
    }


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_describes_what_is_inside_too(mode: Any) -> None:
    """As a web framework asks for it, with models of its own around."""

    class Body(BaseModel):
        job: ss.Job

    parts = TypeAdapter(Body).json_schema(mode=mode)["$defs"]
    assert parts["Job"]["description"].startswith("A job: what to invoke")
    assert "Attributes:" not in json.dumps(parts)
    assert parts["Job"]["properties"]["name"]["description"].startswith("The name: 1 to 256 visible")
    assert parts["Job"]["properties"]["retry"]["description"] == "The retry policy of failed runs."
    assert (
        parts["Retry"]["properties"]["max_attempts"]["description"]
        == "The maximum number of attempts after the first one: 0 to 185."
    )
    assert parts["Cron"]["properties"]["timezone"]["description"] == "The IANA name of the zone."


@pytest.mark.parametrize("name", VALUES)
def test_every_field_of_a_public_value_is_described(name: str) -> None:
    texts, fields = field_texts(VALUES[name]), VALUES[name].model_fields
    assert [each for each in fields if not texts[each].text] == []


def test_the_schema_of_a_job_describes_every_field_of_every_part() -> None:
    schema = ss.Job.model_json_schema()
    parts = {"Job": schema, **schema["$defs"]}
    assert {"LambdaTarget", "EcsTaskTarget", "CapacityProvider", "Cron"} <= parts.keys()
    bare = [
        f"{name}.{field}"
        for name, part in parts.items()
        for field, described in part.get("properties", {}).items()
        if not described.get("description")
    ]
    assert bare == []


@pytest.mark.parametrize("name", VALUES)
def test_help_tells_of_a_constructor_what_it_does_here(name: str) -> None:
    assert "Create a new model by parsing" not in helped(VALUES[name])


@pytest.mark.parametrize("name", VALUES)
def test_help_shows_the_fields_and_nothing_of_pydantic_s_machinery(name: str) -> None:
    text = helped(VALUES[name])
    for field in VALUES[name].model_fields:
        assert f" |      {field} (" in text
    for word in (
        "__pydantic",
        "model_construct(",
        "model_fields",
        "parse_obj",
        "__class_vars__",
        "<function",
    ):
        assert word not in text
    assert "Annotated[" not in text.partition("Method resolution order")[0]


@pytest.mark.parametrize("name", VALUES)
def test_completion_shows_what_is_ours_and_the_doors_to_json(name: str) -> None:
    public = {each for each in dir(VALUES[name]) if not each.startswith("_")}
    assert public >= {"replace", *PYDANTIC}
    assert public & set(dir(BaseModel)) == PYDANTIC
    assert all(hasattr(VALUES[name], each) for each in dir(VALUES[name]))


def test_completion_shows_the_fields_of_a_value_and_a_loop_over_dir_can_read_them() -> None:
    job = ss.Job(name="j", schedule=ss.Cron("0 9 * * ? *"), target=ss.CommandTarget(["true"]))
    assert set(ss.Job.model_fields) <= set(dir(job))
    assert {"is_one_time", "replace", "model_dump_json"} <= set(dir(job))
    assert all(hasattr(job, each) for each in dir(job))


SIGNATURE = (
    "(*, max_attempts: int = 3, max_age: Duration = datetime.timedelta(seconds=3600), "
    "interval: Duration = datetime.timedelta(seconds=1), backoff_rate: float = 2.0, "
    "max_delay: Duration | None = None, pauses: tuple[Pause, ...] | None = None) -> None"
)


def test_a_signature_shows_types_as_they_are_written_before_and_after_first_use() -> None:
    program = "import inspect, stepsched as ss\nprint(inspect.signature(ss.Retry))\n"
    program += "ss.Retry()\nprint(inspect.signature(ss.Retry))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [SIGNATURE, SIGNATURE]
    ss.Retry()
    assert str(inspect.signature(ss.Retry)) == SIGNATURE


def test_using_values_reads_no_source() -> None:
    program = (
        "import stepsched as ss, sys, linecache\n"
        "job = ss.Job(name='j', schedule=ss.Cron('0 9 * * ? *'), target=ss.CommandTarget(['true']))\n"
        "ss.Job.model_validate_json(job.model_dump_json()), repr(job), ss.SchedulerClient\n"
        "print([name for name in linecache.cache if 'stepsched' in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_the_context_shows_its_attributes_alone() -> None:
    assert dir(ss.context) == [
        "ATTEMPT_NUMBER",
        "ATTRIBUTES",
        "ContextText",
        "EXECUTION_ID",
        "SCHEDULED_TIME",
        "SCHEDULE_ARN",
    ]
