"""The IAM actions that an API call requires.

https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

from stepsched.aws.services import find_identifier, identifier_of_integration, services

_PARTIQL = "dynamodb:PartiQLDelete dynamodb:PartiQLInsert dynamodb:PartiQLSelect dynamodb:PartiQLUpdate"
# Calls whose IAM actions do not have the name of the call, with the actions that they require.
_IRREGULAR_CALLS = {
    "apigatewaymanagementapi:deleteConnection": "execute-api:ManageConnections",
    "apigatewaymanagementapi:getConnection": "execute-api:ManageConnections",
    "apigatewaymanagementapi:postToConnection": "execute-api:ManageConnections",
    "bedrockruntime:converse": "bedrock:InvokeModel",
    "bedrockruntime:converseStream": "bedrock:InvokeModelWithResponseStream",
    "bedrockruntime:startAsyncInvoke": "bedrock:InvokeModel",
    "dynamodb:batchExecuteStatement": _PARTIQL,
    "dynamodb:executeStatement": _PARTIQL,
    "dynamodb:executeTransaction": _PARTIQL,
    "dynamodb:transactGetItems": "dynamodb:GetItem",
    "dynamodb:transactWriteItems": "dynamodb:ConditionCheckItem dynamodb:DeleteItem"
    " dynamodb:PutItem dynamodb:UpdateItem",
    "kms:reEncrypt": "kms:ReEncryptFrom kms:ReEncryptTo",
    "lambda:getLayerVersionByArn": "lambda:GetLayerVersion",
    "lambda:invoke": "lambda:InvokeFunction",
    "lambda:invokeWithResponseStream": "lambda:InvokeFunction",
    "s3:completeMultipartUpload": "s3:PutObject",
    "s3:copyObject": "s3:GetObject s3:PutObject",
    "s3:createBucketMetadataConfiguration": "s3:CreateBucketMetadataTableConfiguration",
    "s3:createMultipartUpload": "s3:PutObject",
    "s3:createSession": "s3express:CreateSession",
    "s3:deleteBucketAnalyticsConfiguration": "s3:PutAnalyticsConfiguration",
    "s3:deleteBucketCors": "s3:PutBucketCORS",
    "s3:deleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:deleteBucketIntelligentTieringConfiguration": "s3:PutIntelligentTieringConfiguration",
    "s3:deleteBucketInventoryConfiguration": "s3:PutInventoryConfiguration",
    "s3:deleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:deleteBucketMetadataConfiguration": "s3:DeleteBucketMetadataTableConfiguration",
    "s3:deleteBucketMetricsConfiguration": "s3:PutMetricsConfiguration",
    "s3:deleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:deleteBucketReplication": "s3:PutReplicationConfiguration",
    "s3:deleteBucketTagging": "s3:PutBucketTagging",
    "s3:deleteObjects": "s3:DeleteObject",
    "s3:deletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:getBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:getBucketAnalyticsConfiguration": "s3:GetAnalyticsConfiguration",
    "s3:getBucketCors": "s3:GetBucketCORS",
    "s3:getBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:getBucketIntelligentTieringConfiguration": "s3:GetIntelligentTieringConfiguration",
    "s3:getBucketInventoryConfiguration": "s3:GetInventoryConfiguration",
    "s3:getBucketLifecycle": "s3:GetLifecycleConfiguration",
    "s3:getBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:getBucketMetadataConfiguration": "s3:GetBucketMetadataTableConfiguration",
    "s3:getBucketMetricsConfiguration": "s3:GetMetricsConfiguration",
    "s3:getBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:getBucketReplication": "s3:GetReplicationConfiguration",
    "s3:getObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:getPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:headBucket": "s3:ListBucket",
    "s3:headObject": "s3:GetObject",
    "s3:listBucketAnalyticsConfigurations": "s3:GetAnalyticsConfiguration",
    "s3:listBucketIntelligentTieringConfigurations": "s3:GetIntelligentTieringConfiguration",
    "s3:listBucketInventoryConfigurations": "s3:GetInventoryConfiguration",
    "s3:listBucketMetricsConfigurations": "s3:GetMetricsConfiguration",
    "s3:listBuckets": "s3:ListAllMyBuckets",
    "s3:listDirectoryBuckets": "s3express:ListAllMyDirectoryBuckets",
    "s3:listMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:listObjectVersions": "s3:ListBucketVersions",
    "s3:listObjects": "s3:ListBucket",
    "s3:listObjectsV2": "s3:ListBucket",
    "s3:listParts": "s3:ListMultipartUploadParts",
    "s3:putBucketAccelerateConfiguration": "s3:PutAccelerateConfiguration",
    "s3:putBucketAnalyticsConfiguration": "s3:PutAnalyticsConfiguration",
    "s3:putBucketCors": "s3:PutBucketCORS",
    "s3:putBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:putBucketIntelligentTieringConfiguration": "s3:PutIntelligentTieringConfiguration",
    "s3:putBucketInventoryConfiguration": "s3:PutInventoryConfiguration",
    "s3:putBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:putBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:putBucketMetricsConfiguration": "s3:PutMetricsConfiguration",
    "s3:putBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:putBucketReplication": "s3:PutReplicationConfiguration",
    "s3:putObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "s3:putPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:selectObjectContent": "s3:GetObject",
    "s3:uploadPart": "s3:PutObject",
    "s3:uploadPartCopy": "s3:GetObject s3:PutObject",
    "s3:writeGetObjectResponse": "s3-object-lambda:WriteGetObjectResponse",
    "sesv2:sendEmail": "ses:SendEmail ses:SendRawEmail",
    "sns:publishBatch": "sns:Publish",
    "sqs:changeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:deleteMessageBatch": "sqs:DeleteMessage",
    "sqs:sendMessageBatch": "sqs:SendMessage",
}
# Services that authorise by HTTP verb and path, which do not follow from the name of a call.
AUTHORISED_BY_PATH = ("apigateway", "apigatewayv2")


def iam_actions(service: str, action: str) -> list[str]:
    """The IAM actions that an API call requires.

    Args:
        service: The name of the service in the SDK, or in an optimised integration. A name that the installed
            botocore does not know is used as the prefix of the IAM action.
        action: The action in lower camel case.

    Raises:
        ValueError: ``service`` is another name of a known service, such as its name in boto3.
    """
    identifier = identifier_of_integration(service)
    irregular = _IRREGULAR_CALLS.get(f"{identifier}:{action}")
    if irregular is not None:
        return irregular.split()
    known, right = services().get(identifier), find_identifier(identifier)
    if known is None and right is not None:
        raise ValueError(f"expected the SDK's name of a service, got {service!r}; use {right!r}")
    prefix = service if known is None else known.iam_prefix
    return [f"{prefix}:{action[:1].upper()}{action[1:]}"]
