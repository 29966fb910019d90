"""Sessions of boto3, and models of services, that share what the SDK reads of its files.

A new session reads the models of its services anew, which takes ten times as long as all else that it does.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import boto3
import botocore.session
from botocore.loaders import create_loader
from botocore.model import ServiceModel

Kind = TypeVar("Kind", bound=boto3.Session)
LOADER = create_loader()
"""Reads each file once."""


def new_session(**options: Any) -> boto3.Session:
    """A session, like ``boto3.Session(...)``."""
    return new_session_of(boto3.Session, **options)


def new_session_of(kind: type[Kind], **options: Any) -> Kind:
    """The same of a subclass."""
    inner = botocore.session.get_session()
    inner.register_component("data_loader", LOADER)
    return kind(**options, botocore_session=inner)


@cache
def service_model(service: str) -> ServiceModel:
    """The SDK's model of a service; it is read only."""
    return ServiceModel(LOADER.load_service_model(service, "service-2"), service)


class SharedModels(boto3.Session):
    """A session as a command line makes it, with the same models."""

    def __init__(self, **options: Any) -> None:
        inner = botocore.session.get_session()
        inner.register_component("data_loader", LOADER)
        super().__init__(**options, botocore_session=inner)
