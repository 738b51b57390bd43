"""The environment variables that a function finds, and the level of its root logger."""

from __future__ import annotations

from datetime import UTC, datetime

from grader.cloud.function.environment import Environment
from grader.cloud.function.spec import FunctionSpec


def log_level(spec: FunctionSpec) -> str:
    """Lambda sets the root logger's level only for JSON logs.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    if spec.log_format != "JSON":
        return ""
    level = (spec.application_log_level or "INFO").upper()
    # Python knows two of Lambda's levels under other names.
    return {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL"}.get(level, level)


def variables(
    spec: FunctionSpec, environment: Environment, identity: str, now_ms: int
) -> dict[str, str]:
    """The template's variables, then those that Lambda reserves.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    day = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y/%m/%d")
    reserved = {
        "_HANDLER": spec.handler,
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group or f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{day}/[$LATEST]{identity}",
        "AWS_LAMBDA_LOG_FORMAT": spec.log_format,
        "AWS_ACCESS_KEY_ID": "ASIA" + identity[:16].upper(),
        "AWS_SECRET_ACCESS_KEY": "secret/" + identity,
        "AWS_SESSION_TOKEN": "token/" + identity,
        "LAMBDA_TASK_ROOT": environment.task,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "TZ": ":UTC",
        # boto3 otherwise puts the account id into host names that moto does not know.
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        # Nothing of the machine's own configuration is looked for.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": f"{environment.tmp}/.no-config",
        "AWS_SHARED_CREDENTIALS_FILE": f"{environment.tmp}/.no-credentials",
        "HOME": environment.tmp,
    }
    if spec.log_format == "JSON":
        reserved["AWS_LAMBDA_LOG_LEVEL"] = (spec.application_log_level or "INFO").upper()
    if environment.tmp != "/tmp":
        reserved["TMPDIR"] = environment.tmp
    usual = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8"}
    return {**usual, **spec.environment, **reserved}
