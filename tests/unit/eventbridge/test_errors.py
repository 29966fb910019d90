"""Every error of the SDK leaves as one of ours, with what the caller needs to act."""

from __future__ import annotations

import inspect
import pickle
from datetime import timedelta
from typing import Any

import pytest
from botocore import exceptions as sdk

import stepsched as ss
from stepsched.aws.sdk import mapped
from tests.sessions import service_model


def answered(code: str, message: str = "words", status: int = 400, **headers: str) -> sdk.ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-1", "HTTPHeaders": headers},
    }
    return sdk.ClientError(response, "CreateSchedule")


def left(error: Exception) -> ss.StepschedError:
    """What leaves when the SDK raises that."""
    with pytest.raises(ss.StepschedError) as caught, mapped("scheduler", "CreateSchedule"):
        raise error
    assert caught.value.__cause__ is error
    assert repr(pickle.loads(pickle.dumps(caught.value))) == repr(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        pytest.param(answered("ValidationException"), ss.BackendError, False, id="validation"),
        pytest.param(answered("ConflictException", status=409), ss.BackendError, False, id="conflict"),
        pytest.param(
            answered("ResourceNotFoundException", status=404), ss.BackendError, False, id="not found"
        ),
        pytest.param(
            answered("ServiceQuotaExceededException", status=402), ss.BackendError, False, id="quota"
        ),
        pytest.param(
            answered("ThrottlingException", status=429), ss.errors.ThrottledError, True, id="throttle"
        ),
        pytest.param(answered("SomethingNew", status=429), ss.errors.ThrottledError, True, id="429"),
        pytest.param(answered("TooManyRequestsException"), ss.errors.ThrottledError, True, id="too many"),
        pytest.param(
            answered("InternalServerException", status=500),
            ss.errors.BackendUnavailableError,
            True,
            id="internal",
        ),
        pytest.param(answered("SomethingNew", status=503), ss.errors.BackendUnavailableError, True, id="503"),
        pytest.param(answered("502", status=502), ss.errors.BackendUnavailableError, True, id="no body"),
        pytest.param(answered("SomethingNew", status=400), ss.BackendError, False, id="unknown"),
        pytest.param(
            answered("AccessDeniedException", status=403), ss.errors.AccessDeniedError, False, id="denied"
        ),
        pytest.param(
            answered("ExpiredTokenException", status=403), ss.errors.AccessDeniedError, False, id="expired"
        ),
        pytest.param(
            answered("InvalidClientTokenId", status=403), ss.errors.AccessDeniedError, False, id="no such key"
        ),
    ],
)
def test_an_answer_leaves_as_the_table_says(
    error: sdk.ClientError, kind: type[ss.BackendError], retryable: bool
) -> None:
    mine = left(error)
    assert type(mine) is kind
    assert isinstance(mine, ss.BackendError)
    assert (mine.service, mine.operation, mine.detail, mine.request_id, mine.retryable) == (
        *("scheduler", "CreateSchedule", "words", "r-1"),
        retryable,
    )
    assert mine.code == error.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("header", "after"),
    [
        pytest.param("7", timedelta(seconds=7), id="seconds"),
        pytest.param("Fri, 31 Dec 2030 23:59:59 GMT", None, id="date"),
        pytest.param("", None, id="none"),
    ],
)
def test_a_throttle_tells_how_long_to_wait_where_the_service_does(
    header: str, after: timedelta | None
) -> None:
    error = left(answered("ThrottlingException", status=429, **{"retry-after": header}))
    assert isinstance(error, ss.errors.ThrottledError)
    assert error.retry_after == after


@pytest.mark.parametrize(
    ("message", "expression"),
    [
        pytest.param("Invalid Schedule Expression rate(0 minutes).", "rate(0 minutes)", id="full stop"),
        pytest.param("Invalid Schedule Expression rate(0 minutes)", "rate(0 minutes)", id="none"),
        pytest.param(
            "Invalid Schedule Expression cron(1.5 * * * ? *).", "cron(1.5 * * * ? *)", id="dot inside"
        ),
        pytest.param("Invalid Schedule Expression .", "", id="empty"),
    ],
)
def test_a_refused_expression_is_an_invalid_schedule(message: str, expression: str) -> None:
    error = left(answered("ValidationException", message))
    assert isinstance(error, ss.InvalidScheduleError)
    assert (error.expression, error.field) == (expression, "expression")
    assert message in error.reason


def test_an_answer_without_anything_is_an_error_all_the_same() -> None:
    error = left(sdk.ClientError({}, "CreateSchedule"))
    assert isinstance(error, ss.BackendError)
    assert (error.code, error.request_id, error.detail) == ("UNKNOWN", None, "")


def test_every_error_of_the_services_model_has_its_class() -> None:
    model = service_model("scheduler")
    kinds = {
        shape.name: type(left(answered(shape.name, status=int(shape.metadata["error"]["httpStatusCode"]))))
        for shape in model.error_shapes
    }
    assert kinds == {
        "ConflictException": ss.BackendError,
        "InternalServerException": ss.errors.BackendUnavailableError,
        "ResourceNotFoundException": ss.BackendError,
        "ServiceQuotaExceededException": ss.BackendError,
        "ThrottlingException": ss.errors.ThrottledError,
        "ValidationException": ss.BackendError,
    }


def made(kind: type[sdk.BotoCoreError]) -> sdk.BotoCoreError:
    """An error of the class, with something for every word of its sentence."""
    words: Any = dict.fromkeys(
        ("error", "endpoint_url", "provider", "cred_var", "error_msg", "profile", "proxy_url"), "x"
    )
    return kind(**words)


@pytest.mark.parametrize(
    ("kind", "mine"),
    [
        pytest.param(sdk.EndpointConnectionError, ss.errors.BackendUnavailableError, id="no endpoint"),
        pytest.param(sdk.ConnectTimeoutError, ss.errors.BackendUnavailableError, id="connect timeout"),
        pytest.param(sdk.ReadTimeoutError, ss.errors.BackendUnavailableError, id="read timeout"),
        pytest.param(sdk.ConnectionClosedError, ss.errors.BackendUnavailableError, id="closed"),
        pytest.param(sdk.ProxyConnectionError, ss.errors.BackendUnavailableError, id="proxy"),
        pytest.param(sdk.NoCredentialsError, ss.errors.AccessDeniedError, id="no credentials"),
        pytest.param(sdk.PartialCredentialsError, ss.errors.AccessDeniedError, id="half the credentials"),
        pytest.param(
            sdk.CredentialRetrievalError, ss.errors.AccessDeniedError, id="credentials not retrieved"
        ),
        pytest.param(sdk.UnauthorizedSSOTokenError, ss.errors.AccessDeniedError, id="sign-on over"),
        pytest.param(sdk.NoRegionError, ss.BackendError, id="no Region"),
        pytest.param(sdk.ProfileNotFound, ss.BackendError, id="no profile"),
    ],
)
def test_an_error_before_any_answer_leaves_as_the_table_says(
    kind: type[sdk.BotoCoreError], mine: type[ss.BackendError]
) -> None:
    error = left(made(kind))
    assert type(error) is mine
    assert isinstance(error, ss.BackendError)
    assert (error.code, error.retryable) == (kind.__name__, mine is ss.errors.BackendUnavailableError)


@pytest.mark.parametrize(
    ("kind", "cure"),
    [
        pytest.param(sdk.NoCredentialsError, "set AWS_PROFILE or credentials", id="credentials"),
        pytest.param(sdk.NoRegionError, "set AWS_DEFAULT_REGION", id="Region"),
        pytest.param(sdk.ProfileNotFound, "correct AWS_PROFILE", id="profile"),
    ],
)
def test_what_the_machine_lacks_is_told_with_a_cure(kind: type[sdk.BotoCoreError], cure: str) -> None:
    assert cure in str(left(made(kind)))


def test_every_class_of_the_sdk_leaves_as_one_of_ours() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(sdk, inspect.isclass)
        if issubclass(kind, sdk.BotoCoreError) and kind.__module__ == sdk.__name__
    ]
    assert len(kinds) > 60
    for kind in kinds:
        error = kind.__new__(kind)  # their sentences want words of all kinds
        Exception.__init__(error, "x")
        mine = left(error)
        assert isinstance(mine, ss.BackendError)
        expected = ss.errors.BackendUnavailableError if issubclass(kind, sdk.HTTPClientError) else None
        assert expected in (None, type(mine))


def test_other_errors_and_none_pass_through() -> None:
    with mapped("scheduler", "GetSchedule"):
        pass
    with pytest.raises(KeyError), mapped("scheduler", "GetSchedule"):
        raise KeyError("x")
