"""The names of what a Task calls."""

from __future__ import annotations

import pytest

from stepsched.asl import Pattern, integration, sdk_integration
from stepsched.asl.services import check_resource


@pytest.mark.parametrize(
    ("resource", "written"),
    [
        (integration("lambda", "invoke"), "arn:aws:states:::lambda:invoke"),
        (
            integration("lambda", "invoke", Pattern.CALLBACK),
            "arn:aws:states:::lambda:invoke.waitForTaskToken",
        ),
        (integration("batch", "submitJob", Pattern.RUN_JOB), "arn:aws:states:::batch:submitJob.sync"),
        (
            integration("states", "startExecution", Pattern.RUN_JOB_JSON),
            "arn:aws:states:::states:startExecution.sync:2",
        ),
        (integration("sqs", "sendMessage", partition="aws-cn"), "arn:aws-cn:states:::sqs:sendMessage"),
        (sdk_integration("s3", "putObject"), "arn:aws:states:::aws-sdk:s3:putObject"),
        (
            sdk_integration("sfn", "startExecution", Pattern.CALLBACK, partition="aws-us-gov"),
            "arn:aws-us-gov:states:::aws-sdk:sfn:startExecution.waitForTaskToken",
        ),
    ],
)
def test_a_resource_is_written_as_step_functions_names_it(resource: str, written: str) -> None:
    assert resource == written
    assert check_resource(resource) == []


@pytest.mark.parametrize("pattern", [Pattern.RUN_JOB, Pattern.RUN_JOB_JSON])
def test_a_plain_call_waits_for_no_job(pattern: Pattern) -> None:
    with pytest.raises(ValueError, match=r"aws-sdk:glue:startJobRun cannot wait for a job"):
        sdk_integration("glue", "startJobRun", pattern)
