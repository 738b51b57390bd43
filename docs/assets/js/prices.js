// Written by `labs dev sync` from grader/review/pricing.toml. Do not edit.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};
Object.assign(globalThis.streamlabs, {
 "prices": [
  {
   "id": "lambda_requests",
   "name": "Lambda requests",
   "unit": "request",
   "per": 1000000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.2
    }
   ],
   "quota": "lambda_requests",
   "knownUpTo": null
  },
  {
   "id": "lambda_gb_seconds_x86",
   "name": "Lambda compute, x86_64",
   "unit": "GB-second",
   "per": 1.0,
   "tiers": [
    {
     "upTo": 6000000000.0,
     "price": 1.66667e-05
    },
    {
     "upTo": 15000000000.0,
     "price": 1.5e-05
    },
    {
     "upTo": null,
     "price": 1.33334e-05
    }
   ],
   "quota": "lambda_gb_seconds",
   "knownUpTo": null
  },
  {
   "id": "lambda_gb_seconds_arm",
   "name": "Lambda compute, arm64",
   "unit": "GB-second",
   "per": 1.0,
   "tiers": [
    {
     "upTo": 7500000000.0,
     "price": 1.33334e-05
    },
    {
     "upTo": 18750000000.0,
     "price": 1.20001e-05
    },
    {
     "upTo": null,
     "price": 1.06667e-05
    }
   ],
   "quota": "lambda_gb_seconds",
   "knownUpTo": null
  },
  {
   "id": "lambda_tmp_gb_seconds",
   "name": "Lambda /tmp above 512 MB",
   "unit": "GB-second",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 3.09e-08
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "lambda_provisioned_gb_seconds_x86",
   "name": "Provisioned concurrency kept ready, x86_64",
   "unit": "GB-second",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 4.1667e-06
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "lambda_provisioned_run_gb_seconds_x86",
   "name": "Provisioned concurrency at work, x86_64",
   "unit": "GB-second",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 9.7222e-06
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "lambda_provisioned_gb_seconds_arm",
   "name": "Provisioned concurrency kept ready, arm64",
   "unit": "GB-second",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 3.3333e-06
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "lambda_provisioned_run_gb_seconds_arm",
   "name": "Provisioned concurrency at work, arm64",
   "unit": "GB-second",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 7.7778e-06
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "lambda_provisioned_requests",
   "name": "Lambda requests with provisioned concurrency",
   "unit": "request",
   "per": 1000000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.2
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "dynamodb_write_requests",
   "name": "DynamoDB on-demand writes",
   "unit": "write request unit",
   "per": 1000000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.625
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "dynamodb_read_requests",
   "name": "DynamoDB on-demand reads",
   "unit": "read request unit",
   "per": 1000000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.125
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "dynamodb_wcu_hours",
   "name": "DynamoDB provisioned write capacity",
   "unit": "WCU-hour",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.00065
    }
   ],
   "quota": "dynamodb_wcu",
   "knownUpTo": null
  },
  {
   "id": "dynamodb_rcu_hours",
   "name": "DynamoDB provisioned read capacity",
   "unit": "RCU-hour",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.00013
    }
   ],
   "quota": "dynamodb_rcu",
   "knownUpTo": null
  },
  {
   "id": "dynamodb_storage_gb",
   "name": "DynamoDB storage",
   "unit": "GB-month",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.25
    }
   ],
   "quota": "dynamodb_storage_gb",
   "knownUpTo": null
  },
  {
   "id": "dynamodb_ia_write_requests",
   "name": "DynamoDB on-demand writes, IA",
   "unit": "write request unit",
   "per": 1000000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.78125
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "dynamodb_ia_read_requests",
   "name": "DynamoDB on-demand reads, IA",
   "unit": "read request unit",
   "per": 1000000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.15625
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "dynamodb_ia_wcu_hours",
   "name": "DynamoDB write capacity, IA",
   "unit": "WCU-hour",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.0008125
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "dynamodb_ia_rcu_hours",
   "name": "DynamoDB read capacity, IA",
   "unit": "RCU-hour",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.0001625
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "dynamodb_ia_storage_gb",
   "name": "DynamoDB storage, IA",
   "unit": "GB-month",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.1
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "stream_reads_by_lambda",
   "name": "Stream reads, Lambda triggers",
   "unit": "GetRecords call",
   "per": 100000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.0
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "stream_reads_by_others",
   "name": "Stream reads by other readers",
   "unit": "GetRecords call",
   "per": 100000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.02
    }
   ],
   "quota": "stream_reads_by_others",
   "knownUpTo": null
  },
  {
   "id": "alarms",
   "name": "Alarms",
   "unit": "alarm",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.1
    }
   ],
   "quota": "alarms",
   "knownUpTo": null
  },
  {
   "id": "alarms_high_resolution",
   "name": "High-resolution alarms",
   "unit": "metric in an alarm",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.3
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "alarms_composite",
   "name": "Composite alarms",
   "unit": "alarm",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.5
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "alarms_anomaly",
   "name": "Anomaly detection alarms",
   "unit": "alarm",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.3
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "custom_metrics",
   "name": "Custom metrics",
   "unit": "metric",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.3
    }
   ],
   "quota": "custom_metrics",
   "knownUpTo": 10000.0
  },
  {
   "id": "dashboards",
   "name": "Dashboards",
   "unit": "dashboard",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 3.0
    }
   ],
   "quota": "dashboards",
   "knownUpTo": null
  },
  {
   "id": "dashboards_large",
   "name": "Dashboards, over 50 metrics",
   "unit": "dashboard",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 3.0
    }
   ],
   "quota": null,
   "knownUpTo": null
  },
  {
   "id": "put_metric_data",
   "name": "PutMetricData requests",
   "unit": "request",
   "per": 1000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.01
    }
   ],
   "quota": "cloudwatch_requests",
   "knownUpTo": null
  },
  {
   "id": "logs_ingested_gb",
   "name": "Logs written",
   "unit": "GB",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.5
    }
   ],
   "quota": "logs_gb",
   "knownUpTo": 10240.0
  },
  {
   "id": "logs_stored_gb",
   "name": "Logs kept",
   "unit": "GB-month",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.03
    }
   ],
   "quota": "logs_gb",
   "knownUpTo": null
  },
  {
   "id": "logs_scanned_gb",
   "name": "Logs searched",
   "unit": "GB",
   "per": 1.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.005
    }
   ],
   "quota": "logs_gb",
   "knownUpTo": null
  },
  {
   "id": "sqs_requests",
   "name": "SQS requests, standard queues",
   "unit": "request",
   "per": 1000000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.4
    }
   ],
   "quota": "sqs_requests",
   "knownUpTo": null
  },
  {
   "id": "sqs_fifo_requests",
   "name": "SQS requests, FIFO queues",
   "unit": "request",
   "per": 1000000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.5
    }
   ],
   "quota": "sqs_requests",
   "knownUpTo": null
  },
  {
   "id": "sns_publishes",
   "name": "SNS publishes",
   "unit": "publish",
   "per": 1000000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 0.5
    }
   ],
   "quota": "sns_publishes",
   "knownUpTo": null
  },
  {
   "id": "sns_emails",
   "name": "SNS e-mails",
   "unit": "e-mail",
   "per": 100000.0,
   "tiers": [
    {
     "upTo": null,
     "price": 2.0
    }
   ],
   "quota": "sns_emails",
   "knownUpTo": null
  }
 ],
 "quotas": {
  "lambda_requests": {
   "id": "lambda_requests",
   "amount": 1000000.0,
   "hourly": false
  },
  "lambda_gb_seconds": {
   "id": "lambda_gb_seconds",
   "amount": 400000.0,
   "hourly": false
  },
  "dynamodb_wcu": {
   "id": "dynamodb_wcu",
   "amount": 25.0,
   "hourly": true
  },
  "dynamodb_rcu": {
   "id": "dynamodb_rcu",
   "amount": 25.0,
   "hourly": true
  },
  "dynamodb_storage_gb": {
   "id": "dynamodb_storage_gb",
   "amount": 25.0,
   "hourly": false
  },
  "stream_reads_by_others": {
   "id": "stream_reads_by_others",
   "amount": 2500000.0,
   "hourly": false
  },
  "custom_metrics": {
   "id": "custom_metrics",
   "amount": 10.0,
   "hourly": false
  },
  "alarms": {
   "id": "alarms",
   "amount": 10.0,
   "hourly": false
  },
  "dashboards": {
   "id": "dashboards",
   "amount": 3.0,
   "hourly": false
  },
  "cloudwatch_requests": {
   "id": "cloudwatch_requests",
   "amount": 1000000.0,
   "hourly": false
  },
  "logs_gb": {
   "id": "logs_gb",
   "amount": 5.0,
   "hourly": false
  },
  "sqs_requests": {
   "id": "sqs_requests",
   "amount": 1000000.0,
   "hourly": false
  },
  "sns_publishes": {
   "id": "sns_publishes",
   "amount": 1000000.0,
   "hourly": false
  },
  "sns_emails": {
   "id": "sns_emails",
   "amount": 1000.0,
   "hourly": false
  }
 }
});
