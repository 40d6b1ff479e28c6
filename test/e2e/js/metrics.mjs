// CloudWatch by the AWS SDK for JavaScript v3, unmodified: it reads what a device did, puts data of its own and reads them
// back in each way, meets two refusals, and prints one JSON object about what it saw, with the content type that it speaks.
// Endpoint and credentials are those of the environment.
//
//   node metrics.mjs
import * as cloudwatch from "@aws-sdk/client-cloudwatch";

const client = new cloudwatch.CloudWatchClient({});
const send = (name, input) => client.send(new cloudwatch[name + "Command"](input));
const seen = { wires: [] };
client.middlewareStack.add(
  (next) => (args) => {
    const wire = args.request.headers["content-type"];
    if (!seen.wires.includes(wire)) seen.wires.push(wire);
    return next(args);
  },
  { step: "finalizeRequest" },
);

const now = new Date();
const times = { StartTime: new Date(now - 3600e3), EndTime: new Date(+now + 60e3) };
const connect = { Namespace: "AWS/IoT", MetricName: "Connect.Success", Dimensions: [{ Name: "Protocol", Value: "MQTT" }] };

const listed = [];
for await (const page of cloudwatch.paginateListMetrics({ client }, { Namespace: "AWS/IoT", RecentlyActive: "PT3H" })) listed.push(...page.Metrics);
seen.listed = listed.filter((m) => m.MetricName === "Connect.Success");
const sum = await send("GetMetricStatistics", { ...connect, ...times, Period: 3600, Statistics: ["Sum", "SampleCount"] });
seen.connects = sum.Datapoints.reduce((n, d) => n + d.Sum, 0);
seen.unit = sum.Datapoints[0].Unit;
seen.dated = sum.Datapoints[0].Timestamp instanceof Date;

await send("PutMetricData", {
  Namespace: "JS",
  MetricData: [
    { MetricName: "size", Unit: "Bytes", Timestamp: now, Values: [1, 2, 3], Counts: [1, 1, 2], Dimensions: [{ Name: "k", Value: "v" }] },
    { MetricName: "set", Unit: "Bytes", Timestamp: now, StatisticValues: { SampleCount: 2, Sum: 20, Minimum: 5, Maximum: 15 }, Dimensions: [{ Name: "k", Value: "v" }] },
  ],
});
const size = { Namespace: "JS", MetricName: "size", Dimensions: [{ Name: "k", Value: "v" }] };
const stat = (Id, Stat, more) => ({ Id, MetricStat: { Metric: size, Period: 60, Stat }, ...more });
const set = { Id: "t", MetricStat: { Metric: { ...size, MetricName: "set" }, Period: 60, Stat: "Average" } };
const data = await send("GetMetricData", {
  ...times,
  ScanBy: "TimestampAscending",
  MetricDataQueries: [stat("n", "SampleCount"), stat("s", "Sum"), stat("m", "Maximum"), set, stat("a", "Average", { ReturnData: false }), { Id: "e", Expression: "a * 3", Label: "thrice" }],
});
seen.data = Object.fromEntries(data.MetricDataResults.map((r) => [r.Label + " " + r.Id, r.Values]));
const tail = await send("GetMetricStatistics", { Namespace: "JS", MetricName: "size", Dimensions: size.Dimensions, ...times, Period: 3600, ExtendedStatistics: ["p50"] });
seen.percentiles = tail.Datapoints.map((d) => Math.round(d.ExtendedStatistics.p50));

seen.refused = [];
for (const [name, input] of [
  ["GetMetricStatistics", { ...size, ...times, Period: 60 }],
  ["GetMetricStatistics", { ...size, StartTime: now, EndTime: now, Period: 60, Statistics: ["Sum"] }],
  ["GetMetricData", { ...times, MetricDataQueries: [{ Id: "x", Expression: "ANOMALY_DETECTION_BAND(x)" }] }],
  ["DescribeAlarms", {}],
]) {
  try {
    await send(name, input);
    seen.refused.push(name + " was answered");
  } catch (e) {
    seen.refused.push([e.name, e.Error?.Code ?? e.Code].filter(Boolean).join(" "));
  }
}
console.log(JSON.stringify(seen));
