// A device made with the AWS IoT device SDK v2 for JavaScript, unmodified. It connects with
// mutual TLS, subscribes, publishes a message with each QoS to its own topic, waits until both
// come back, and prints one JSON object a line about what it saw. Exit code 0: all came back.
//
//   node device.mjs '{"version":5,"host":"localhost","port":8883,"ca":F,"cert":F,"key":F,"clientId":C,"topic":T}'
//
// With "way" (direct or websocket) it uses a custom authorizer in place of a certificate: "authorizer", "userName",
// "password", and for one that verifies signatures "tokenKeyName", "token" and "signature".
import { mqtt, mqtt5, iot, io } from "aws-iot-device-sdk-v2";
import { once } from "node:events";

const want = JSON.parse(process.argv[2]);
const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
const giveUp = setTimeout(() => { say("timeout"); process.exit(3); }, want.timeoutMs ?? 20000);
const payloads = ["with qos 0", "with qos 1"];

function builder3() {
  const make = iot.AwsIotMqttConnectionConfigBuilder;
  if (!want.way) return make.new_mtls_builder_from_path(want.cert, want.key);
  const builder = want.way === "websocket" ? make.new_builder_for_websocket() : make.new_default_builder();
  return builder.with_custom_authorizer(want.userName, want.authorizer, want.signature ?? "", want.password, want.tokenKeyName, want.token);
}

async function v3() {
  const config = builder3()
    .with_certificate_authority_from_path(undefined, want.ca)
    .with_clean_session(true)
    .with_client_id(want.clientId)
    .with_endpoint(want.host)
    .with_port(want.port)
    .build();
  const connection = new mqtt.MqttClient(new io.ClientBootstrap()).new_connection(config);
  connection.on("interrupt", (error) => say("interrupt", { error: String(error), code: error.error_code }));
  connection.on("error", (error) => say("error", { error: String(error), code: error.error_code }));
  const sessionPresent = await connection.connect();
  say("connected", { sessionPresent });
  const got = new Set();
  let done;
  const all = new Promise((resolve) => { done = resolve; });
  const suback = await connection.subscribe(want.topic, mqtt.QoS.AtLeastOnce, (topic, payload) => {
    got.add(Buffer.from(payload).toString());
    if (got.size === payloads.length) done();
  });
  say("subscribed", { qos: suback.qos, code: suback.error_code });
  await connection.publish(want.topic, payloads[0], mqtt.QoS.AtMostOnce);
  await connection.publish(want.topic, payloads[1], mqtt.QoS.AtLeastOnce);
  await all;
  say("received", { payloads: [...got].sort() });
  await connection.disconnect();
}

function builder5() {
  const make = iot.AwsIotMqtt5ClientConfigBuilder;
  if (!want.way) return make.newDirectMqttBuilderWithMtlsFromPath(want.host, want.cert, want.key);
  const auth = {
    authorizerName: want.authorizer, username: want.userName, password: Buffer.from(want.password),
    tokenKeyName: want.tokenKeyName, tokenValue: want.token, tokenSignature: want.signature,
  };
  return want.way === "websocket" ? make.newWebsocketMqttBuilderWithCustomAuth(want.host, auth) : make.newDirectMqttBuilderWithCustomAuth(want.host, auth);
}

async function v5() {
  const builder = builder5();
  builder.withPort(want.port);
  builder.withCertificateAuthorityFromPath(undefined, want.ca);
  builder.withConnectProperties({ clientId: want.clientId, keepAliveIntervalSeconds: 60 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  client.on("connectionFailure", (e) => {
    say("connectionFailure", { error: String(e.error), code: e.error?.error_code, reasonCode: e.connack?.reasonCode });
    process.exit(4);
  });
  client.on("disconnection", (e) => say("disconnection", { code: e.error?.error_code, reasonCode: e.disconnect?.reasonCode }));
  const connected = once(client, "connectionSuccess");
  client.start();
  const [success] = await connected;
  say("connected", { sessionPresent: success.connack.sessionPresent, receiveMaximum: success.connack.receiveMaximum, maximumQos: success.connack.maximumQos, topicAliasMaximum: success.connack.topicAliasMaximum });
  const got = new Set();
  let done;
  const all = new Promise((resolve) => { done = resolve; });
  client.on("messageReceived", (e) => {
    got.add(Buffer.from(e.message.payload).toString());
    if (got.size === payloads.length) done();
  });
  const suback = await client.subscribe({ subscriptions: [{ topicFilter: want.topic, qos: mqtt5.QoS.AtLeastOnce }] });
  say("subscribed", { reasonCodes: suback.reasonCodes });
  await client.publish({ topicName: want.topic, qos: mqtt5.QoS.AtMostOnce, payload: payloads[0] });
  const puback = await client.publish({ topicName: want.topic, qos: mqtt5.QoS.AtLeastOnce, payload: payloads[1] });
  say("published", { reasonCode: puback?.reasonCode });
  await all;
  say("received", { payloads: [...got].sort() });
  const stopped = once(client, "stopped");
  client.stop();
  await stopped;
}

try {
  await (want.version === 5 ? v5() : v3());
  clearTimeout(giveUp);
  say("done");
  process.exit(0);
} catch (error) {
  say("failed", { error: String(error), code: error.error_code, name: error.error_name });
  process.exit(1);
}
