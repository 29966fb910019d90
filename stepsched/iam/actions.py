"""The names that IAM has for what an SDK calls.

https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

# What a service's target is asked to do, by the service that its ARN names.
TARGET_ACTIONS = {
    "codebuild": "codebuild:StartBuild",
    "codepipeline": "codepipeline:StartPipelineExecution",
    "events": "events:PutEvents",
    "firehose": "firehose:PutRecord",
    "inspector": "inspector:StartAssessmentRun",
    "kinesis": "kinesis:PutRecord",
    "lambda": "lambda:InvokeFunction",
    "sagemaker": "sagemaker:StartPipelineExecution",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
    "states": "states:StartExecution",
}

# IAM's prefix is the SDK's identifier of the service, but for these: with hyphens …
_HYPHENATED = """
    access-analyzer acm-pca app-integrations application-autoscaling application-cost-profiler
    application-signals arc-region-switch arc-zonal-shift autoscaling-plans backup-gateway backup-search
    bcm-data-exports bcm-pricing-calculator cleanrooms-ml cloudfront-keyvaluestore cloudtrail-data
    codeguru-profiler codeguru-reviewer codeguru-security codestar-connections codestar-notifications
    cognito-identity cognito-sync compute-optimizer connect-campaigns cost-optimization-hub devops-guru
    docdb-elastic ec2-instance-connect ecr-public eks-auth emr-containers emr-serverless geo-maps geo-places
    geo-routes inspector-scan kendra-ranking license-manager license-manager-linux-subscriptions
    license-manager-user-subscriptions managedblockchain-query mediapackage-vod medical-imaging
    migrationhub-orchestrator migrationhub-strategy neptune-graph network-firewall notifications-contacts
    payment-cryptography pca-connector-ad pca-connector-scep rds-data redshift-data redshift-serverless
    resource-explorer-2 resource-groups route53-recovery-cluster route53-recovery-control-config
    route53-recovery-readiness s3-outposts sagemaker-geospatial security-ir snow-device-management
    social-messaging ssm-contacts ssm-guiconnect ssm-incidents ssm-quicksetup ssm-sap timestream-influxdb
    vpc-lattice waf-regional workspaces-web
"""
# … and by another name: IAM's prefix, and the identifiers that go by it.
_RENAMED = {
    "airflow": "mwaa",
    "aoss": "opensearchserverless",
    "appconfig": "appconfigdata",
    "aps": "amp",
    "bedrock": "bedrockagent bedrockagentruntime bedrockdataautomation bedrockdataautomationruntime"
    " bedrockruntime",
    "bedrock-agentcore": "bedrockagentcore bedrockagentcorecontrol",
    "cases": "connectcases",
    "cassandra": "keyspaces",
    "ce": "costexplorer",
    "chime": "chimesdkidentity chimesdkmediapipelines chimesdkmeetings chimesdkmessaging chimesdkvoice",
    "cloudformation": "cloudcontrol",
    "cloudhsm": "cloudhsmv2",
    "cognito-idp": "cognitoidentityprovider",
    "config": "configservice",
    "connect-campaigns": "connectcampaignsv2",
    "cur": "costandusagereportservice",
    "discovery": "applicationdiscoveryservice",
    "dms": "databasemigrationservice",
    "ds": "directoryservice",
    "ds-data": "directoryservicedata",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elasticloadbalancingv2",
    "elasticmapreduce": "emr",
    "es": "elasticsearchservice opensearch",
    "events": "eventbridge cloudwatchevents",
    "forecast": "forecastquery",
    "geo": "location",
    "greengrass": "greengrassv2",
    "iot": "iotdataplane iotsecuretunneling",
    "iotjobsdata": "iotjobsdataplane",
    "ivs": "ivsrealtime",
    "kinesisanalytics": "kinesisanalyticsv2",
    "kinesisvideo": "kinesisvideosignaling kinesisvideowebrtcstorage",
    "lex": "lexmodelbuildingservice lexmodelsv2 lexruntimeservice lexruntimev2",
    "logs": "cloudwatchlogs",
    "mechanicalturk": "mturk",
    "mediastore": "mediastoredata",
    "mgh": "migrationhub migrationhubconfig",
    "mobiletargeting": "pinpoint",
    "neptune-db": "neptunedata",
    "payment-cryptography": "paymentcryptographydata",
    "personalize": "personalizeevents",
    "profile": "customerprofiles",
    "rds": "docdb neptune",
    "refactor-spaces": "migrationhubrefactorspaces",
    "s3": "s3control",
    "sagemaker": "sagemakera2iruntime sagemakeredge sagemakerfeaturestoreruntime sagemakermetrics"
    " sagemakerruntime",
    "scn": "supplychain",
    "sdb": "simpledb",
    "serverlessrepo": "serverlessapplicationrepository",
    "servicecatalog": "servicecatalogappregistry",
    "ses": "pinpointemail sesv2",
    "sms-voice": "pinpointsmsvoice pinpointsmsvoicev2",
    "sso": "ssoadmin",
    "states": "sfn",
    "tag": "resourcegroupstaggingapi",
    "tax": "taxsettings",
    "thinclient": "workspacesthinclient",
    "timestream": "timestreamquery timestreamwrite",
    "wisdom": "qconnect",
}
PREFIXES = {prefix.replace("-", ""): prefix for prefix in _HYPHENATED.split()} | {
    service: prefix for prefix, services in _RENAMED.items() for service in services.split()
}

_PARTIQL = "dynamodb:PartiQLDelete dynamodb:PartiQLInsert dynamodb:PartiQLSelect dynamodb:PartiQLUpdate"
# The action is the call's own name, but for these calls: each with the actions that IAM asks for.
_IRREGULAR_CALLS = {
    "apigatewaymanagementapi:deleteConnection": "execute-api:ManageConnections",
    "apigatewaymanagementapi:postToConnection": "execute-api:ManageConnections",
    "bedrockruntime:converse": "bedrock:InvokeModel",
    "bedrockruntime:startAsyncInvoke": "bedrock:InvokeModel",
    "dynamodb:batchExecuteStatement": _PARTIQL,
    "dynamodb:executeStatement": _PARTIQL,
    "dynamodb:executeTransaction": _PARTIQL,
    "dynamodb:transactWriteItems": "dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:PutItem"
    " dynamodb:UpdateItem",
    "lambda:invoke": "lambda:InvokeFunction",
    "s3:completeMultipartUpload": "s3:PutObject",
    "s3:copyObject": "s3:GetObject s3:PutObject",
    "s3:createMultipartUpload": "s3:PutObject",
    "s3:deleteBucketCors": "s3:PutBucketCORS",
    "s3:deleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:deleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:deleteBucketReplication": "s3:PutReplicationConfiguration",
    "s3:deleteBucketTagging": "s3:PutBucketTagging",
    "s3:deleteObjects": "s3:DeleteObject",
    "s3:deletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:headBucket": "s3:ListBucket",
    "s3:headObject": "s3:GetObject",
    "s3:putBucketCors": "s3:PutBucketCORS",
    "s3:putBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:putBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:putBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:putBucketReplication": "s3:PutReplicationConfiguration",
    "s3:putPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:uploadPart": "s3:PutObject",
    "s3:uploadPartCopy": "s3:GetObject s3:PutObject",
    "sesv2:sendEmail": "ses:SendEmail ses:SendRawEmail",
    "sns:publishBatch": "sns:Publish",
    "sqs:changeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:deleteMessageBatch": "sqs:DeleteMessage",
    "sqs:sendMessageBatch": "sqs:SendMessage",
}
# These are authorised by HTTP verb and path, which a call's name does not tell.
BY_PATH = ("apigateway", "apigatewayv2")


def iam_actions(service: str, action: str) -> list[str]:
    """What IAM calls the SDK's call."""
    irregular = _IRREGULAR_CALLS.get(f"{service}:{action}")
    if irregular is not None:
        return irregular.split()
    return [f"{PREFIXES.get(service.replace('-', ''), service)}:{action[:1].upper()}{action[1:]}"]


# -- The documents ------------------------------------------------------------------------------------
