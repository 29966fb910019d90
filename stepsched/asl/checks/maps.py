"""Checks the fields that only a Map has: its processor's configuration, reader, batcher, writer and label.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from stepsched.asl.checks.literals import text, whole, word
from stepsched.asl.checks.report import SCHEMA, listed, shown
from stepsched.asl.checks.shapes import Handler, Shape, check_fields
from stepsched.asl.checks.templates import (
    AT_ENTRY,
    check_payload,
    check_template,
    is_expression,
    object_template,
    payload_template,
    reference_field,
)
from stepsched.asl.checks.visits import Visit
from stepsched.asl.diagnostics import Doubt

DISTRIBUTED_ONLY = (
    "ItemReader", "ItemBatcher", "ResultWriter", "Label", "ToleratedFailureCount",
    "ToleratedFailureCountPath", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath",
)  # fmt: skip
LONGEST_LABEL = 40
_NOT_IN_LABEL = re.compile(r"[\s?*<>{}\[\]:;,\\|^~$#%&`\"/\x00-\x1f\x7f-\x9f]")
_NO_LIMIT = float("inf")
NUMBER_PATH = reference_field(of_context=False)
"""The path of a number of a Map. AWS refuses the context object here."""
_REQUIRED = {"getObject": ("Bucket", "Key"), "listObjectsV2": ("Bucket",), "putObject": ("Bucket",)}
"""The parameters that a call of a reader or writer needs."""


def _resource(*actions: str) -> Handler:
    """Returns a handler for the Resource of a reader or writer: a few calls of S3."""
    known = re.compile(rf"arn:aws[a-z-]*:states:[a-z0-9-]*:[0-9]*:s3:({'|'.join(actions)})")

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if type(value) is not str:
            visit.report.error(f"{path}/{key}", f"{key} is {shown(value)}; expected a string")
        elif "${" not in value and not known.fullmatch(value):
            names = listed((f"'arn:aws:states:::s3:{action}'" for action in actions), "or")
            visit.report.error(
                f"{path}/{key}", f"{key} is {shown(value)}; expected {names}", "INVALID_RESOURCE"
            )

    return handle


def _texts(visit: Visit, path: str, key: str, value: Any) -> None:
    if type(value) is not list or not value or not all(type(item) is str for item in value):
        visit.report.error(f"{path}/{key}", f"{key} is {shown(value)}; expected a list of strings")


_Check = Callable[[Visit, str, dict[str, Any]], None]


def _shape_field(shapes: dict[bool, Shape], check: _Check | None = None) -> Handler:
    """Returns a handler for an object with its own fields, by language.

    Args:
        shapes: The fields, by whether the language is JSONata.
        check: Checks the relations between the fields.
    """

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        where = f"{path}/{key}"
        if type(value) is not dict:
            visit.report.error(where, f"{key} is {shown(value)}; expected an object")
            return
        check_fields(visit, where, value, shapes[visit.jsonata])
        if check is not None:
            check(visit, where, value)

    return handle


def _both(name: str, make: Any, **rest: Any) -> dict[bool, Shape]:
    """Returns a shape for each language; each knows the fields that only the other has."""
    fields: dict[bool, dict[str, Handler]] = {False: make(jsonata=False), True: make(jsonata=True)}
    return {
        jsonata: Shape(
            name,
            fields[jsonata],
            other_language=frozenset(fields[not jsonata]) - frozenset(fields[jsonata]),
            exclusive=() if jsonata else tuple(
                (field, f"{field}Path") for field in fields[False] if f"{field}Path" in fields[False]
            ),
            **rest,
        )
        for jsonata in (False, True)
    }  # fmt: skip


def _reader_config(*, jsonata: bool) -> dict[str, Handler]:
    fields: dict[str, Handler] = {
        "InputType": word("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"),
        "CSVHeaderLocation": word("FIRST_ROW", "GIVEN"),
        "CSVHeaders": _texts,
        "CSVDelimiter": word("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
        "MaxItems": whole(0, 100_000_000, usual=(1, 100_000_000), jsonata=jsonata),
        "ManifestType": word("S3_INVENTORY", "ATHENA_DATA"),
        "Transformation": word("NONE", "LOAD_AND_FLATTEN"),
        "ItemsPointer": text,
    }
    return fields if jsonata else fields | {"MaxItemsPath": NUMBER_PATH}


def _writer_config(**_language: bool) -> dict[str, Handler]:
    return {"Transformation": word("NONE", "COMPACT", "FLATTEN"), "OutputType": word("JSON", "JSONL")}


_READER_CONFIG = _both("ReaderConfig", _reader_config, is_open=True)
_WRITER_CONFIG = _both("WriterConfig", _writer_config, is_open=True)


def _check_reader_config(visit: Visit, where: str, config: dict[str, Any]) -> None:
    """Checks the relations that AWS was measured to require between the fields of a ReaderConfig."""
    kind, headers = config.get("InputType"), config.get("CSVHeaderLocation")
    if kind == "CSV" and "CSVHeaderLocation" not in config:
        visit.report.error(
            where, "a ReaderConfig of CSV needs the field 'CSVHeaderLocation', 'FIRST_ROW' or 'GIVEN'"
        )
    if kind == "JSON" and "CSVHeaderLocation" in config:
        visit.report.error(
            f"{where}/CSVHeaderLocation",
            "Field 'CSVHeaderLocation' is not supported for an InputType of 'JSON'",
        )
    if headers == "GIVEN" and "CSVHeaders" not in config:
        visit.report.error(where, "a CSVHeaderLocation of 'GIVEN' needs the field 'CSVHeaders'")


def _parameters(visit: Visit, path: str, key: str, value: Any) -> None:
    """Checks the parameters of a call of a reader or writer."""
    is_computed = visit.jsonata and type(value) is str and is_expression(value)
    if type(value) is not dict and not is_computed:
        visit.report.error(f"{path}/{key}", f"{key} is {shown(value)}; expected an object")
    elif visit.jsonata:
        check_template(visit, path, key, value, AT_ENTRY)
    else:
        check_payload(visit, path, key, value)


def _check_call(visit: Visit, where: str, body: dict[str, Any]) -> None:
    """Checks that the call of a reader or writer has its parameters."""
    field = "Arguments" if visit.jsonata else "Parameters"
    resource, given = body.get("Resource"), body.get(field)
    if type(resource) is not str:
        return
    if field not in body:
        visit.report.error(where, f"These fields are required: [{field}]; the call needs its parameters")
    elif type(given) is dict:
        for name in _REQUIRED.get(resource.rpartition(":")[2], ()):
            if name not in given and (visit.jsonata or f"{name}.$" not in given):
                visit.report.error(f"{where}/{field}", f"{name!r} is missing, which {resource} requires")


def _check_writer(visit: Visit, where: str, body: dict[str, Any]) -> None:
    _check_call(visit, where, body)
    field = "Arguments" if visit.jsonata else "Parameters"
    if not body:
        visit.report.error(where, "an empty ResultWriter fails at run time; set Resource or WriterConfig")
    elif field in body and "Resource" not in body:
        visit.report.warning(
            where,
            f"{field} has no effect without Resource; add 'arn:aws:states:::s3:putObject'",
            Doubt.NO_EFFECT,
        )


def _call_fields(*, jsonata: bool) -> dict[str, Handler]:
    return {"Arguments" if jsonata else "Parameters": _parameters}


def _reader(*, jsonata: bool) -> dict[str, Handler]:
    return {
        "Resource": _resource("getObject", "listObjectsV2"),
        "ReaderConfig": _shape_field(_READER_CONFIG, _check_reader_config),
        **_call_fields(jsonata=jsonata),
    }


def _writer(*, jsonata: bool) -> dict[str, Handler]:
    return {
        "Resource": _resource("putObject"),
        "WriterConfig": _shape_field(_WRITER_CONFIG),
        **_call_fields(jsonata=jsonata),
    }


def _batcher(*, jsonata: bool) -> dict[str, Handler]:
    fields: dict[str, Handler] = {
        "MaxItemsPerBatch": whole(0, _NO_LIMIT, usual=(1, _NO_LIMIT), jsonata=jsonata),
        "MaxInputBytesPerBatch": whole(0, _NO_LIMIT, usual=(1, 262_144), jsonata=jsonata),
        "BatchInput": object_template(AT_ENTRY) if jsonata else payload_template,
    }
    paths = dict.fromkeys(("MaxItemsPerBatchPath", "MaxInputBytesPerBatchPath"), NUMBER_PATH)
    return fields if jsonata else fields | paths


item_reader = _shape_field(_both("an ItemReader", _reader, required=("Resource",)), _check_call)
result_writer = _shape_field(_both("a ResultWriter", _writer), _check_writer)
item_batcher = _shape_field(_both("an ItemBatcher", _batcher))


def label(visit: Visit, path: str, key: str, value: Any) -> None:
    where = f"{path}/{key}"
    if type(value) is not str or not 1 <= len(value) <= LONGEST_LABEL or _NOT_IN_LABEL.search(value):
        visit.report.error(
            where,
            f"{key} is {shown(value)}; expected 1 to {LONGEST_LABEL} characters, no space and none of "
            '? * < > { } [ ] : ; , \\ | ^ ~ $ # % & ` " /',
            SCHEMA if type(value) is not str else "INVALID_LABEL_NAME",
        )
        return
    first = visit.walk.labels.setdefault(value, where)
    if first != where:
        visit.report.error(where, f"the label {value!r} is used at {first} already", "DUPLICATE_LABEL_NAME")


_PROCESSOR_CONFIG = Shape(
    "ProcessorConfig",
    {"Mode": word("INLINE", "DISTRIBUTED"), "ExecutionType": word("STANDARD", "EXPRESS")},
)


def processor_config(visit: Visit, path: str, key: str, value: Any) -> None:
    where = f"{path}/{key}"
    if type(value) is not dict:
        visit.report.error(where, f"{key} is {shown(value)}; expected an object with Mode")
        return
    check_fields(visit, where, value, _PROCESSOR_CONFIG)
    if value.get("Mode") == "DISTRIBUTED" and "ExecutionType" not in value:
        visit.report.error(
            where, "a DISTRIBUTED processor needs the field 'ExecutionType', 'STANDARD' or 'EXPRESS'"
        )
    if value.get("Mode") == "INLINE" and "ExecutionType" in value:
        visit.report.error(
            f"{where}/ExecutionType",
            "Field 'ExecutionType' is not supported with the Mode 'INLINE'; remove it, or set 'DISTRIBUTED'",
        )


def processor_of(body: dict[str, Any]) -> tuple[bool, bool]:
    """Returns whether a Map is distributed, and whether its children are Express executions."""
    processor = body.get("ItemProcessor", body.get("Iterator"))
    config = processor.get("ProcessorConfig") if type(processor) is dict else None
    if type(config) is not dict or config.get("Mode") != "DISTRIBUTED":
        return False, False
    return True, config.get("ExecutionType") == "EXPRESS"


def check_mode(visit: Visit) -> None:
    """Checks fields that only a distributed Map uses, and where a distributed Map is allowed."""
    distributed, _ = processor_of(visit.body)
    if not distributed:
        for key in DISTRIBUTED_ONLY:
            if key in visit.body:
                visit.report.warning(
                    f"{visit.path}/{key}",
                    f"Field '{key}' is for a distributed Map, and this one is inline; set ProcessorConfig to "
                    "{'Mode': 'DISTRIBUTED', 'ExecutionType': 'STANDARD'}, or remove the field",
                    Doubt.NO_EFFECT,
                )
    elif visit.machine.express:
        visit.report.error(
            visit.path, f"a distributed Map cannot run in {visit.machine.express_name}; make it INLINE"
        )


def of_a_map(visit: Visit, path: str, key: str, value: Any) -> None:  # noqa: ARG001 -- as every handler
    """Warns of a field among those of a machine that belongs into the processor of a Map. AWS accepts it:
    definitions that ran there have it."""
    visit.report.warning(
        f"{path}/{key}", f"{key} has no effect here; it belongs into a Map's ItemProcessor", Doubt.NO_EFFECT
    )
