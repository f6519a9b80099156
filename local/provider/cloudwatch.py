"""CloudWatch: alarms over metrics, and dashboards."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.schema import (
    Created,
    Inputs,
    ResourceType,
    fields,
    key_value_tags,
    physical_name,
    present,
)

ALARM_NAME_LENGTH = 255


def _metric_alarm(aws: Aws, name: str, inputs: Inputs) -> Created:
    alarm = physical_name(inputs, name, max_length=ALARM_NAME_LENGTH)
    cloudwatch = aws.client("cloudwatch")
    request: Any = {
        "AlarmName": alarm,
        "Tags": key_value_tags(inputs),
        "Dimensions": [
            {"Name": key, "Value": value} for key, value in (inputs.get("dimensions") or {}).items()
        ],
        **present(
            inputs,
            ActionsEnabled="actionsEnabled",
            AlarmActions="alarmActions",
            AlarmDescription="alarmDescription",
            ComparisonOperator="comparisonOperator",
            DatapointsToAlarm="datapointsToAlarm",
            EvaluationPeriods="evaluationPeriods",
            ExtendedStatistic="extendedStatistic",
            InsufficientDataActions="insufficientDataActions",
            MetricName="metricName",
            Namespace="namespace",
            OKActions="okActions",
            Period="period",
            Statistic="statistic",
            Threshold="threshold",
            TreatMissingData="treatMissingData",
            Unit="unit",
        ),
    }
    cloudwatch.put_metric_alarm(**request)
    account = aws.client("sts").get_caller_identity()["Account"]
    arn = f"arn:aws:cloudwatch:{aws.region}:{account}:alarm:{alarm}"
    return Created(id=alarm, outputs={"name": alarm, "arn": arn})


def _dashboard(aws: Aws, _name: str, inputs: Inputs) -> Created:
    dashboard = inputs["dashboardName"]
    aws.client("cloudwatch").put_dashboard(DashboardName=dashboard, DashboardBody=inputs["dashboardBody"])
    account = aws.client("sts").get_caller_identity()["Account"]
    return Created(
        id=dashboard, outputs={"dashboardArn": f"arn:aws:cloudwatch::{account}:dashboard/{dashboard}"}
    )


RESOURCE_TYPES = {
    "aws:cloudwatch/dashboard:Dashboard": ResourceType(
        properties=fields("dashboardBody", "dashboardName"), create=_dashboard
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ResourceType(
        properties=fields(
            *("actionsEnabled", "alarmActions", "alarmDescription", "comparisonOperator"),
            *("datapointsToAlarm", "dimensions", "evaluationPeriods", "extendedStatistic"),
            *("insufficientDataActions", "metricName", "name", "namespace", "okActions", "period"),
            *("statistic", "tags", "threshold", "treatMissingData", "unit"),
        ),
        create=_metric_alarm,
    ),
}
