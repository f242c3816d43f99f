"""Checks that moto, as moto_server.py serves it, answers as the tests need: run under tests/oracles/run, in moto's venv."""

import datetime
import json
import os
import sys
import urllib.error
import urllib.request

import cbor2

ENDPOINT = os.environ.get("EVENKEEL_MOTO_ENDPOINT")
SCOPE = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def post(path, service, headers, body):
    """Status, headers and body of one signed-looking POST (moto reads the scope, not the signature)."""
    headers = {"Authorization": SCOPE.format(service), **headers}
    request = urllib.request.Request(ENDPOINT + path, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read()


def cloudwatch(operation, members):
    """A CloudWatch call as the Rust SDK makes it."""
    headers = {"Content-Type": "application/cbor", "Accept": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
    status, answered, body = post(path, "monitoring", headers, cbor2.dumps(members))
    assert answered["smithy-protocol"] == "rpc-v2-cbor", (operation, status, body)
    return status, cbor2.loads(body)


def ecs(operation, members):
    """An ECS call (awsJson1.1), which must succeed."""
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"AmazonEC2ContainerServiceV20141113.{operation}",
    }
    status, _, body = post("/", "ecs", headers, json.dumps(members).encode())
    assert status == 200, (operation, status, body)
    return json.loads(body)


def an_alarm_written_in_cbor_is_read_back_in_cbor():
    plain = {
        "AlarmName": "cpu-high",
        "Namespace": "AWS/ECS",
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "ServiceName", "Value": "80"}],
        "Statistic": "Average",
        "Period": 300,
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "Threshold": 80.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:alerts"],
    }
    status, _ = cloudwatch("PutMetricAlarm", plain)
    assert status == 200, status
    status, answer = cloudwatch("DescribeAlarms", {"AlarmNames": ["cpu-high"]})
    assert status == 200, answer
    (alarm,) = answer["MetricAlarms"]
    for member, value in plain.items():
        assert alarm[member] == value, (member, value, alarm.get(member))
    assert isinstance(alarm["Threshold"], float) and isinstance(alarm["Period"], int), alarm
    for member in ("StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp"):
        assert isinstance(alarm[member], datetime.datetime), (member, alarm[member])


def metric_math_survives():
    def running(name):
        metric = {
            "Namespace": "ECS/ContainerInsights",
            "MetricName": name,
            "Dimensions": [{"Name": "ServiceName", "Value": "backend"}],
        }
        return {"Metric": metric, "Period": 60, "Stat": "Average"}

    metrics = [
        {"Id": "e1", "Expression": "desired - running", "Label": "missing", "ReturnData": True},
        {"Id": "desired", "MetricStat": running("DesiredTaskCount"), "ReturnData": False},
        {"Id": "running", "MetricStat": running("RunningTaskCount"), "ReturnData": False},
    ]
    math = {
        "AlarmName": "math",
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": metrics,
    }
    status, answer = cloudwatch("PutMetricAlarm", math)
    assert status == 200, answer
    _, answer = cloudwatch("DescribeAlarms", {"AlarmNames": ["math"]})
    (alarm,) = answer["MetricAlarms"]
    assert alarm["Metrics"] == metrics, alarm["Metrics"]
    assert alarm["Threshold"] == 0.0 and isinstance(alarm["Threshold"], float), alarm


def an_error_keeps_its_type():
    status, answer = cloudwatch("GetDashboard", {"DashboardName": "nowhere"})
    assert status in (400, 404), (status, answer)
    assert answer["__type"].endswith(("ResourceNotFound", "ResourceNotFoundException")), answer


def what_moto_cannot_do_is_a_refusal_not_a_passing_fault():
    status, answer = cloudwatch("DescribeAlarmHistory", {})
    assert status == 400 and answer["__type"] == "NotInMoto", (status, answer)


def a_service_is_shown_rolled_out():
    ecs("CreateCluster", {"clusterName": "c"})
    for cpu in ("256", "512"):
        container = {"name": "web", "image": "web:1", "memory": 128}
        ecs("RegisterTaskDefinition", {"family": "web", "cpu": cpu, "memory": "1024", "containerDefinitions": [container]})
    ecs("CreateService", {"cluster": "c", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 2})
    for revision, count in ((1, 2), (2, 3)):
        if revision == 2:
            ecs("UpdateService", {"cluster": "c", "service": "web", "taskDefinition": "web:2", "desiredCount": 3})
        answer = ecs("DescribeServices", {"cluster": "c", "services": ["web", "ghost"], "include": ["TAGS"]})
        (service,) = answer["services"]
        assert [one["reason"] for one in answer["failures"]] == ["MISSING"], answer["failures"]
        assert (service["runningCount"], service["pendingCount"]) == (count, 0), service
        (deployment,) = service["deployments"]
        assert deployment["taskDefinition"] == service["taskDefinition"], deployment
        assert service["taskDefinition"].endswith(f"web:{revision}"), service
        assert (deployment["status"], deployment["rolloutState"]) == ("PRIMARY", "COMPLETED"), deployment
        assert (deployment["runningCount"], deployment["desiredCount"]) == (count, count), deployment


def main():
    if not ENDPOINT:
        sys.exit("EVENKEEL_MOTO_ENDPOINT is not set: run this as tests/oracles/run --require moto -- .tools/moto/bin/python ...")
    checks = [
        an_alarm_written_in_cbor_is_read_back_in_cbor,
        metric_math_survives,
        an_error_keeps_its_type,
        what_moto_cannot_do_is_a_refusal_not_a_passing_fault,
        a_service_is_shown_rolled_out,
    ]
    for check in checks:
        check()
        print(f"ok: {check.__name__}")


if __name__ == "__main__":
    main()
