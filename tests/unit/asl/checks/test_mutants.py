"""Every mutant differs from a valid definition by one change, and is found out: code, place, severity."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from stepsched.asl.checks import check
from tests.unit.asl.checks.definitions import (
    ENDS,
    INNER,
    PASS,
    SEND,
    TOKEN,
    VALID,
    choice,
    distributed,
    each,
    invoke,
    jsonata,
    machine,
    parallel,
    rule,
    task,
)

GONE = object()
SCHEMA = "SCHEMA_VALIDATION_FAILED"
TARGET = "MISSING_TRANSITION_TARGET"
NO_END = "MISSING_END_STATE"
EXPRESSION = "INVALID_JSONATA_EXPRESSION"
UNSUPPORTED = "UNSUPPORTED_JSONATA_EXPRESSION"
NAME = "INVALID_VARIABLE_NAME"
VALUE = "DOUBTFUL_VALUE"
OBJECT = "NOT_AN_OBJECT"
TEXT_ONLY = "NOT_EVALUATED"


class Mutant(NamedTuple):
    name: str
    base: dict[str, Any]
    change: str
    """Where a value is set, its keys joined by ``/``."""
    value: Any
    code: str
    at: str | None = None
    """Where the finding is; None for the place of the change."""
    severity: str = "ERROR"
    word: str = ""
    """Something that the message has to say."""

    def definition(self) -> dict[str, Any]:
        changed: dict[str, Any] = json.loads(json.dumps(self.base))
        *parents, last = self.change.split("/")
        holder: Any = changed
        for key in parents:
            holder = holder[int(key) if isinstance(holder, list) else key]
        index = int(last) if isinstance(holder, list) else last
        if self.value is GONE:
            del holder[index]
        elif isinstance(holder, list) and index == len(holder):
            holder.append(self.value)
        else:
            holder[index] = self.value
        return changed


M = Mutant
W = "WARNING"
TWO = machine({"A": {"Type": "Pass", "Next": "B"}, "B": ENDS})
THREE = machine({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "C"}, "C": ENDS})
INSIDE = machine(
    {"A": parallel({"StartAt": "In", "States": {"In": {"Type": "Pass", "Next": "Out"}, "Out": ENDS}})}
)
CATCH = VALID["catch"]
CATCH_JSONATA = VALID["catch-jsonata"]
RETRY = VALID["retry"]
LOOP = VALID["loop"]
PARAMETERS = VALID["pass-parameters"]
DISTRIBUTED = VALID["map-distributed"]
ONE_RULE = "States/Pick/Choices/0"
AT_RULE = "/States/Pick/Choices/0"
TEXT = rule(Variable="$.a", StringEquals="x")
ASSIGNED = machine(
    {"A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"}, "B": {**PASS, "Parameters": {"y.$": "$x"}}}
)
ASSIGNED_JSONATA = jsonata(
    {"A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"}, "B": {**PASS, "Output": "{% $x %}"}}
)
OUTER = jsonata({"A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"}, "B": each(Items=[1])})
INNER_PASS = "States/B/ItemProcessor/States/Inner"
SUCCEED = machine({"A": {"Type": "Pass", "Next": "B"}, "B": ENDS})
EXPRESS = machine({"A": distributed("EXPRESS", {"StartAt": "Z", "States": {"Z": task()}})})
NESTED = machine({"A": distributed("EXPRESS", {"StartAt": "Z", "States": {"Z": each()}})})
NESTED["States"]["A"]["ItemProcessor"]["States"]["Z"]["ItemProcessor"] = {
    "StartAt": "Deep",
    "States": {"Deep": PASS},
}
TWO_MAPS = machine(
    {
        "A": {**distributed(Label="one"), "Next": "B"},
        "B": distributed(Label="two", inner={"StartAt": "Z", "States": {"Z": PASS}}),
    }
)
del TWO_MAPS["States"]["A"]["End"]

STRUCTURE = [
    M("no-start", TWO, "StartAt", GONE, SCHEMA, at="", word="'StartAt'"),
    M("no-states", TWO, "States", GONE, SCHEMA, at="", word="'States'"),
    M("no-state-at-all", TWO, "States", {}, SCHEMA),
    M("states-list", TWO, "States", [], SCHEMA),
    M("start-number", TWO, "StartAt", 1, SCHEMA),
    M("top-unknown", TWO, "Timeout", 5, SCHEMA, word="'TimeoutSeconds'"),
    M("top-case", TWO, "comment", "x", SCHEMA, word="'Comment'"),
    M("top-comment", TWO, "Comment", 5, SCHEMA),
    M("top-timeout", TWO, "TimeoutSeconds", 0, VALUE, severity=W),
    M("top-timeout-negative", TWO, "TimeoutSeconds", -1, SCHEMA),
    M("top-timeout-text", TWO, "TimeoutSeconds", "60", SCHEMA),
    M("top-version", TWO, "Version", 1, SCHEMA),
    M("top-version-new", TWO, "Version", "2.0", SCHEMA),
    M("top-language", TWO, "QueryLanguage", "Jsonata", SCHEMA, word="'JSONata'"),
    M("state-text", TWO, "States/A", "Pass", SCHEMA),
    M("no-type", TWO, "States/A/Type", GONE, SCHEMA, at="/States/A", word="'Type'"),
    M("type-unknown", TWO, "States/A/Type", "Pas", SCHEMA, word="'Pass'"),
    M("type-number", TWO, "States/A/Type", 1, SCHEMA),
    M("type-list", TWO, "States/A/Type", ["Pass"], SCHEMA),
    M("name-81", machine({"n" * 80: PASS}), "States/" + "m" * 81, PASS, "INVALID_STATE_NAME"),
    M("name-empty", TWO, "States/", PASS, "INVALID_STATE_NAME"),
    M("unknown-field", TWO, "States/A/Nxt", "B", SCHEMA, word="'Next'"),
    M("unknown-case", TWO, "States/A/resultPath", "$", SCHEMA, word="'ResultPath'"),
    M("misplaced-timeout", TWO, "States/A/TimeoutSeconds", 5, SCHEMA, word="Task"),
    M("misplaced-catch", TWO, "States/A/Catch", [], SCHEMA, word="Field 'Catch' is not supported"),
    M("misplaced-retry", VALID["wait-seconds"], "States/A/Retry", [], SCHEMA),
    M("misplaced-resource", TWO, "States/A/Resource", "x", SCHEMA, word="Task"),
    M("map-timeout", VALID["map"], "States/A/TimeoutSeconds", 5, SCHEMA),
    M("parallel-timeout", VALID["parallel"], "States/A/TimeoutSeconds", 5, SCHEMA),
    M("succeed-next", SUCCEED, "States/B/Next", "A", SCHEMA),
    M("succeed-end", SUCCEED, "States/B/End", True, SCHEMA),
    M("succeed-assign", SUCCEED, "States/B/Assign", {"a": 1}, SCHEMA),
    M("fail-end", VALID["fail"], "States/A/End", True, SCHEMA),
    M("fail-input", VALID["fail"], "States/A/InputPath", "$", SCHEMA),
    M("choice-next", TEXT, "States/Pick/Next", "Done", SCHEMA),
    M("choice-end", TEXT, "States/Pick/End", True, SCHEMA),
    M("choice-result", TEXT, "States/Pick/ResultPath", "$", SCHEMA),
    M("neither-next-nor-end", THREE, "States/A/Next", GONE, SCHEMA, at="/States/A", word="none"),
    M("both-next-and-end", TWO, "States/A/End", True, SCHEMA, word="exactly one"),
    M("end-false", VALID["pass"], "States/A/End", False, SCHEMA),
    M("end-text", VALID["pass"], "States/A/End", "true", SCHEMA),
    M("next-number", TWO, "States/A/Next", 1, SCHEMA),
    M("comment-number", TWO, "States/A/Comment", 1, SCHEMA),
    M("input-path-number", TWO, "States/A/InputPath", 1, SCHEMA),
    M("input-path-plain", TWO, "States/A/InputPath", "a.b", SCHEMA),
    M("input-path-open", TWO, "States/A/InputPath", "$.a[", SCHEMA),
    M("result-path-context", TWO, "States/A/ResultPath", "$$.a", SCHEMA),
    M("result-path-filter", TWO, "States/A/ResultPath", "$.a[?(@.b)]", SCHEMA),
    M("result-path-list", TWO, "States/A/ResultPath", [], SCHEMA),
    M(
        "task-no-resource",
        VALID["task"],
        "States/A/Resource",
        GONE,
        SCHEMA,
        at="/States/A",
        word="'Resource'",
    ),
    M("task-resource-number", VALID["task"], "States/A/Resource", 5, SCHEMA),
    M("task-resource-bad", VALID["task"], "States/A/Resource", "lambda:work", "INVALID_RESOURCE"),
    M("task-resource-computed", VALID["task-jsonata"], "States/A/Resource", "{% $x %}", "INVALID_RESOURCE"),
    M("task-timeout-0", VALID["task"], "States/A/TimeoutSeconds", 0, SCHEMA),
    M("task-timeout-large", VALID["task"], "States/A/TimeoutSeconds", 100_000_000, SCHEMA),
    M("task-timeout-fraction", VALID["task"], "States/A/TimeoutSeconds", 60.5, SCHEMA),
    M("task-timeout-true", VALID["task"], "States/A/TimeoutSeconds", True, SCHEMA),
    M("task-heartbeat", VALID["task"], "States/A/HeartbeatSeconds", 60, SCHEMA),
    M("task-two-timeouts", VALID["task"], "States/A/TimeoutSecondsPath", "$.t", SCHEMA),
    M("task-two-beats", VALID["task-paths"], "States/A/HeartbeatSeconds", 5, SCHEMA),
    M("task-timeout-path", VALID["task-paths"], "States/A/TimeoutSecondsPath", 5, SCHEMA),
    M("task-credentials", VALID["task-credentials"], "States/A/Credentials", "r", SCHEMA),
    M(
        "task-credentials-empty",
        VALID["task-credentials"],
        "States/A/Credentials",
        {},
        SCHEMA,
        word="RoleArn",
    ),
    M("task-credentials-number", VALID["task-credentials"], "States/A/Credentials/RoleArn", 5, SCHEMA),
    M(
        "task-credentials-path-jsonata",
        VALID["task-credentials-jsonata"],
        "States/A/Credentials",
        {"RoleArn.$": "$.role"},
        SCHEMA,
        word="required but was missing",
    ),
    M("task-credentials-field", VALID["task-credentials"], "States/A/Credentials/Role", "r", SCHEMA),
    M(
        "task-token-lost",
        VALID["task-token"],
        "States/A/Parameters/MessageBody",
        "x",
        "TOKEN_NOT_PASSED",
        at="/States/A/Resource",
        severity=W,
        word="token",
    ),
    M(
        "task-token-lost-jsonata",
        VALID["task-token-jsonata"],
        "States/A/Arguments/MessageBody",
        "x",
        "TOKEN_NOT_PASSED",
        at="/States/A/Resource",
        severity=W,
    ),
    M("task-parameters-text", VALID["task"], "States/A/Parameters", "x", OBJECT, severity=W),
    M(
        "wait-none",
        VALID["wait-seconds"],
        "States/A/Seconds",
        GONE,
        SCHEMA,
        at="/States/A",
        word="'Timestamp'",
    ),
    M("wait-two", VALID["wait-seconds"], "States/A/SecondsPath", "$.s", SCHEMA),
    M("wait-negative", VALID["wait-seconds"], "States/A/Seconds", -1, SCHEMA),
    M("wait-large", VALID["wait-seconds"], "States/A/Seconds", 100_000_000, SCHEMA),
    M("wait-fraction", VALID["wait-seconds"], "States/A/Seconds", 1.5, SCHEMA),
    M("wait-text", VALID["wait-seconds"], "States/A/Seconds", "5", SCHEMA),
    M("wait-text-jsonata", VALID["wait-jsonata"], "States/A/Seconds", "5", SCHEMA),
    M("wait-no-zone", VALID["wait-timestamp"], "States/A/Timestamp", "2028-02-29T23:59:59", SCHEMA),
    M("wait-small-t", VALID["wait-timestamp"], "States/A/Timestamp", "2028-02-29t23:59:59Z", SCHEMA),
    M("wait-blank", VALID["wait-timestamp"], "States/A/Timestamp", "2028-02-29 23:59:59Z", SCHEMA),
    M(
        "wait-no-day",
        VALID["wait-timestamp"],
        "States/A/Timestamp",
        "2027-02-29T23:59:59Z",
        SCHEMA,
        word="no day",
    ),
    M("wait-month", VALID["wait-timestamp"], "States/A/Timestamp", "2027-13-01T00:00:00Z", SCHEMA, word="13"),
    M("wait-hour", VALID["wait-timestamp"], "States/A/Timestamp", "2027-12-01T25:00:00Z", SCHEMA),
    M("wait-offset", VALID["wait-timestamp"], "States/A/Timestamp", "2027-12-01T23:00:00+24:00", SCHEMA),
    M("wait-number", VALID["wait-timestamp"], "States/A/Timestamp", 5, SCHEMA),
    M("wait-number-jsonata", VALID["wait-jsonata-literal"], "States/A/Timestamp", "tomorrow", SCHEMA),
    M("fail-two-errors", VALID["fail"], "States/A/ErrorPath", "$.e", SCHEMA),
    M("fail-two-causes", VALID["fail"], "States/A/CausePath", "$.e", SCHEMA),
    M("fail-long", VALID["fail"], "States/A/Error", "e" * 257, SCHEMA, word="256"),
    M("fail-number", VALID["fail"], "States/A/Error", 404, SCHEMA),
    M("fail-long-cause", VALID["fail"], "States/A/Cause", "e" * 32_769, SCHEMA),
    M(
        "parallel-none",
        VALID["parallel"],
        "States/A/Branches",
        GONE,
        SCHEMA,
        at="/States/A",
        word="'Branches'",
    ),
    M("parallel-empty", VALID["parallel"], "States/A/Branches", [], SCHEMA),
    M("parallel-object", VALID["parallel"], "States/A/Branches", INNER, SCHEMA),
    M("branch-text", VALID["parallel"], "States/A/Branches/0", "x", SCHEMA),
    M(
        "branch-no-start",
        VALID["parallel"],
        "States/A/Branches/0/StartAt",
        GONE,
        SCHEMA,
        at="/States/A/Branches/0",
    ),
    M("branch-timeout", VALID["parallel"], "States/A/Branches/0/TimeoutSeconds", 5, SCHEMA),
    M("branch-language", VALID["parallel"], "States/A/Branches/0/QueryLanguage", "JSONata", SCHEMA),
]

MAPS = [
    M(
        "map-no-processor",
        VALID["map"],
        "States/A/ItemProcessor",
        GONE,
        SCHEMA,
        at="/States/A",
        word="'ItemProcessor'",
    ),
    M("map-two-processors", VALID["map"], "States/A/Iterator", INNER, SCHEMA),
    M("map-language", VALID["map"], "States/A/ItemProcessor/QueryLanguage", "JSONata", SCHEMA),
    M("map-mode", VALID["map-inline"], "States/A/ItemProcessor/ProcessorConfig/Mode", "Inline", SCHEMA),
    M(
        "map-execution",
        DISTRIBUTED,
        "States/A/ItemProcessor/ProcessorConfig/ExecutionType",
        GONE,
        SCHEMA,
        at="/States/A/ItemProcessor/ProcessorConfig",
    ),
    M(
        "map-execution-word",
        DISTRIBUTED,
        "States/A/ItemProcessor/ProcessorConfig/ExecutionType",
        "FAST",
        SCHEMA,
    ),
    M("map-config", DISTRIBUTED, "States/A/ItemProcessor/ProcessorConfig", "INLINE", SCHEMA),
    M("map-selectors", VALID["map"], "States/A/Parameters", {}, SCHEMA),
    M("map-concurrency", VALID["map"], "States/A/MaxConcurrency", -1, SCHEMA),
    M(
        "map-concurrency-path-context",
        DISTRIBUTED,
        "States/A/ToleratedFailureCountPath",
        "$$.x",
        SCHEMA,
        word="reference path",
    ),
    M("map-items-wildcard", VALID["map"], "States/A/ItemsPath", "$.a[*]", SCHEMA, word="reference path"),
    M("map-items-filter", VALID["map"], "States/A/ItemsPath", "$.a[?(@.b)]", SCHEMA, word="reference path"),
    M("map-concurrency-two", VALID["map"], "States/A/MaxConcurrencyPath", "$.n", SCHEMA),
    M("map-items-path", VALID["map"], "States/A/ItemsPath", "items", SCHEMA),
    M("map-items", VALID["map-jsonata"], "States/A/Items", 5, SCHEMA),
    M("map-items-text", VALID["map-jsonata"], "States/A/Items", "$states.input", SCHEMA),
    M(
        "map-reader-inline",
        VALID["map"],
        "States/A/ItemReader",
        DISTRIBUTED["States"]["A"]["ItemReader"],
        "NO_EFFECT",
        severity=W,
    ),
    M("map-label-inline", VALID["map"], "States/A/Label", "x", "NO_EFFECT", severity=W),
    M("map-label-long", DISTRIBUTED, "States/A/Label", "l" * 41, "INVALID_LABEL_NAME"),
    M("map-label-empty", DISTRIBUTED, "States/A/Label", "", "INVALID_LABEL_NAME"),
    M("map-label-space", DISTRIBUTED, "States/A/Label", "a b", "INVALID_LABEL_NAME"),
    M("map-label-twice", TWO_MAPS, "States/B/Label", "one", "DUPLICATE_LABEL_NAME"),
    M("map-percentage", DISTRIBUTED, "States/A/ToleratedFailurePercentage", 101, SCHEMA),
    M("map-count", DISTRIBUTED, "States/A/ToleratedFailureCount", -1, SCHEMA),
    M(
        "map-reader-resource",
        DISTRIBUTED,
        "States/A/ItemReader/Resource",
        GONE,
        SCHEMA,
        at="/States/A/ItemReader",
    ),
    M(
        "map-reader-call",
        DISTRIBUTED,
        "States/A/ItemReader/Resource",
        "arn:aws:states:::s3:putObject",
        "INVALID_RESOURCE",
    ),
    M("map-reader-type", DISTRIBUTED, "States/A/ItemReader/ReaderConfig/InputType", "XML", SCHEMA),
    M(
        "map-reader-unknown",
        DISTRIBUTED,
        "States/A/ItemReader/ReaderConfig/Delimiter",
        "x",
        "UNKNOWN_FIELD",
        severity=W,
    ),
    M("map-reader-items", DISTRIBUTED, "States/A/ItemReader/ReaderConfig/MaxItems", 0, VALUE, severity=W),
    M("map-reader-items-negative", DISTRIBUTED, "States/A/ItemReader/ReaderConfig/MaxItems", -1, SCHEMA),
    M(
        "map-reader-items-large",
        DISTRIBUTED,
        "States/A/ItemReader/ReaderConfig/MaxItems",
        100_000_001,
        SCHEMA,
    ),
    M("map-reader-arguments", DISTRIBUTED, "States/A/ItemReader/Arguments", {}, SCHEMA, word="JSONata"),
    M(
        "map-reader-no-parameters",
        DISTRIBUTED,
        "States/A/ItemReader/Parameters",
        GONE,
        SCHEMA,
        at="/States/A/ItemReader",
        word="These fields are required: [Parameters]",
    ),
    M(
        "map-reader-no-key",
        DISTRIBUTED,
        "States/A/ItemReader/Parameters",
        {"Bucket": "b"},
        SCHEMA,
        word="'Key'",
    ),
    M("map-reader-list", DISTRIBUTED, "States/A/ItemReader/Parameters", [], SCHEMA),
    M(
        "map-reader-sdk",
        DISTRIBUTED,
        "States/A/ItemReader/Resource",
        "arn:aws:states:::aws-sdk:s3:getObject",
        "INVALID_RESOURCE",
    ),
    M(
        "map-writer-no-parameters",
        DISTRIBUTED,
        "States/A/ResultWriter/Parameters",
        GONE,
        SCHEMA,
        at="/States/A/ResultWriter",
        word="These fields are required: [Parameters]",
    ),
    M(
        "map-writer-no-bucket",
        DISTRIBUTED,
        "States/A/ResultWriter/Parameters",
        {"Prefix": "p"},
        SCHEMA,
        word="'Bucket'",
    ),
    M("map-writer-empty", DISTRIBUTED, "States/A/ResultWriter", {}, SCHEMA, word="run time"),
    M(
        "map-writer-no-resource",
        DISTRIBUTED,
        "States/A/ResultWriter/Resource",
        GONE,
        "NO_EFFECT",
        at="/States/A/ResultWriter",
        severity=W,
    ),
    M(
        "map-writer-no-arguments",
        VALID["map-distributed-jsonata"],
        "States/A/ResultWriter",
        {"Resource": "arn:aws:states:::s3:putObject"},
        SCHEMA,
        word="These fields are required: [Arguments]",
    ),
    M(
        "map-reader-csv",
        DISTRIBUTED,
        "States/A/ItemReader/ReaderConfig",
        {"InputType": "CSV"},
        SCHEMA,
        word="CSVHeaderLocation",
    ),
    M(
        "map-reader-json-headers",
        DISTRIBUTED,
        "States/A/ItemReader/ReaderConfig",
        {"InputType": "JSON", "CSVHeaderLocation": "FIRST_ROW"},
        SCHEMA,
        at="/States/A/ItemReader/ReaderConfig/CSVHeaderLocation",
    ),
    M(
        "map-reader-given",
        DISTRIBUTED,
        "States/A/ItemReader/ReaderConfig",
        {"InputType": "CSV", "CSVHeaderLocation": "GIVEN"},
        SCHEMA,
        word="'CSVHeaders'",
    ),
    M(
        "map-inline-execution",
        VALID["map-inline"],
        "States/A/ItemProcessor/ProcessorConfig/ExecutionType",
        "STANDARD",
        SCHEMA,
        word="'INLINE'",
    ),
    M("map-batch-none", DISTRIBUTED, "States/A/ItemBatcher/MaxItemsPerBatch", 0, VALUE, severity=W),
    M("map-batch-negative", DISTRIBUTED, "States/A/ItemBatcher/MaxItemsPerBatch", -1, SCHEMA),
    M(
        "map-batch-bytes",
        DISTRIBUTED,
        "States/A/ItemBatcher/MaxInputBytesPerBatch",
        300_000,
        VALUE,
        severity=W,
    ),
    M("map-batch-two", DISTRIBUTED, "States/A/ItemBatcher/MaxItemsPerBatchPath", "$.a", SCHEMA),
    M("map-batch-list", DISTRIBUTED, "States/A/ItemBatcher", [], SCHEMA),
    M(
        "map-writer",
        DISTRIBUTED,
        "States/A/ResultWriter/Resource",
        "arn:aws:states:::s3:getObject",
        "INVALID_RESOURCE",
    ),
    M(
        "map-express-sync",
        EXPRESS,
        "States/A/ItemProcessor/States/Z/Resource",
        "arn:aws:states:::states:startExecution.sync:2",
        SCHEMA,
        word="EXPRESS",
    ),
    M(
        "map-express-activity",
        EXPRESS,
        "States/A/ItemProcessor/States/Z/Resource",
        "arn:aws:states:eu-west-1:123456789012:activity:a",
        SCHEMA,
        word="activity",
    ),
    M(
        "map-headers",
        DISTRIBUTED,
        "States/A/ItemReader/ReaderConfig/CSVHeaders",
        "a,b",
        SCHEMA,
    ),
    M("map-reader-number", DISTRIBUTED, "States/A/ItemReader/Resource", 5, SCHEMA),
    M("map-reader-text", DISTRIBUTED, "States/A/ItemReader", "s3", SCHEMA),
    M(
        "map-express-nested",
        NESTED,
        "States/A/ItemProcessor/States/Z/ItemProcessor/ProcessorConfig",
        {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        SCHEMA,
        at="/States/A/ItemProcessor/States/Z",
    ),
]

LANGUAGES = [
    M(
        "output-in-jsonpath",
        TWO,
        "States/A/Output",
        "{% 1 %}",
        SCHEMA,
        word="The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata",
    ),
    M("arguments-in-jsonpath", VALID["task"], "States/A/Arguments", {}, SCHEMA, word="use Parameters"),
    M("items-in-jsonpath", VALID["map"], "States/A/Items", [], SCHEMA, word="use ItemsPath"),
    M(
        "parameters-in-jsonata",
        VALID["task-jsonata"],
        "States/A/Parameters",
        {},
        SCHEMA,
        word="use Arguments",
    ),
    M("result-in-jsonata", VALID["pass-jsonata"], "States/A/Result", 1, SCHEMA),
    M("result-path-in-jsonata", VALID["task-jsonata"], "States/A/ResultPath", "$", SCHEMA),
    M("result-selector-in-jsonata", VALID["task-jsonata"], "States/A/ResultSelector", {}, SCHEMA),
    M("input-path-in-jsonata", VALID["pass-jsonata"], "States/A/InputPath", "$", SCHEMA),
    M(
        "seconds-path-in-jsonata",
        VALID["wait-jsonata"],
        "States/A/SecondsPath",
        "$.s",
        SCHEMA,
        word="use Seconds",
    ),
    M("error-path-in-jsonata", VALID["fail-jsonata"], "States/A/ErrorPath", "$.s", SCHEMA),
    M("catch-output-in-jsonpath", CATCH, "States/A/Catch/0/Output", 1, SCHEMA, word="JSONata"),
    M("catch-result-path-in-jsonata", CATCH_JSONATA, "States/A/Catch/0/ResultPath", "$", SCHEMA),
    M("condition-in-jsonpath", TEXT, f"{ONE_RULE}/Condition", "{% true %}", SCHEMA, word="JSONata"),
    M("variable-in-jsonata", VALID["choice-jsonata"], f"{ONE_RULE}/Variable", "$.a", SCHEMA, word="JSONPath"),
    M("jsonpath-in-jsonata", VALID["pass-jsonata"], "States/A/QueryLanguage", "JSONPath", SCHEMA),
    M("language-of-state", TWO, "States/A/QueryLanguage", "XPath", SCHEMA),
]

GRAPH = [
    M("start-missing", TWO, "StartAt", "a", TARGET, word="did you mean 'A'"),
    M("next-missing", THREE, "States/A/Next", "BB", TARGET, word="Missing 'Next' target: BB"),
    M("default-missing", TEXT, "States/Pick/Default", "Gone", TARGET, word="Missing 'Next' target: Gone"),
    M("rule-missing", TEXT, f"{ONE_RULE}/Next", "Gone", TARGET),
    M("rule-missing-jsonata", VALID["choice-jsonata"], f"{ONE_RULE}/Next", "Gone", TARGET),
    M("catch-missing", CATCH, "States/A/Catch/0/Next", "Gone", TARGET),
    M("unreachable", TWO, "States/C", PASS, TARGET, word='State "C" is not reachable.'),
    M("skipped", THREE, "States/A/Next", "C", TARGET, at="/States/B", word="not reachable"),
    M(
        "endless",
        TWO,
        "States/B",
        {"Type": "Pass", "Next": "A"},
        NO_END,
        at="",
        word="Workflow has no terminal state",
    ),
    M(
        "inner-endless",
        INSIDE,
        "States/A/Branches/0/States/Out",
        {"Type": "Pass", "Next": "In"},
        NO_END,
        at="/States/A/Branches/0",
    ),
    M("inner-start", INSIDE, "States/A/Branches/0/StartAt", "Inn", TARGET, word="'In'"),
    M("inner-next", INSIDE, "States/A/Branches/0/States/In/Next", "Gone", TARGET),
    M("inner-leaves", INSIDE, "States/A/Branches/0/States/In/Next", "A", TARGET, word="outside this branch"),
    M(
        "outer-enters",
        TWO | {"States": {**TWO["States"], "B": parallel()}},
        "States/A/Next",
        "Inner",
        TARGET,
        word="inside a branch",
    ),
    M("inner-unreachable", INSIDE, "States/A/Branches/0/States/Lost", PASS, TARGET),
    M("same-name-inside", INSIDE, "States/A/Branches/0/States/A", PASS, "DUPLICATE_STATE_NAME"),
    M(
        "same-name-in-branches",
        VALID["parallel"],
        "States/A/Branches/1",
        INNER,
        "DUPLICATE_STATE_NAME",
        at="/States/A/Branches/1/States/Inner",
    ),
    M("processor-unreachable", VALID["map"], "States/A/ItemProcessor/States/Lost", PASS, TARGET),
]

CHOICES = [
    M("no-choices", TEXT, "States/Pick/Choices", GONE, SCHEMA, at="/States/Pick"),
    M("choices-empty", TEXT, "States/Pick/Choices", [], SCHEMA),
    M("choices-object", TEXT, "States/Pick/Choices", {}, SCHEMA),
    M("rule-text", TEXT, ONE_RULE, "x", SCHEMA),
    M(
        "no-default",
        TEXT,
        "States/Pick/Default",
        GONE,
        "NO_DEFAULT",
        at="/States/Pick",
        severity=W,
        word="States.NoChoiceMatched",
    ),
    M("default-number", TEXT, "States/Pick/Default", 5, SCHEMA),
    M("rule-no-next", TEXT, f"{ONE_RULE}/Next", GONE, SCHEMA, at=AT_RULE, word="'Next'"),
    M("rule-no-variable", TEXT, f"{ONE_RULE}/Variable", GONE, SCHEMA, at=AT_RULE, word="'Variable'"),
    M("rule-no-operator", TEXT, f"{ONE_RULE}/StringEquals", GONE, SCHEMA, at=AT_RULE, word="operator"),
    M("rule-two-operators", TEXT, f"{ONE_RULE}/StringLessThan", "x", SCHEMA),
    M("rule-unknown-operator", TEXT, f"{ONE_RULE}/StringEqual", "x", SCHEMA, word="'StringEquals'"),
    M("rule-variable-plain", TEXT, f"{ONE_RULE}/Variable", "a", SCHEMA),
    M("rule-variable-filter", TEXT, f"{ONE_RULE}/Variable", "$.a[?(@.b)]", SCHEMA, word="reference path"),
    M("rule-variable-function", TEXT, f"{ONE_RULE}/Variable", "$.a.length()", SCHEMA, word="reference path"),
    M("rule-variable-intrinsic", TEXT, f"{ONE_RULE}/Variable", "States.ArrayLength($.a)", SCHEMA),
    M("rule-variable-number", TEXT, f"{ONE_RULE}/Variable", 1, SCHEMA),
    M("rule-string-number", TEXT, f"{ONE_RULE}/StringEquals", 1, SCHEMA),
    M("rule-numeric-text", rule(Variable="$.a", NumericEquals=1), f"{ONE_RULE}/NumericEquals", "1", SCHEMA),
    M("rule-numeric-bool", rule(Variable="$.a", NumericEquals=1), f"{ONE_RULE}/NumericEquals", True, SCHEMA),
    M(
        "rule-boolean-text",
        rule(Variable="$.a", BooleanEquals=True),
        f"{ONE_RULE}/BooleanEquals",
        "true",
        SCHEMA,
    ),
    M("rule-present-text", rule(Variable="$.a", IsPresent=True), f"{ONE_RULE}/IsPresent", "true", SCHEMA),
    M(
        "rule-timestamp",
        rule(Variable="$.a", TimestampEquals="2026-01-01T00:00:00Z"),
        f"{ONE_RULE}/TimestampEquals",
        "2026-01-32T00:00:00Z",
        SCHEMA,
    ),
    M(
        "rule-timestamp-date",
        rule(Variable="$.a", TimestampEquals="2026-01-01T00:00:00Z"),
        f"{ONE_RULE}/TimestampEquals",
        "2026-01-01",
        SCHEMA,
    ),
    M(
        "rule-path-plain",
        rule(Variable="$.a", StringEqualsPath="$.b"),
        f"{ONE_RULE}/StringEqualsPath",
        "b",
        SCHEMA,
    ),
    M("rule-and-empty", rule(And=[{"Variable": "$.a", "IsNull": True}]), f"{ONE_RULE}/And", [], SCHEMA),
    M("rule-and-object", rule(And=[{"Variable": "$.a", "IsNull": True}]), f"{ONE_RULE}/And", {}, SCHEMA),
    M("rule-and-text", rule(And=[{"Variable": "$.a", "IsNull": True}]), f"{ONE_RULE}/And/0", "x", SCHEMA),
    M(
        "rule-and-variable",
        rule(And=[{"Variable": "$.a", "IsNull": True}]),
        f"{ONE_RULE}/Variable",
        "$.a",
        SCHEMA,
    ),
    M("rule-not-list", rule(Not={"Variable": "$.a", "IsNull": True}), f"{ONE_RULE}/Not", [], SCHEMA),
    M(
        "rule-nested-next",
        rule(Not={"Variable": "$.a", "IsNull": True}),
        f"{ONE_RULE}/Not/Next",
        "Done",
        SCHEMA,
    ),
    M(
        "rule-nested-assign",
        rule(Not={"Variable": "$.a", "IsNull": True}),
        f"{ONE_RULE}/Not/Assign",
        {},
        SCHEMA,
    ),
    M(
        "rule-nested-bare",
        rule(Not={"Variable": "$.a", "IsNull": True}),
        f"{ONE_RULE}/Not/IsNull",
        GONE,
        SCHEMA,
        at=f"{AT_RULE}/Not",
    ),
    M("condition-missing", VALID["choice-jsonata"], f"{ONE_RULE}/Condition", GONE, SCHEMA, at=AT_RULE),
    M("condition-plain", VALID["choice-jsonata"], f"{ONE_RULE}/Condition", "$states.input.a", SCHEMA),
    M("condition-number", VALID["choice-jsonata"], f"{ONE_RULE}/Condition", 1, SCHEMA),
    M("condition-syntax", VALID["choice-jsonata"], f"{ONE_RULE}/Condition", "{% 1 + %}", EXPRESSION),
    M("condition-no-next", VALID["choice-jsonata"], f"{ONE_RULE}/Next", GONE, SCHEMA, at=AT_RULE),
]

RETRIES = [
    M("retry-object", RETRY, "States/A/Retry", {}, SCHEMA),
    M("retry-text", RETRY, "States/A/Retry/0", "x", SCHEMA),
    M("retry-no-errors", RETRY, "States/A/Retry/0/ErrorEquals", GONE, SCHEMA, at="/States/A/Retry/0"),
    M("retry-empty-errors", RETRY, "States/A/Retry/0/ErrorEquals", [], SCHEMA),
    M("retry-error-text", RETRY, "States/A/Retry/0/ErrorEquals", "States.ALL", SCHEMA),
    M("retry-error-number", RETRY, "States/A/Retry/0/ErrorEquals/0", 5, SCHEMA),
    M("retry-all-first", RETRY, "States/A/Retry/0/ErrorEquals", ["States.ALL"], SCHEMA),
    M(
        "retry-all-joined",
        RETRY,
        "States/A/Retry/1/ErrorEquals/1",
        "Custom",
        SCHEMA,
        at="/States/A/Retry/1/ErrorEquals/0",
    ),
    M(
        "retry-unknown",
        RETRY,
        "States/A/Retry/0/ErrorEquals/1",
        "States.TimeOut",
        "UNKNOWN_ERROR_NAME",
        severity=W,
        word="'States.Timeout'",
    ),
    M("retry-interval", RETRY, "States/A/Retry/0/IntervalSeconds", 0, VALUE, severity=W),
    M("retry-interval-negative", RETRY, "States/A/Retry/0/IntervalSeconds", -1, SCHEMA),
    M("retry-interval-fraction", RETRY, "States/A/Retry/0/IntervalSeconds", 1.5, SCHEMA),
    M("retry-attempts", RETRY, "States/A/Retry/0/MaxAttempts", -1, SCHEMA),
    M("retry-attempts-large", RETRY, "States/A/Retry/0/MaxAttempts", 100_000_000, SCHEMA),
    M("retry-rate", RETRY, "States/A/Retry/0/BackoffRate", 0.5, SCHEMA),
    M("retry-rate-text", RETRY, "States/A/Retry/0/BackoffRate", "2", SCHEMA),
    M("retry-delay", RETRY, "States/A/Retry/0/MaxDelaySeconds", 2, SCHEMA),
    M("retry-delay-large", RETRY, "States/A/Retry/0/MaxDelaySeconds", 31_622_401, SCHEMA),
    M("retry-jitter", RETRY, "States/A/Retry/0/JitterStrategy", "HALF", SCHEMA),
    M("retry-field", RETRY, "States/A/Retry/0/Next", "A", SCHEMA),
    M("retry-misspelt", RETRY, "States/A/Retry/0/MaxAttempt", 1, SCHEMA, word="'MaxAttempts'"),
    M(
        "retry-taken",
        RETRY,
        "States/A/Retry/1/ErrorEquals",
        ["States.Timeout"],
        "NEVER_USED",
        severity=W,
        word="never used",
    ),
    M("catch-taken", CATCH, "States/A/Catch/1/ErrorEquals", ["Custom"], "NEVER_USED", severity=W),
    M("catch-no-next", CATCH, "States/A/Catch/0/Next", GONE, SCHEMA, at="/States/A/Catch/0"),
    M("catch-no-errors", CATCH, "States/A/Catch/0/ErrorEquals", GONE, SCHEMA, at="/States/A/Catch/0"),
    M("catch-all-first", CATCH, "States/A/Catch/0/ErrorEquals", ["States.ALL"], SCHEMA),
    M("catch-field", CATCH, "States/A/Catch/0/MaxAttempts", 1, SCHEMA),
    M("catch-result-path", CATCH, "States/A/Catch/0/ResultPath", "error", SCHEMA),
    M("catch-list", CATCH, "States/A/Catch", {"ErrorEquals": ["States.ALL"], "Next": "B"}, SCHEMA),
]

TEMPLATES = [
    M("expression-open", VALID["pass-jsonata"], "States/A/Output/a", "{% 1 ", EXPRESSION),
    M("expression-closed", VALID["pass-jsonata"], "States/A/Output/a", "1 %}", EXPRESSION),
    M("expression-space", VALID["pass-jsonata"], "States/A/Output/a", " {% 1 %}", TEXT_ONLY, severity=W),
    M("expression-spaces", VALID["pass-jsonata"], "States/A/Output/a", " {% 1 %} ", TEXT_ONLY, severity=W),
    M("expression-short", VALID["pass-jsonata"], "States/A/Output/a", "{%}", EXPRESSION),
    M("expression-inside", VALID["pass-jsonata"], "States/A/Output/a", "a {% 1 %} b", TEXT_ONLY, severity=W),
    M("expression-joined", VALID["pass-jsonata"], "States/A/Output/a", "a {% 1 %}", TEXT_ONLY, severity=W),
    M("condition-space", VALID["choice-jsonata"], f"{ONE_RULE}/Condition", " {% true %} ", EXPRESSION),
    M("timeout-text", VALID["task-jsonata"], "States/A/TimeoutSeconds", "in {% 1 %} s", EXPRESSION),
    M("cause-text", VALID["fail-jsonata"], "States/A/Cause", "in {% 1 %} s", TEXT_ONLY, severity=W),
    M("cause-open", VALID["fail-jsonata"], "States/A/Cause", "{% 1 ", EXPRESSION),
    M("expression-empty", VALID["pass-jsonata"], "States/A/Output/a", "{% %}", EXPRESSION),
    M("expression-syntax", VALID["pass-jsonata"], "States/A/Output/b/0", "{% (1 %}", EXPRESSION),
    M("expression-bare-name", VALID["pass-jsonata"], "States/A/Output/a", "{% foo %}", UNSUPPORTED),
    M("expression-root", VALID["pass-jsonata"], "States/A/Output/a", "{% $$ %}", EXPRESSION),
    M("expression-eval", VALID["pass-jsonata"], "States/A/Output/a", "{% $eval('1') %}", UNSUPPORTED),
    M("expression-function", VALID["pass-jsonata"], "States/A/Output/a", "{% $uppercas('a') %}", UNSUPPORTED),
    M("expression-in-items", VALID["map-jsonata-literal"], "States/A/Items/1", "{% foo %}", UNSUPPORTED),
    M("expression-in-selector", VALID["map-jsonata"], "States/A/ItemSelector/i", "{% ) %}", EXPRESSION),
    M("expression-in-assign", VALID["task-result"], "States/A/Assign/p", "{% [ %}", EXPRESSION),
    M("expression-in-seconds", VALID["wait-jsonata"], "States/A/Seconds", "{% foo %}", UNSUPPORTED),
    M("expression-in-error", VALID["fail-jsonata"], "States/A/Error", "{% foo %}", UNSUPPORTED),
    M("expression-in-timeout", VALID["task-jsonata"], "States/A/TimeoutSeconds", "{% foo %}", UNSUPPORTED),
    M(
        "expression-in-reader",
        VALID["map-distributed-jsonata"],
        "States/A/ItemReader/Arguments/Bucket",
        "{% foo %}",
        UNSUPPORTED,
    ),
    M(
        "expression-in-credentials",
        VALID["task-credentials-jsonata"],
        "States/A/Credentials/RoleArn",
        "{% foo %}",
        UNSUPPORTED,
    ),
    M("dollar-key-in-jsonata", VALID["pass-jsonata"], "States/A/Output/c.$", "$.c", TEXT_ONLY, severity=W),
    M("arguments-list", VALID["task-jsonata"], "States/A/Arguments", [], SCHEMA),
    M("arguments-text", VALID["task-jsonata"], "States/A/Arguments", "x", SCHEMA),
    M("result-in-wait", VALID["wait-jsonata"], "States/A/Output", "{% $states.result %}", UNSUPPORTED),
    M("result-in-pass", VALID["pass-jsonata"], "States/A/Output/a", "{% $states.result %}", UNSUPPORTED),
    M(
        "result-in-choice",
        VALID["choice-jsonata"],
        f"{ONE_RULE}/Condition",
        "{% $states.result = 1 %}",
        UNSUPPORTED,
    ),
    M(
        "result-in-arguments",
        VALID["task-jsonata"],
        "States/A/Arguments/Payload",
        "{% $states.result %}",
        UNSUPPORTED,
    ),
    M("result-in-succeed", VALID["succeed-output"], "States/A/Output", "{% $states.result %}", UNSUPPORTED),
    M("result-in-catch", CATCH_JSONATA, "States/A/Catch/0/Output", "{% $states.result %}", UNSUPPORTED),
    M(
        "error-outside-catch",
        VALID["task-result"],
        "States/A/Output",
        "{% $states.errorOutput %}",
        UNSUPPORTED,
    ),
    M("states-field", VALID["pass-jsonata"], "States/A/Output/a", "{% $states.inputs %}", UNSUPPORTED),
    M("path-literal", PARAMETERS, "States/A/Parameters/a.$", 5, SCHEMA, word="must be a valid JSONPath"),
    M("path-plain", PARAMETERS, "States/A/Parameters/a.$", "b", SCHEMA, word="must be a valid JSONPath"),
    M("path-object", PARAMETERS, "States/A/Parameters/a.$", {}, SCHEMA),
    M("path-broken", PARAMETERS, "States/A/Parameters/a.$", "$.b[", SCHEMA),
    M("path-deep", PARAMETERS, "States/A/Parameters/list/1/x.$", "$..", SCHEMA),
    M("intrinsic-unknown", PARAMETERS, "States/A/Parameters/a.$", "States.Formatt('{}', $.a)", SCHEMA),
    M("intrinsic-open", PARAMETERS, "States/A/Parameters/a.$", "States.Format('{}', $.a", SCHEMA),
    M("intrinsic-arguments", PARAMETERS, "States/A/Parameters/a.$", "States.UUID(1)", SCHEMA),
    M("no-dollar", PARAMETERS, "States/A/Parameters/plain", "$.b", "NO_DOLLAR", severity=W, word='"plain.$"'),
    M(
        "no-dollar-context",
        PARAMETERS,
        "States/A/Parameters/plain",
        "$$.Execution.Id",
        "NO_DOLLAR",
        severity=W,
    ),
    M(
        "no-dollar-intrinsic",
        PARAMETERS,
        "States/A/Parameters/plain",
        "States.UUID()",
        "NO_DOLLAR",
        severity=W,
    ),
    M("no-dollar-list", PARAMETERS, "States/A/Parameters/list/0", "$.b", "NO_DOLLAR", severity=W),
    M(
        "no-dollar-variable",
        ASSIGNED,
        "States/B/Parameters",
        {"y": "$x"},
        "NO_DOLLAR",
        at="/States/B/Parameters/y",
        severity=W,
    ),
    M(
        "same-key-twice",
        PARAMETERS,
        "States/A/Parameters/a",
        1,
        "DUPLICATE_KEY",
        at="/States/A/Parameters/a.$",
        severity=W,
    ),
    M(
        "static-result",
        VALID["pass-result"],
        "States/A/Result/a/1",
        "$.b",
        "PASS_RESULT_IS_STATIC",
        severity=W,
    ),
    M("jsonata-in-jsonpath", PARAMETERS, "States/A/Parameters/plain", "{% 1 %}", TEXT_ONLY, severity=W),
    M("jsonata-in-cause", VALID["fail"], "States/A/Cause", "{% 1 %}", EXPRESSION),
    M("jsonata-in-path", TWO, "States/A/InputPath", "{% 1 %}", EXPRESSION),
    M("jsonata-in-result-path", TWO, "States/A/ResultPath", "{% 1 %}", EXPRESSION),
    M("selector-text", VALID["task-select"], "States/A/ResultSelector", "$.a", OBJECT, severity=W),
    M(
        "selector-list-path",
        VALID["task-select"],
        "States/A/ResultSelector",
        [{"a.$": "b"}],
        SCHEMA,
        at="/States/A/ResultSelector/0/a.$",
    ),
]

VARIABLES = [
    M("never-assigned", ASSIGNED_JSONATA, "States/B/Output", "{% $y %}", UNSUPPORTED, word="never assigned"),
    M(
        "never-assigned-near",
        jsonata({"A": {"Type": "Pass", "Assign": {"total": 1}, "Next": "B"}, "B": PASS}),
        "States/B/Output",
        "{% $totl %}",
        UNSUPPORTED,
        word="'total'",
    ),
    M("never-assigned-path", ASSIGNED, "States/B/Parameters/y.$", "$z.a", SCHEMA, word="never assigned"),
    M(
        "assigned-in-same-state",
        ASSIGNED_JSONATA,
        "States/A/Output",
        "{% $x %}",
        UNSUPPORTED,
        word="no value yet",
    ),
    M(
        "assigned-later",
        ASSIGNED,
        "States/A/Parameters",
        {"y.$": "$x"},
        SCHEMA,
        at="/States/A/Parameters/y.$",
    ),
    M("assign-removed", LOOP, "States/Init/Assign", GONE, UNSUPPORTED, at="/States/More/Choices/0/Condition"),
    M("assigned-on-catch-only", CATCH_JSONATA, "States/A/Output", "{% $e %}", UNSUPPORTED),
    M(
        "assigned-inside",
        OUTER,
        "States/A/Assign",
        {"y": "{% $inside %}"},
        UNSUPPORTED,
        at="/States/A/Assign/y",
    ),
    M(
        "shadowed",
        OUTER,
        f"{INNER_PASS}/Assign",
        {"x": 2},
        SCHEMA,
        at=f"/{INNER_PASS}/Assign/x",
        word="outer scope",
    ),
    M(
        "distributed-sees-none",
        jsonata({"A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"}, "B": distributed(Items=[1])}),
        f"{INNER_PASS}/Output",
        "{% $x %}",
        UNSUPPORTED,
        word="another scope",
    ),
    M(
        "name-states",
        ASSIGNED_JSONATA,
        "States/A/Assign/states",
        1,
        "RESERVED_VARIABLE_NAME",
        word="reserved",
    ),
    M("name-dotted", ASSIGNED_JSONATA, "States/A/Assign/x.y", 1, NAME, word="as a whole"),
    M("name-dashed", ASSIGNED_JSONATA, "States/A/Assign/x-y", 1, NAME),
    M("name-digit", ASSIGNED_JSONATA, "States/A/Assign/1x", 1, NAME),
    M("name-empty-variable", ASSIGNED_JSONATA, "States/A/Assign/", 1, NAME),
    M("name-dollar", ASSIGNED_JSONATA, "States/A/Assign/$x", 1, NAME, word="write 'x'"),
    M("name-long", ASSIGNED, "States/A/Assign/" + "v" * 81, 1, NAME),
    M("name-dashed-path", ASSIGNED, "States/A/Assign/x-y.$", "$.a", NAME),
    M("assign-list", ASSIGNED, "States/A/Assign", [], SCHEMA),
    M("assign-text", ASSIGNED_JSONATA, "States/A/Assign", "{% {'x': 1} %}", SCHEMA),
    M("assign-path", ASSIGNED, "States/A/Assign/x.$", "a", SCHEMA),
    M("default-assign-only", VALID["choice-assign"], "States/Use/Parameters/v.$", "$w", SCHEMA),
]

SERVICES = [
    M(
        "arguments-gone",
        VALID["task-jsonata"],
        "States/A/Arguments",
        GONE,
        SCHEMA,
        at="/States/A",
        word="Arguments field is required",
    ),
    M("call-of-a-list", VALID["task-jsonata"], "States/A/Arguments", [1], SCHEMA, word="needs an object"),
    M(
        "parameter-missing",
        VALID["task-jsonata"],
        "States/A/Arguments/FunctionName",
        GONE,
        SCHEMA,
        at="/States/A/Arguments",
    ),
    M("parameter-unknown", VALID["task-jsonata"], "States/A/Arguments/FunctionNam", "x", SCHEMA),
    M("parameter-type", VALID["task-jsonata"], "States/A/Arguments/InvocationType", 5, SCHEMA),
]

MUTANTS = STRUCTURE + MAPS + LANGUAGES + GRAPH + CHOICES + RETRIES + TEMPLATES + VARIABLES + SERVICES


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_single_fault_is_found_where_it_is(mutant: Mutant) -> None:
    assert not [found for found in check(mutant.base) if found.severity.value == "ERROR"]
    findings = check(mutant.definition())
    path = f"/{mutant.change}" if mutant.at is None else mutant.at
    matching = [
        found
        for found in findings
        if (found.code, found.path, found.severity.value) == (mutant.code, path, mutant.severity)
    ]
    assert matching, [str(found) for found in findings]
    assert any(mutant.word in found.message for found in matching), matching


def test_the_table_is_large_and_its_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 120


def test_the_parts_of_the_table_are_used() -> None:
    """Bases that a mutant builds by hand are valid, too."""
    assert (
        check(machine({"Pick": choice({"Variable": "$.a", "IsNull": True, "Next": "Done"}), "Done": ENDS}))
        == []
    )
    assert check(jsonata({"A": invoke()})) == []
    assert SEND.endswith("Token")
    assert set(TOKEN) == {"QueueUrl"}
