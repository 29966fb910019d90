"""What AWS cannot do with a URL is refused by name before anything is created, with the ways that remain."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.eventbridge.checks import check_job
from stepsched.backends.eventbridge.documents import Settings
from stepsched.targets.endpoints import endpoint_of

CONNECTION = "arn:aws:events:eu-west-1:123456789012:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://example.com/hook"


def job(url: str = URL, *, given: Any = None, **fields: Any) -> ss.Job:
    target = ss.HttpTarget(url, **{"connection_arn": CONNECTION, **fields})
    return ss.Job(name="tick", schedule=ss.Rate(timedelta(hours=1)), target=target, input=given or {})


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (
            job(signing_secret=SECRET),
            r"no HMAC, so it cannot sign; .* connection \(API key, .*, a LambdaTarget .*, or LocalBackend",
        ),
        (
            job(connection_arn=None),
            "only with a connection; make a connection with `aws events create-connection`",
        ),
        (job("http://example.com/"), "calls only https, got 'http://example.com/'; use https, or Local"),
        (job(f"{URL}?a=1&a=2"), "a query of one value for each name, got 'a=1&a=2'"),
        (job(f"{URL}?a.$=1"), "the query of .* has a name that ends in"),
        (job("https://example.com/*"), "would read as a pattern; write them percent-encoded"),
        (job(headers={"authorization": "Bearer x"}), "does not accept 'authorization'; make a connection"),
        (job(headers={"x.$": "1"}), "the name 'x.\\$' ends in"),
        (job(given="text"), "expected a JSON object as input for the body of a call, got text"),
        (job(given=[1]), "expected a JSON object as input for the body of a call, got a list"),
        (job(given={"n": 1}, method="GET"), "a HttpTarget takes no input of the job"),
    ],
)
def test_what_step_functions_cannot_call_is_refused_with_a_way(refused: ss.Job, reason: str) -> None:
    with pytest.raises(ss.RenderError, match=reason):
        ss.render_asl(refused)
    if "input" not in reason:
        with pytest.raises(ValueError, match=reason):
            ss.deploy.template([refused.target])


@pytest.mark.parametrize(
    "name",
    [
        *("A-IM", "Accept-Charset", "Accept-Datetime", "Accept-Encoding", "Cache-Control", "Date"),
        *("Content-Encoding", "Content-MD5", "Forwarded", "From", "HTTP2-Settings", "If-Match"),
        *("If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Max-Forwards"),
        *("Origin", "Pragma", "Range", "Referer", "Server", "User-Agent", "Via", "Warning"),
        *("X-Amz-Date", "X-Amzn-Trace-Id", "X-Forwarded-For"),
    ],
)
def test_each_header_that_step_functions_does_not_accept_is_refused_by_name(name: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html"""
    with pytest.raises(ss.RenderError, match=f"does not accept '{name}'; leave it out, or use LocalBackend"):
        ss.render_asl(job(headers={name: "x"}))


@pytest.mark.parametrize(
    ("url", "plain", "parameters"),
    [
        (URL, URL, {}),
        (f"{URL}?", URL, {}),
        (f"{URL}?a=1&b=x%20y&c=", URL, {"a": "1", "b": "x y", "c": ""}),
        (f"{URL}?flag", URL, {"flag": ""}),
        ("https://example.com:8443/a%2Fb?q=%26", "https://example.com:8443/a%2Fb", {"q": "&"}),
    ],
)
def test_the_query_stands_apart_from_the_url(url: str, plain: str, parameters: dict[str, str]) -> None:
    assert endpoint_of(url) == (plain, parameters)


def on_eventbridge(refused: ss.Job) -> ss.UnsupportedError:
    with pytest.raises(ss.UnsupportedError) as error:
        check_job(refused, Settings(role_arn=None), region="eu-west-1", partition="aws")
    return error.value


def test_a_schedule_of_eventbridge_calls_no_url_and_says_what_does() -> None:
    refusal = on_eventbridge(job())
    assert "an EventBusTarget whose bus has a rule with an API destination" in str(refusal)
    assert {"StepFunctionsBackend", "LocalBackend"} <= set(refusal.alternatives)


@pytest.mark.parametrize(
    ("retry", "reason"),
    [
        (ss.Retry(pauses=[timedelta(hours=1)]), "chooses the pauses between attempts (pauses)"),
        (
            ss.Retry(max_age=timedelta(hours=25)),
            "max_age 1 day, 1:00:00: the service tries for at most 1 day",
        ),
        (ss.Retry.webhook(), "max_age 4 days, 0:00:00: the service tries for at most 1 day"),
    ],
)
def test_eventbridge_neither_waits_for_given_pauses_nor_tries_for_days(retry: ss.Retry, reason: str) -> None:
    target = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders")
    refusal = on_eventbridge(
        ss.Job(name="tick", schedule=ss.Rate(timedelta(hours=1)), target=target, retry=retry)
    )
    assert reason in str(refusal)
    assert "StepFunctionsBackend" in refusal.alternatives
