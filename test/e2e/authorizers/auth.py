"""A custom authorizer as a user would write it: everybody whose password is "secret"."""
import base64
import json


def handler(event, context):
    mqtt = event.get("protocolData", {}).get("mqtt", {})
    if base64.b64decode(mqtt.get("password", "")) != b"secret":
        return {"isAuthenticated": False}
    _, _, _, region, account, *_ = context.invoked_function_arn.split(":")
    arn = f"arn:aws:iot:{region}:{account}:"
    document = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn + "client/${iot:ClientId}"},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": arn + "topic/sdk/*"},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn + "topicfilter/sdk/*"}]}
    return {"isAuthenticated": True, "principalId": "PythonDevice", "disconnectAfterInSeconds": 86400,
            "refreshAfterInSeconds": 300, "policyDocuments": [json.dumps(document)]}
