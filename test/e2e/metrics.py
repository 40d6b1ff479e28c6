# CloudWatch by boto3, over awsJson 1.0 and over the older query protocol: see metrics_test.go.
import datetime
import sys

import boto3
import botocore.exceptions

now = datetime.datetime.now(datetime.timezone.utc)
client = boto3.client("cloudwatch", endpoint_url=sys.argv[1])
listed = [m for page in client.get_paginator("list_metrics").paginate(Namespace="AWS/IoT") for m in page["Metrics"]]
connect = [m for m in listed if m["MetricName"] == "Connect.Success"]
assert connect == [{"Namespace": "AWS/IoT", "MetricName": "Connect.Success", "Dimensions": [{"Name": "Protocol", "Value": "MQTT"}]}], listed
stat = client.get_metric_statistics(
    StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(minutes=1), Period=3600, Statistics=["Sum"], **connect[0])
total = sum(d["Sum"] for d in stat["Datapoints"])
data = client.get_metric_data(
    StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(minutes=1), ScanBy="TimestampAscending",
    MetricDataQueries=[
        {"Id": "m1", "MetricStat": {"Metric": connect[0], "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "e1", "Expression": "m1 * 2"},
    ])["MetricDataResults"]
assert [r["Id"] for r in data] == ["e1"] and sum(data[0]["Values"]) == 2 * total, (data, total)
client.put_metric_data(Namespace="Boto", MetricData=[{"MetricName": "t", "Value": 2.5, "Unit": "Seconds", "Timestamp": now}])
put = client.get_metric_statistics(
    Namespace="Boto", MetricName="t", StartTime=now - datetime.timedelta(minutes=2), EndTime=now + datetime.timedelta(minutes=2), Period=60,
    ExtendedStatistics=["p99"])["Datapoints"]
assert len(put) == 1 and put[0]["ExtendedStatistics"] == {"p99": 2.5} and put[0]["Unit"] == "Seconds", put
try:
    client.get_metric_statistics(Namespace="Boto", MetricName="t", StartTime=now, EndTime=now, Period=60, Statistics=["Sum"])
    raise SystemExit("an empty range was accepted")
except botocore.exceptions.ClientError as e:
    assert e.response["Error"]["Code"] in ("InvalidParameterValue", "InvalidParameterValueException"), e.response
print("connects", int(total))
