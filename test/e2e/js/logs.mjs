// CloudWatch Logs by the AWS SDK for JavaScript v3, unmodified: it follows a live tail while it writes events, reads them
// back by pages, with a filter pattern and with Logs Insights, meets a malformed query, and prints one JSON object about
// what it saw. Endpoint and credentials are those of the environment.
//
//   node logs.mjs
import * as logs from "@aws-sdk/client-cloudwatch-logs";

// Without disableHostPrefix the SDK puts "stream-" before the host name for StartLiveTail.
const client = new logs.CloudWatchLogsClient({ disableHostPrefix: true });
const send = (name, input) => client.send(new logs[name + "Command"](input));
const group = { logGroupName: "js" };
const stream = { ...group, logStreamName: "s" };
const seen = {};

await send("CreateLogGroup", group);
await send("CreateLogStream", stream);
const { logGroups } = await send("DescribeLogGroups", { logGroupNamePrefix: "js" });

const now = Date.now();
const put = (first, n) => send("PutLogEvents", {
  ...stream,
  logEvents: Array.from({ length: n }, (_, i) => ({
    timestamp: now + first + i,
    message: JSON.stringify({ n: first + i, status: (first + i) % 4 ? "Success" : "Failure", clientId: "c" + ((first + i) % 3) }),
  })),
});

const tail = await send("StartLiveTail", { logGroupIdentifiers: [logGroups[0].logGroupArn], logEventFilterPattern: '{ $.status = "Failure" }' });
seen.tailed = [];
for await (const event of tail.responseStream) {
  if (event.sessionStart) {
    seen.session = event.sessionStart.logEventFilterPattern;
    await put(0, 20);
  }
  for (const e of event.sessionUpdate?.sessionResults ?? []) seen.tailed.push(JSON.parse(e.message).n);
  if (seen.tailed.length >= 5) break;
}

seen.pages = 0;
seen.filtered = [];
for await (const page of logs.paginateFilterLogEvents({ client, pageSize: 2 }, { ...group, filterPattern: '{ $.status = "Failure" }' })) {
  seen.pages++;
  for (const e of page.events) seen.filtered.push(JSON.parse(e.message).n);
}

const forward = await send("GetLogEvents", { ...stream, startFromHead: true, limit: 15 });
const rest = await send("GetLogEvents", { ...stream, startFromHead: true, nextToken: forward.nextForwardToken });
const end = await send("GetLogEvents", { ...stream, startFromHead: true, nextToken: rest.nextForwardToken });
seen.read = [forward.events.length, rest.events.length, end.events.length, end.nextForwardToken === rest.nextForwardToken];

const times = { startTime: Math.floor(now / 1000) - 60, endTime: Math.floor(now / 1000) + 60 };
const { queryId } = await send("StartQuery", { ...group, ...times, queryString: 'filter status = "Failure" | stats count(*) as c, sum(n) as s by clientId | sort clientId asc' });
let answer;
do {
  answer = await send("GetQueryResults", { queryId });
} while (answer.status === "Scheduled" || answer.status === "Running");
seen.status = answer.status;
seen.rows = answer.results.map((row) => Object.fromEntries(row.map((cell) => [cell.field, cell.value])));
seen.matched = answer.statistics.recordsMatched;

try {
  await send("StartQuery", { ...group, ...times, queryString: "fields a | felter b" });
} catch (e) {
  seen.malformed = [e.name, e.queryCompileError?.location];
}
console.log(JSON.stringify(seen));
client.destroy();
process.exit(0); // the live tail is still open
