// What an MQTT client does of the broker's features, with two connections of the same certificate. It
// prints one line for each that works: session, shared, retained, will, request. Exit code 0: all of them.
//
//   node features.mjs '{"client":"mqttjs3|mqttjs5|sdk3|sdk5","host":H,"port":P,"ca":F,"cert":F,"key":F,"name":N}'
import { mqtt, mqtt5, iot, io } from "aws-iot-device-sdk-v2";
import mqttjs from "mqtt";
import { once } from "node:events";
import { readFileSync } from "node:fs";

const want = JSON.parse(process.argv[2]);
const version = want.client.endsWith("5") ? 5 : 3;
const topic = (name) => `${want.name}/${name}`;
const giveUp = setTimeout(() => { console.log("timeout"); process.exit(3); }, 60000);

// A Device is a connection: what each client calls connecting, subscribing and publishing.
class Device {
  constructor(id) {
    this.id = id;
    this.got = [];
    this.waiting = [];
  }
  take(message) {
    this.got.push({ ...message, payload: Buffer.from(message.payload).toString() });
    for (const look of this.waiting) look();
  }
  // messages resolves with all that came when there are n of a topic.
  messages(name, n) {
    const of = () => this.got.filter((m) => m.topic === topic(name));
    return new Promise((resolve) => {
      const look = () => { if (of().length >= n) resolve(of()); };
      this.waiting.push(look);
      look();
    });
  }
}

class MQTTjs extends Device {
  async connect({ keep = false, will } = {}) {
    this.client = mqttjs.connect({
      protocol: "mqtts", host: want.host, port: want.port, ca: readFileSync(want.ca), cert: readFileSync(want.cert), key: readFileSync(want.key),
      clientId: this.id, clean: !keep, protocolVersion: version === 5 ? 5 : 4, reconnectPeriod: 0,
      properties: version === 5 && keep ? { sessionExpiryInterval: 600 } : undefined, will,
    });
    this.client.on("error", (error) => { console.log("error", error.message); process.exit(4); });
    this.client.on("message", (name, payload, packet) => this.take({ topic: name, payload, retain: packet.retain, responseTopic: packet.properties?.responseTopic, correlationData: packet.properties?.correlationData }));
    const [connack] = await once(this.client, "connect");
    return connack.sessionPresent;
  }
  subscribe(filter) { return this.client.subscribeAsync(filter, { qos: 1 }); }
  publish(name, payload, { retain = false, ...properties } = {}) {
    return this.client.publishAsync(name, payload, { qos: 1, retain, properties: version === 5 ? properties : undefined });
  }
  disconnect() { return this.client.endAsync(); }
}

class SDK3 extends Device {
  async connect({ keep = false, will } = {}) {
    const builder = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(want.cert, want.key)
      .with_certificate_authority_from_path(undefined, want.ca).with_clean_session(!keep).with_client_id(this.id)
      .with_endpoint(want.host).with_port(want.port);
    if (will) builder.with_will(new mqtt.MqttWill(will.topic, will.qos, will.payload, false));
    this.connection = new mqtt.MqttClient(new io.ClientBootstrap()).new_connection(builder.build());
    this.connection.on("error", () => {}); // a connection that is taken over
    this.connection.on("message", (name, payload, dup, qos, retain) => this.take({ topic: name, payload, retain }));
    return this.connection.connect();
  }
  subscribe(filter) { return this.connection.subscribe(filter, mqtt.QoS.AtLeastOnce); }
  publish(name, payload, { retain = false } = {}) { return this.connection.publish(name, payload, mqtt.QoS.AtLeastOnce, retain); }
  disconnect() { return this.connection.disconnect(); }
}

class SDK5 extends Device {
  async connect({ keep = false, will } = {}) {
    const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(want.host, want.cert, want.key);
    builder.withPort(want.port);
    builder.withCertificateAuthorityFromPath(undefined, want.ca);
    builder.withSessionBehavior(keep ? mqtt5.ClientSessionBehavior.RejoinAlways : mqtt5.ClientSessionBehavior.Clean);
    builder.withConnectProperties({
      clientId: this.id, keepAliveIntervalSeconds: 60, sessionExpiryIntervalSeconds: keep ? 600 : 0,
      will: will && { topicName: will.topic, payload: will.payload, qos: will.qos },
    });
    this.client = new mqtt5.Mqtt5Client(builder.build());
    this.client.on("messageReceived", ({ message: m }) => this.take({ topic: m.topicName, payload: m.payload, retain: m.retain, responseTopic: m.responseTopic, correlationData: m.correlationData }));
    const connected = once(this.client, "connectionSuccess");
    this.client.start();
    const [success] = await connected;
    return success.connack.sessionPresent;
  }
  subscribe(filter) { return this.client.subscribe({ subscriptions: [{ topicFilter: filter, qos: mqtt5.QoS.AtLeastOnce }] }); }
  publish(name, payload, { retain = false, ...properties } = {}) {
    return this.client.publish({ topicName: name, payload, qos: mqtt5.QoS.AtLeastOnce, retain, ...properties });
  }
  async disconnect() {
    const stopped = once(this.client, "stopped");
    this.client.stop();
    await stopped;
  }
}

const Client = { mqttjs3: MQTTjs, mqttjs5: MQTTjs, sdk3: SDK3, sdk5: SDK5 }[want.client];
const check = (ok, what) => { if (!ok) throw new Error(what); };
const numbers = (n) => Array.from({ length: n }, (_, i) => String(i));

try {
  const b = new Client(`${want.name}-b`);
  await b.connect();

  let a = new Client(`${want.name}-a`);
  check(!await a.connect({ keep: true }), "a first connection finds a session");
  await a.subscribe(topic("session"));
  await a.disconnect();
  for (const n of numbers(3)) await b.publish(topic("session"), n);
  a = new Client(`${want.name}-a`);
  check(await a.connect({ keep: true }), "the session is gone");
  const queued = await a.messages("session", 3);
  check(queued.map((m) => m.payload).join() === numbers(3).join(), `the queue: ${JSON.stringify(queued)}`);
  console.log("session");

  for (const member of [a, b]) await member.subscribe(`$share/g/${topic("shared")}`);
  for (const n of numbers(30)) await b.publish(topic("shared"), n);
  const some = await Promise.all([a.messages("shared", 1), b.messages("shared", 1)]);
  while (some[0].length + some[1].length < 30) { // whoever gets the rest
    await Promise.race([a.messages("shared", some[0].length + 1), b.messages("shared", some[1].length + 1)]);
    some[0] = await a.messages("shared", 0);
    some[1] = await b.messages("shared", 0);
  }
  check(new Set(some.flat().map((m) => m.payload)).size === 30, "a message came twice");
  console.log("shared");

  await b.publish(topic("retained"), "kept", { retain: true });
  await a.subscribe(topic("retained"));
  const [kept] = await a.messages("retained", 1);
  check(kept.retain && kept.payload === "kept", `retained: ${JSON.stringify(kept)}`);
  console.log("retained");

  await b.subscribe(topic("will"));
  const c = new Client(`${want.name}-c`);
  await c.connect({ will: { topic: topic("will"), payload: "gone", qos: 1 } });
  await new Client(`${want.name}-c`).connect(); // takes the client ID over: the first one is cut off
  check((await b.messages("will", 1))[0].payload === "gone", "the will");
  console.log("will");

  if (version === 5) {
    await b.subscribe(topic("request"));
    await a.subscribe(topic("response"));
    await a.publish(topic("request"), "how much", { responseTopic: topic("response"), correlationData: Buffer.from("42") });
    const [request] = await b.messages("request", 1);
    await b.publish(request.responseTopic, "a lot", { correlationData: Buffer.from(request.correlationData) });
    const [response] = await a.messages("response", 1);
    check(response.payload === "a lot" && Buffer.from(response.correlationData).toString() === "42", `response: ${JSON.stringify(response)}`);
    console.log("request");
  }
  clearTimeout(giveUp);
  process.exit(0);
} catch (error) {
  console.log("failed", String(error));
  process.exit(1);
}
