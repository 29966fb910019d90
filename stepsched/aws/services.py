"""The services of AWS, with all their names.

A service has a name in the AWS SDK for Java 2 (``sfn``), which Step Functions and EventBridge Scheduler use
in the ARNs of API calls; one in botocore (``stepfunctions``); one in IAM (``states``); and one as an
optimised integration of Step Functions (``states``). The names follow from the metadata of botocore, except
those in the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

from stepsched.aws.models import metadata, service_folders

# The names that do not follow from the others; "-" marks one that does: the identifier is botocore's folder
# without hyphens, IAM's prefix is the signing name, and the integration has the name of the identifier.
# Prefixes: https://docs.aws.amazon.com/service-authorization/latest/reference/
# Integrations: https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
_EXCEPTIONS = """
    identifier                      folder               IAM               integration       title
    apigateway                      -                    -                 -                 API Gateway
    applicationdiscovery            discovery            -                 -                 -
    athena                          -                    -                 -                 Athena
    batch                           -                    -                 -                 Batch
    bedrock                         -                    -                 -                 Bedrock
    cloudcontrol                    -                    cloudformation    -                 -
    cloudformation                  -                    -                 -                 CloudFormation
    cloudwatch                      -                    cloudwatch        -                 -
    cloudwatchlogs                  logs                 -                 -                 -
    codebuild                       -                    -                 -                 CodeBuild
    codepipeline                    -                    -                 -                 CodePipeline
    cognitoidentityprovider         cognito-idp          -                 -                 -
    costandusagereport              cur                  -                 -                 -
    costexplorer                    ce                   -                 -                 -
    databasemigration               dms                  -                 -                 -
    databrew                        -                    -                 -                 DataBrew
    directory                       ds                   -                 -                 -
    directoryservicedata            ds-data              -                 -                 -
    dynamodb                        -                    -                 -                 DynamoDB
    ec2                             -                    -                 -                 EC2
    ecs                             -                    -                 -                 ECS
    eks                             -                    -                 -                 EKS
    elasticloadbalancing            elb                  -                 -                 -
    elasticloadbalancingv2          elbv2                -                 -                 -
    elasticsearch                   es                   -                 -                 -
    emr                             -                    -                 elasticmapreduce  EMR
    emrcontainers                   -                    -                 emr-containers    EMR on EKS
    emrserverless                   -                    -                 emr-serverless    EMR Serverless
    eventbridge                     events               -                 events            EventBridge
    firehose                        -                    -                 -                 Firehose
    glue                            -                    -                 -                 Glue
    http                            -                    -                 -                 HTTP
    iotdataplane                    iot-data             iot               -                 -
    iotjobsdataplane                iot-jobs-data        iotjobsdata       -                 -
    iotsecuretunneling              -                    iot               -                 -
    kinesis                         -                    -                 -                 Kinesis
    lambda                          -                    -                 -                 Lambda
    lexmodelbuilding                lex-models           -                 -                 -
    lexmodelsv2                     lexv2-models         -                 -                 -
    lexruntimev2                    lexv2-runtime        -                 -                 -
    marketplacemetering             meteringmarketplace  -                 -                 -
    mediaconvert                    -                    -                 -                 MediaConvert
    migrationhub                    mgh                  -                 -                 -
    mturk                           -                    mechanicalturk    -                 -
    partnercentralaccount           -                    partnercentral    -                 -
    partnercentralbenefits          -                    partnercentral    -                 -
    partnercentralchannel           -                    partnercentral    -                 -
    partnercentralselling           -                    partnercentral    -                 -
    personalize                     -                    -                 -                 Personalize
    pinpointsmsvoice                sms-voice            -                 -                 -
    rds                             -                    -                 -                 RDS
    redshiftdata                    -                    -                 -                 Redshift
    resourcegroupstaggingapi        -                    tag               -                 -
    s3                              -                    -                 -                 S3
    sagemaker                       -                    -                 -                 SageMaker
    scheduler                       -                    -                 -                 Scheduler
    secretsmanager                  -                    -                 -                 Secrets Manager
    serverlessapplicationrepository  serverlessrepo      -                 -                 -
    ses                             -                    -                 -                 SES
    sesv2                           -                    -                 -                 SES
    sfn                             stepfunctions        -                 states            Step Functions
    simpledb                        sdb                  -                 -                 -
    sns                             -                    -                 -                 SNS
    sqs                             -                    -                 -                 SQS
    ssm                             -                    -                 -                 Systems Manager
    sso                             -                    sso               -                 -
    sts                             -                    -                 -                 STS
"""


# The prefixes of IAM actions that belong to one service and are no other name of it. They stand here
# because the models of all services would have to be read to find one.
_PREFIXES = """
    abuse               abusesignal
    aco-automation      computeoptimizerautomation
    aidevops            devopsagent
    airflow             mwaa
    airflow-serverless  mwaaserverless
    aoss                opensearchserverless
    aps                 amp
    cases               connectcases
    elasticfilesystem   efs
    geo                 location
    health-agent        connecthealth
    iotjobsdata         iotjobsdataplane
    mechanicalturk      mturk
    mobiletargeting     pinpoint
    neptune-db          neptunedata
    osm                 opensearchmemory
    profile             customerprofiles
    refactor-spaces     migrationhubrefactorspaces
    scn                 supplychain
    sso-oauth           ssooidc
    tag                 resourcegroupstaggingapi
    tax                 taxsettings
    thinclient          workspacesthinclient
"""


class _Row(NamedTuple):
    folder: str | None
    iam: str | None
    integration: str | None
    title: str | None


def _rows() -> Iterator[tuple[str, _Row]]:
    for line in _EXCEPTIONS.strip().splitlines()[1:]:
        identifier, *names = re.split(r"\s{2,}", line.strip())
        yield identifier, _Row(*(None if name == "-" else name for name in names))


_TABLE = dict(_rows())
_BY_PREFIX = dict(line.split() for line in _PREFIXES.strip().splitlines())
_BY_INTEGRATION = {row.integration: identifier for identifier, row in _TABLE.items() if row.integration}


class Service(NamedTuple):
    """A service in the installed botocore."""

    identifier: str
    """The name in the SDK for Java 2, such as ``cognitoidentityprovider``."""
    folder: str
    """The name in botocore and boto3, such as ``cognito-idp``."""

    @property
    def iam_prefix(self) -> str:
        """The prefix of the IAM actions, such as ``states``."""
        row = _TABLE.get(self.identifier)
        if row is not None and row.iam is not None:
            return row.iam
        known = metadata(self.folder)
        return str(known.get("signingName") or known["endpointPrefix"])


@lru_cache(maxsize=1)
def services() -> dict[str, Service]:
    """All services in the installed botocore, by identifier."""
    renamed = {row.folder: identifier for identifier, row in _TABLE.items() if row.folder is not None}
    found = {folder.replace("-", ""): folder for folder in service_folders() if folder not in renamed}
    found |= {renamed[folder]: folder for folder in service_folders() if folder in renamed}
    return {identifier: Service(identifier, folder) for identifier, folder in found.items()}


def identifier_of_integration(name: str) -> str:
    """The identifier of the service of an optimised integration; the name itself if it is not known."""
    return _BY_INTEGRATION.get(name, name)


def integration_of(identifier: str) -> str:
    """The name that a service has in optimised integrations. There may be no such integration."""
    row = _TABLE.get(identifier)
    return row.integration if row is not None and row.integration is not None else identifier


def title_of(name: str) -> str:
    """The display name of a service, by identifier or integration; the name itself if none is known."""
    row = _TABLE.get(identifier_of_integration(name))
    return row.title if row is not None and row.title is not None else name


def find_identifier(name: str) -> str | None:
    """The identifier of a service, by any of its names. None: no service has the name.

    >>> [find_identifier(name) for name in ("cognito-idp", "AWSDatabaseMigrationService", "states")]
    ['cognitoidentityprovider', 'databasemigration', 'sfn']
    >>> find_identifier("elasticfilesystem")
    'efs'
    """
    known = services()
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    by_folder = {service.folder: service.identifier for service in known.values()}
    short = re.sub(r"^(?:amazon|aws)|service$", "", plain)
    guesses = (by_folder.get(name.lower()), _BY_INTEGRATION.get(name), plain, short, _BY_PREFIX.get(name))
    return next((guess for guess in guesses if guess in known), None)


def closest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The text ``; did you mean …?`` with the most similar known name; empty if none is similar.

    Args:
        name: The unknown name.
        known: The known names.
        cutoff: How similar they must be, from 0 to 1.
    """
    by_case = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), by_case, n=1, cutoff=cutoff)
    return f"; did you mean {by_case[near[0]]!r}?" if near else ""


def closest_service(name: str) -> str:
    """The text ``; did you mean …?`` with the most similar service, or advice if none is similar. A name that
    differs by more than a slip is rather that of a service which AWS has closed, or that is new."""
    other = find_identifier(name)
    if other is not None:
        return f"; did you mean {other!r}?"
    advice = "; use its name in the SDK for Java 2, unless the service is new or AWS has closed it"
    return closest(name, services(), cutoff=0.8) or advice
