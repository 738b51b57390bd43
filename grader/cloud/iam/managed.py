"""AWS's managed policies that roles of Lambda functions carry, as their documents say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
_READ_STREAM = [
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
]
_NETWORK = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
]
_TRACE = [
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:GetSamplingStatisticSummaries",
]


def _allow(*actions: str, resource: str = "*") -> list[dict[str, Any]]:
    return [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]


# By the path after ":policy/". Statements about services that the emulated account does not have
# and that carry conditions on them (passing roles to autoscaling, service-linked roles, text
# messages) are left out: they can neither allow nor deny anything that is asked here.
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
MANAGED_POLICIES: Mapping[str, list[dict[str, Any]]] = MappingProxyType(
    {
        "service-role/AWSLambdaBasicExecutionRole": _allow(*_LOGS),
        "service-role/AWSLambdaDynamoDBExecutionRole": _allow(*_READ_STREAM, *_LOGS),
        "service-role/AWSLambdaSQSQueueExecutionRole": _allow(
            "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *_LOGS
        ),
        "service-role/AWSLambdaENIManagementAccess": _allow(
            *(one for one in _NETWORK if one != "ec2:DescribeSubnets")
        ),
        "service-role/AWSLambdaRole": _allow("lambda:InvokeFunction"),
        "service-role/AWSLambdaKinesisExecutionRole": _allow(
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
            "kinesis:ListStreams",
            "kinesis:SubscribeToShard",
            *_LOGS,
        ),
        "service-role/AWSLambdaVPCAccessExecutionRole": _allow(*_LOGS, *_NETWORK),
        "AWSLambdaInvocation-DynamoDB": _allow("lambda:InvokeFunction", *_READ_STREAM),
        "AWSLambdaExecute": [
            *_allow("logs:*", resource="arn:aws:logs:*:*:*"),
            *_allow("s3:GetObject", "s3:PutObject", resource="arn:aws:s3:::*"),
        ],
        "AmazonDynamoDBFullAccess": _allow(
            "dynamodb:*",
            "dax:*",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarmHistory",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:DescribeAlarmsForMetric",
            "cloudwatch:GetMetricStatistics",
            "cloudwatch:ListMetrics",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:GetMetricData",
            "kms:DescribeKey",
            "kms:ListAliases",
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:ListSubscriptions",
            "sns:ListSubscriptionsByTopic",
            "sns:ListTopics",
            "sns:Subscribe",
            "sns:Unsubscribe",
            "sns:SetTopicAttributes",
            "lambda:CreateFunction",
            "lambda:ListFunctions",
            "lambda:ListEventSourceMappings",
            "lambda:CreateEventSourceMapping",
            "lambda:DeleteEventSourceMapping",
            "lambda:GetFunctionConfiguration",
            "lambda:DeleteFunction",
        ),
        "AmazonDynamoDBFullAccess_v2": _allow(
            "dynamodb:*",
            "dax:*",
            "kms:DescribeKey",
            "kms:ListAliases",
            "lambda:ListEventSourceMappings",
            "lambda:ListFunctions",
            "sns:ListTopics",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricStatistics",
            "cloudwatch:GetMetricData",
        ),
        "AmazonDynamoDBReadOnlyAccess": _allow(
            "dynamodb:BatchGetItem",
            "dynamodb:Describe*",
            "dynamodb:List*",
            "dynamodb:GetAbacStatus",
            "dynamodb:GetItem",
            "dynamodb:GetResourcePolicy",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:PartiQLSelect",
            "dax:Describe*",
            "dax:List*",
            "dax:GetItem",
            "dax:BatchGetItem",
            "dax:Query",
            "dax:Scan",
            "cloudwatch:DescribeAlarmHistory",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:DescribeAlarmsForMetric",
            "cloudwatch:GetMetricStatistics",
            "cloudwatch:ListMetrics",
            "cloudwatch:GetMetricData",
            "sns:ListSubscriptionsByTopic",
            "sns:ListTopics",
            "lambda:ListFunctions",
            "lambda:ListEventSourceMappings",
            "lambda:GetFunctionConfiguration",
        ),
        "AmazonSQSFullAccess": _allow("sqs:*"),
        "AmazonSQSReadOnlyAccess": _allow(
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ListDeadLetterSourceQueues",
            "sqs:ListQueues",
            "sqs:ListMessageMoveTasks",
            "sqs:ListQueueTags",
        ),
        "AmazonSNSFullAccess": _allow("sns:*"),
        "AmazonS3FullAccess": _allow("s3:*", "s3-object-lambda:*"),
        "AmazonS3ReadOnlyAccess": _allow(
            "s3:Get*",
            "s3:List*",
            "s3:Describe*",
            "s3-object-lambda:Get*",
            "s3-object-lambda:List*",
        ),
        "CloudWatchLogsFullAccess": _allow(
            "logs:*", "cloudwatch:GenerateQuery", "cloudwatch:GenerateQueryResultsSummary"
        ),
        "CloudWatchFullAccess": _allow(
            "autoscaling:Describe*",
            "cloudwatch:*",
            "logs:*",
            "sns:*",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRole",
            "oam:ListSinks",
        ),
        # SAM attaches this one to every function with tracing.
        "AWSXrayWriteOnlyAccess": _allow(*_TRACE),
        "AWSXRayDaemonWriteAccess": _allow(*_TRACE),
        "CloudWatchLambdaInsightsExecutionRolePolicy": [
            *_allow("logs:CreateLogGroup"),
            *_allow(
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                resource="arn:aws:logs:*:*:log-group:/aws/lambda-insights:*",
            ),
        ],
        "AdministratorAccess": _allow("*"),
        "PowerUserAccess": [
            {
                "Effect": "Allow",
                "NotAction": ["iam:*", "organizations:*", "account:*"],
                "Resource": "*",
            },
            *_allow(
                "account:GetAccountInformation",
                "account:ListRegions",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeEffectivePolicy",
                "organizations:DescribeOrganization",
            ),
        ],
    }
)
