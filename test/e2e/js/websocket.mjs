// MQTT over WebSocket with SigV4, by clients that are in use: the AWS IoT device SDK v2 for
// JavaScript (which signs on its own) and MQTT.js (which gets a presigned URL). It connects,
// subscribes, publishes a message with each QoS to its own topic, waits until both come back, and
// prints one JSON object a line about what it saw. Exit code 0: all came back.
//
//   node websocket.mjs '{"client":"sdk3|sdk5|mqttjs3|mqttjs5","host":H,"port":P,"ca":F,"region":R,"accessKeyId":A,"secretAccessKey":S,"url":U,"clientId":C,"topic":T}'
import { auth, mqtt, mqtt5, iot, io } from "aws-iot-device-sdk-v2";
import mqttjs from "mqtt";
import { readFileSync } from "node:fs";
import { once } from "node:events";

const want = JSON.parse(process.argv[2]);
const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
const giveUp = setTimeout(() => { say("timeout"); process.exit(3); }, want.timeoutMs ?? 20000);
const payloads = ["with qos 0", "with qos 1"];

// collector resolves when all payloads have come.
function collector() {
  const got = new Set();
  let done;
  const all = new Promise((resolve) => { done = resolve; });
  return { take(payload) { got.add(Buffer.from(payload).toString()); if (got.size === payloads.length) done([...got].sort()); }, all };
}

const credentials = () => auth.AwsCredentialsProvider.newStatic(want.accessKeyId, want.secretAccessKey);

async function sdk3() {
  const config = iot.AwsIotMqttConnectionConfigBuilder
    .new_with_websockets({ region: want.region, credentials_provider: credentials() })
    .with_certificate_authority_from_path(undefined, want.ca)
    .with_clean_session(true).with_client_id(want.clientId).with_endpoint(want.host).with_port(want.port)
    .build();
  const connection = new mqtt.MqttClient(new io.ClientBootstrap()).new_connection(config);
  connection.on("error", (error) => say("error", { error: String(error), code: error.error_code }));
  await connection.connect();
  say("connected");
  const messages = collector();
  await connection.subscribe(want.topic, mqtt.QoS.AtLeastOnce, (topic, payload) => messages.take(payload));
  await connection.publish(want.topic, payloads[0], mqtt.QoS.AtMostOnce);
  await connection.publish(want.topic, payloads[1], mqtt.QoS.AtLeastOnce);
  say("received", { payloads: await messages.all });
  await connection.disconnect();
}

async function sdk5() {
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth(want.host, { region: want.region, credentialsProvider: credentials() });
  builder.withPort(want.port);
  builder.withCertificateAuthorityFromPath(undefined, want.ca);
  builder.withConnectProperties({ clientId: want.clientId, keepAliveIntervalSeconds: 60 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  client.on("connectionFailure", (e) => { say("connectionFailure", { code: e.error?.error_code, reasonCode: e.connack?.reasonCode }); process.exit(4); });
  const messages = collector();
  client.on("messageReceived", (e) => messages.take(e.message.payload));
  const connected = once(client, "connectionSuccess");
  client.start();
  await connected;
  say("connected");
  await client.subscribe({ subscriptions: [{ qos: mqtt5.QoS.AtLeastOnce, topicFilter: want.topic }] });
  for (const qos of [0, 1]) await client.publish({ qos, topicName: want.topic, payload: payloads[qos] });
  say("received", { payloads: await messages.all });
  const stopped = once(client, "stopped");
  client.stop();
  await stopped;
}

async function plain(protocolVersion) {
  const client = mqttjs.connect(want.url, {
    protocolVersion, clientId: want.clientId, clean: true, reconnectPeriod: 0, ca: readFileSync(want.ca),
    wsOptions: { ca: readFileSync(want.ca), perMessageDeflate: true },
  });
  const messages = collector();
  client.on("message", (topic, payload) => messages.take(payload));
  client.on("error", (error) => { say("error", { error: String(error.message ?? error), code: error.code }); process.exit(4); });
  await once(client, "connect");
  say("connected");
  await client.subscribeAsync(want.topic, { qos: 1 });
  for (const qos of [0, 1]) await client.publishAsync(want.topic, payloads[qos], { qos });
  await client.publishAsync(want.topic + "/large", Buffer.alloc(100_000), { qos: 1 }); // split into frames by some
  say("received", { payloads: await messages.all });
  await client.endAsync();
}

const run = { sdk3, sdk5, mqttjs3: () => plain(4), mqttjs5: () => plain(5) }[want.client];
try {
  await run();
  clearTimeout(giveUp);
  say("done");
  process.exit(0);
} catch (error) {
  say("failed", { error: String(error), code: error.error_code });
  process.exit(4);
}
