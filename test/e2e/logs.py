"""CloudWatch Logs by boto3, unmodified: what logs.mjs does in JavaScript. Prints one JSON object."""
import json
import time

import boto3
from botocore.config import Config

logs = boto3.client("logs", config=Config(inject_host_prefix=False))
group, stream = "py", {"logGroupName": "py", "logStreamName": "s"}
logs.create_log_group(logGroupName=group)
logs.create_log_stream(**stream)
arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupArn"]
now = int(time.time() * 1000)
events = [
    {"timestamp": now + n, "message": json.dumps({"n": n, "status": "Success" if n % 4 else "Failure", "clientId": f"c{n % 3}"})}
    for n in range(20)
]

seen = {"tailed": []}
tail = logs.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern='{ $.status = "Failure" }')
for event in tail["responseStream"]:
    if "sessionStart" in event:
        seen["session"] = event["sessionStart"]["logEventFilterPattern"]
        logs.put_log_events(logEvents=events, **stream)
    for e in event.get("sessionUpdate", {}).get("sessionResults", []):
        seen["tailed"].append(json.loads(e["message"])["n"])
    if len(seen["tailed"]) >= 5:
        break
tail["responseStream"].close()

pages = list(logs.get_paginator("filter_log_events").paginate(
    logGroupName=group, filterPattern='{ $.status = "Failure" }', PaginationConfig={"PageSize": 2}))
seen["pages"] = len(pages)
seen["filtered"] = [json.loads(e["message"])["n"] for p in pages for e in p["events"]]

forward = logs.get_log_events(startFromHead=True, limit=15, **stream)
rest = logs.get_log_events(startFromHead=True, nextToken=forward["nextForwardToken"], **stream)
end = logs.get_log_events(startFromHead=True, nextToken=rest["nextForwardToken"], **stream)
seen["read"] = [len(p["events"]) for p in (forward, rest, end)] + [end["nextForwardToken"] == rest["nextForwardToken"]]

times = {"startTime": now // 1000 - 60, "endTime": now // 1000 + 60}
query = logs.start_query(logGroupName=group, queryString='filter status = "Failure" | stats count(*) as c, sum(n) as s by clientId | sort clientId asc', **times)
while (answer := logs.get_query_results(queryId=query["queryId"]))["status"] in ("Scheduled", "Running"):
    pass
seen["status"] = answer["status"]
seen["rows"] = [{cell["field"]: cell["value"] for cell in row} for row in answer["results"]]
seen["matched"] = int(answer["statistics"]["recordsMatched"])

try:
    logs.start_query(logGroupName=group, queryString="fields a | felter b", **times)
except logs.exceptions.MalformedQueryException as e:
    seen["malformed"] = [e.response["Error"]["Code"], e.response["queryCompileError"]["location"]]
print(json.dumps(seen))
