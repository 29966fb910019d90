"""The IAM actions that an API call requires.

https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import warnings

from stepsched.aws.models import actions
from stepsched.aws.services import closest, closest_service, find_identifier, services
from stepsched.core.errors import ScheduleWarning

_PARTIQL = "dynamodb:PartiQLDelete dynamodb:PartiQLInsert dynamodb:PartiQLSelect dynamodb:PartiQLUpdate"
_NEPTUNE = "neptune-db:DeleteDataViaQuery neptune-db:ReadDataViaQuery neptune-db:WriteDataViaQuery"
_NEPTUNE_GRAPH = (
    "neptune-graph:DeleteDataViaQuery neptune-graph:ReadDataViaQuery neptune-graph:WriteDataViaQuery"
)
# Calls whose IAM actions do not have the name of the call, with the actions that they require.
_IRREGULAR_CALLS = {
    "apigatewaymanagementapi:deleteConnection": "execute-api:ManageConnections",
    "apigatewaymanagementapi:getConnection": "execute-api:ManageConnections",
    "apigatewaymanagementapi:postToConnection": "execute-api:ManageConnections",
    "bedrockruntime:converse": "bedrock:InvokeModel",
    "bedrockruntime:converseStream": "bedrock:InvokeModelWithResponseStream",
    "bedrockruntime:startAsyncInvoke": "bedrock:InvokeModel",
    "budgets:createBudget": "budgets:ModifyBudget",
    "budgets:createNotification": "budgets:ModifyBudget",
    "budgets:createSubscriber": "budgets:ModifyBudget",
    "budgets:deleteBudget": "budgets:ModifyBudget",
    "budgets:deleteNotification": "budgets:ModifyBudget",
    "budgets:deleteSubscriber": "budgets:ModifyBudget",
    "budgets:describeBudget": "budgets:ViewBudget",
    "budgets:describeBudgetNotificationsForAccount": "budgets:ViewBudget",
    "budgets:describeBudgetPerformanceHistory": "budgets:ViewBudget",
    "budgets:describeBudgets": "budgets:ViewBudget",
    "budgets:describeNotificationsForBudget": "budgets:ViewBudget",
    "budgets:describeSubscribersForNotification": "budgets:ViewBudget",
    "budgets:updateBudget": "budgets:ModifyBudget",
    "budgets:updateNotification": "budgets:ModifyBudget",
    "budgets:updateSubscriber": "budgets:ModifyBudget",
    "cloudfront:createDistributionWithTags": "cloudfront:CreateDistribution cloudfront:TagResource",
    "cloudsearchdomain:uploadDocuments": "cloudsearch:document",
    "databasemigration:describeDataProviders": "dms:ListDataProviders",
    "databasemigration:describeExtensionPackAssociations": "dms:ListExtensionPacks",
    "databasemigration:describeInstanceProfiles": "dms:ListInstanceProfiles",
    "databasemigration:describeMetadataModelAssessments": "dms:ListMetadataModelAssessments",
    "databasemigration:describeMetadataModelConversions": "dms:ListMetadataModelConversions",
    "databasemigration:describeMetadataModelExportsAsScript": "dms:ListMetadataModelExports",
    "databasemigration:describeMetadataModelExportsToTarget": "dms:ListMetadataModelExports",
    "databasemigration:describeMigrationProjects": "dms:ListMigrationProjects",
    "databasemigration:modifyConversionConfiguration": "dms:UpdateConversionConfiguration",
    "databasemigration:modifyDataProvider": "dms:UpdateDataProvider",
    "databasemigration:modifyInstanceProfile": "dms:UpdateInstanceProfile",
    "databasemigration:modifyMigrationProject": "dms:UpdateMigrationProject",
    "databasemigration:startExtensionPackAssociation": "dms:AssociateExtensionPack",
    "databasemigration:startMetadataModelExportAsScript": "dms:StartMetadataModelExportAsScripts",
    "detective:listOrganizationAdminAccounts": "detective:ListOrganizationAdminAccount",
    "dynamodb:batchExecuteStatement": _PARTIQL,
    "dynamodb:executeStatement": _PARTIQL,
    "dynamodb:executeTransaction": _PARTIQL,
    "dynamodb:transactGetItems": "dynamodb:GetItem",
    "dynamodb:transactWriteItems": "dynamodb:ConditionCheckItem dynamodb:DeleteItem"
    " dynamodb:PutItem dynamodb:UpdateItem",
    "iotjobsdataplane:startCommandExecution": "iot:StartCommandExecution",
    "keyspaces:createKeyspace": "cassandra:Create",
    "keyspaces:createTable": "cassandra:Create",
    "keyspaces:createType": "cassandra:Create",
    "keyspaces:deleteKeyspace": "cassandra:Drop",
    "keyspaces:deleteTable": "cassandra:Drop",
    "keyspaces:deleteType": "cassandra:Drop",
    "keyspaces:getKeyspace": "cassandra:Select",
    "keyspaces:getTable": "cassandra:Select",
    "keyspaces:getTableAutoScalingSettings": "cassandra:Select",
    "keyspaces:getType": "cassandra:Select",
    "keyspaces:listKeyspaces": "cassandra:Select",
    "keyspaces:listTables": "cassandra:Select",
    "keyspaces:listTagsForResource": "cassandra:Select",
    "keyspaces:listTypes": "cassandra:Select",
    "keyspaces:restoreTable": "cassandra:Restore",
    "keyspaces:updateKeyspace": "cassandra:Alter",
    "keyspaces:updateTable": "cassandra:Alter",
    "kms:reEncrypt": "kms:ReEncryptFrom kms:ReEncryptTo",
    "lambda:getLayerVersionByArn": "lambda:GetLayerVersion",
    "lambda:invoke": "lambda:InvokeFunction",
    "lambda:invokeWithResponseStream": "lambda:InvokeFunction",
    "neptunedata:cancelGremlinQuery": "neptune-db:CancelQuery",
    "neptunedata:cancelOpenCypherQuery": "neptune-db:CancelQuery",
    "neptunedata:deletePropertygraphStatistics": "neptune-db:DeleteStatistics",
    "neptunedata:deleteSparqlStatistics": "neptune-db:DeleteStatistics",
    "neptunedata:executeFastReset": "neptune-db:ResetDatabase",
    "neptunedata:executeGremlinExplainQuery": _NEPTUNE,
    "neptunedata:executeGremlinProfileQuery": _NEPTUNE,
    "neptunedata:executeGremlinQuery": _NEPTUNE,
    "neptunedata:executeOpenCypherExplainQuery": _NEPTUNE,
    "neptunedata:executeOpenCypherQuery": _NEPTUNE,
    "neptunedata:getGremlinQueryStatus": "neptune-db:GetQueryStatus",
    "neptunedata:getMLDataProcessingJob": "neptune-db:GetMLDataProcessingJobStatus",
    "neptunedata:getMLEndpoint": "neptune-db:GetMLEndpointStatus",
    "neptunedata:getMLModelTrainingJob": "neptune-db:GetMLModelTrainingJobStatus",
    "neptunedata:getMLModelTransformJob": "neptune-db:GetMLModelTransformJobStatus",
    "neptunedata:getOpenCypherQueryStatus": "neptune-db:GetQueryStatus",
    "neptunedata:getPropertygraphStatistics": "neptune-db:GetStatisticsStatus",
    "neptunedata:getPropertygraphSummary": "neptune-db:GetGraphSummary",
    "neptunedata:getRDFGraphSummary": "neptune-db:GetGraphSummary",
    "neptunedata:getSparqlStatistics": "neptune-db:GetStatisticsStatus",
    "neptunedata:listGremlinQueries": "neptune-db:GetQueryStatus",
    "neptunedata:listOpenCypherQueries": "neptune-db:GetQueryStatus",
    "neptunedata:managePropertygraphStatistics": "neptune-db:ManageStatistics",
    "neptunedata:manageSparqlStatistics": "neptune-db:ManageStatistics",
    "neptunegraph:executeQuery": _NEPTUNE_GRAPH,
    "neptunegraph:getQuery": "neptune-graph:GetQueryStatus",
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
    "s3control:deletePublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "s3control:getPublicAccessBlock": "s3:GetAccountPublicAccessBlock",
    "s3control:putPublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "sesv2:sendEmail": "ses:SendEmail ses:SendRawEmail",
    "sns:publishBatch": "sns:Publish",
    "sqs:changeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:deleteMessageBatch": "sqs:DeleteMessage",
    "sqs:sendMessageBatch": "sqs:SendMessage",
    "taxsettings:batchGetTaxExemptions": "tax:GetExemptions",
    "taxsettings:getTaxExemptionTypes": "tax:GetExemptions",
    "taxsettings:listTaxExemptions": "tax:GetExemptions",
    "taxsettings:putTaxExemption": "tax:UpdateExemptions",
    "timestreamquery:query": "timestream:Select",
}
# Services that authorise by HTTP verb and path, which do not follow from the name of a call.
AUTHORISED_BY_PATH = ("apigateway", "apigatewayv2")


def iam_actions(service: str, action: str) -> list[str]:
    """The IAM actions that an API call requires.

    Args:
        service: The name of the service in the SDK. A name that the installed botocore does not know at all
            is used as the prefix of the IAM action, with a :class:`ScheduleWarning`: the service may be
            newer.
        action: The action in lower camel case.

    Raises:
        ValueError: ``service`` is another name of a known service, such as its name in boto3 or its prefix in
            IAM; or the known service has no such action.
    """
    irregular = _IRREGULAR_CALLS.get(f"{service}:{action}")
    if irregular is not None:
        return irregular.split()
    name = f"{action[:1].upper()}{action[1:]}"
    known, right = services().get(service), find_identifier(service)
    if known is None and right is not None:
        raise ValueError(f"expected the SDK's name of a service, got {service!r}; use {right!r}")
    if known is None:
        warnings.warn(
            f"this botocore knows no service {service!r}, so {service}:{name} is not checked"
            f"{closest_service(service)}",
            ScheduleWarning,
            stacklevel=5,
        )
        return [f"{service}:{name}"]
    named = actions(known.folder)
    if action not in named:
        raise ValueError(f"{service!r} has no action {action!r}{closest(action, named)}")
    return [f"{known.iam_prefix}:{name}"]
