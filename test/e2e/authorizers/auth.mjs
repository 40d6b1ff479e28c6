// A custom authorizer as a user would write it: everybody whose password is "secret", or who shows a signed token.
export async function handler(event, context) {
  const password = Buffer.from(event.protocolData?.mqtt?.password ?? "", "base64").toString();
  const [, , , region, account] = context.invokedFunctionArn.split(":");
  const arn = `arn:aws:iot:${region}:${account}:`;
  return {
    isAuthenticated: password === "secret" || event.signatureVerified,
    principalId: "NodeDevice",
    disconnectAfterInSeconds: 86400,
    refreshAfterInSeconds: 300,
    policyDocuments: [{ Version: "2012-10-17", Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: arn + "client/*" },
      { Effect: "Allow", Action: ["iot:Publish", "iot:Receive"], Resource: arn + "topic/sdk/*" },
      { Effect: "Allow", Action: "iot:Subscribe", Resource: arn + "topicfilter/sdk/*" },
    ] }],
  };
}
