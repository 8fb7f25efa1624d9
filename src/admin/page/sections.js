// One function for each part of the page: each shows its part of the report.

const ratePlot = new Plot(byId("rate"), {
  name: "Throughput",
  series: [{ name: "Written", kind: "first" }, { name: "Received", kind: "second" }],
  format: rate,
  scale: linear,
  empty: "Nothing was counted yet.",
});
const freshPlot = new Plot(byId("fresh"), {
  name: "Freshness, from an event's own time to its write",
  series: [{ name: "Median", kind: "first" }, { name: "99 %", kind: "second" }],
  format: seconds,
  scale: logarithmic,
  empty: "No event with a time of its own was written in the last ten minutes.",
});
const partitionTable = new LongTable("partitions", 10, "Show only the 10 with the most lag");
const rejectionTable = new LongTable("rejections", 8, "Show only the last 8");

const last = (list) => list[list.length - 1];

function showHistory({ step_seconds: step, ...lists }) {
  const { received_per_second: received, written_per_second: written } = lists;
  const { freshness_p50_seconds: median, freshness_p99_seconds: most } = lists;
  ratePlot.update([written, received], step);
  freshPlot.update([median, most], step);
  setText(byId("now-written"), rate(last(written)));
  setText(byId("now-received"), `${rate(last(received))} received`);
  // Freshness is that of the last event that had a time.
  const at = most.findLastIndex((value) => value != null);
  setText(byId("now-fresh"), seconds(most[at]));
  const ago = (most.length - 1 - at) * step;
  const when = ago > 2 * step ? ` · ${relative(0, 1000 * ago)}` : "";
  setText(byId("now-median"), at < 0 ? "nothing written that has a time"
    : `median ${seconds(median[at])}${when}`);
}

function showMemory(memory, sources) {
  const { in_flight_bytes: held, max_in_flight_bytes: most, resident_bytes: resident } = memory;
  setText(byId("now-flight"), count(sum(sources.map((source) => source.in_flight))));
  const text = `${bytes(held)} of ${bytes(most)}`;
  setText(byId("flight-bytes"), text);
  setMeter(byId("flight-meter"), held, most, text);
  setText(byId("resident"), bytes(resident));
}

// A number of events with its reasons below it, the most frequent first.
function byReason(reasons) {
  const pairs = Object.entries(reasons).sort(([, one], [, other]) => other - one);
  const total = sum(pairs.map(([, number]) => number));
  return { text: count(total), kind: total > 0 ? "n" : "n none",
    notes: pairs.map(([reason, number]) => `${reason} ${count(number)}`) };
}

function number(value, kind = "") {
  return { text: count(value), kind: value > 0 ? `n ${kind}` : "n none" };
}

function showSources(sources) {
  fillTable(byId("sources"), sources.map((source) => [
    source.source,
    number(source.received),
    number(source.written),
    // Stale events change nothing either.
    byReason(source.stale ? { ...source.skipped, stale: source.stale } : source.skipped),
    byReason(source.rejected),
    byReason(source.dead_lettered),
    number(source.failed, "warned"),
    number(source.in_flight),
  ]));
  show(byId("sources-empty"), sources.length === 0);
}

function showRedis({ mode, nodes }, now) {
  const up = nodes.filter((node) => node.up).length;
  setText(byId("redis-mode"), `Mode ${mode}. Nodes that answer: ${up} of ${nodes.length}.`);
  fillTable(byId("nodes"), nodes.map((node) => {
    const error = node.last_error;
    return [
      node.node,
      node.role,
      { text: node.up ? "up" : "down", kind: `dot ${node.up ? "good" : "bad"}` },
      number(node.reconnects),
      error === null ? { text: "none", kind: "none" }
        : { text: `${error.message || error.code}, `, time: error.at, now,
          notes: [`class ${error.class}, code ${error.code}`] },
    ];
  }));
  show(byId("nodes-empty"), nodes.length === 0);
}

const LANE_STATES = { up: "good", starting: "warn", trouble: "bad" };

function showLanes(lanes) {
  const up = lanes.filter((lane) => lane.state === "up").length;
  const queued = sum(lanes.map((lane) => lane.queued_events));
  const held = sum(lanes.map((lane) => lane.queued_bytes));
  const some = up === lanes.length ? "All" : `${up} of`;
  setText(byId("lanes-said"), `${some} ${lanes.length} are up. `
    + `${count(queued)} events wait (${bytes(held)}).`);
  fill(byId("lanes"), "li", lanes.map((lane) => ({
    key: `${lane.lane} ${lane.state} ${lane.queued_events} ${lane.queued_bytes}`,
    fill: (item) => {
      item.className = `dot ${LANE_STATES[lane.state] ?? "warn"}`;
      item.title = `Lane ${lane.lane}: ${lane.state}, ${bytes(lane.queued_bytes)} in its queue`;
      item.append(make("b", "", String(lane.lane)), make("span", "", lane.state),
        make("span", "n", count(lane.queued_events)));
    },
  })));
  // Lanes with the same trouble share a line.
  const reasons = Map.groupBy(lanes.filter((lane) => lane.reason), (lane) => lane.reason);
  fill(byId("lane-reasons"), "li", [...reasons].map(([reason, some]) => {
    const numbers = some.map((lane) => lane.lane).join(", ");
    const named = `${some.length === 1 ? "Lane" : "Lanes"} ${numbers}: ${reason}`;
    return { key: named, fill: (item) => item.append(named) };
  }));
  show(byId("lane-reasons"), reasons.size > 0);
}

function showKafka(kafka) {
  show(byId("kafka"), kafka !== null);
  if (kafka === null) return;
  const partitions = kafka.partitions.toSorted((one, other) => other.lag - one.lag
    || one.topic.localeCompare(other.topic) || one.partition - other.partition);
  const lag = sum(partitions.map((one) => one.lag));
  const most = partitions[0]?.lag ?? 0;
  const paused = kafka.paused > 0 ? `, ${count(kafka.paused)} of them paused` : "";
  setText(byId("kafka-said"), `${count(kafka.assigned)} partitions${paused}. `
    + `Lag ${count(lag)} in all, ${count(most)} at most.`);
  setText(byId("partitions-empty"), kafka.assigned > 0 ? "No lag is known yet."
    : "This worker has no partition now.");
  partitionTable.fill(partitions.map((one) => [
    one.topic,
    { text: String(one.partition), kind: "n" },
    number(one.lag),
    { bar: percent(one.lag, most), kind: "share" },
  ]));
}

const PLACES = {
  file: "Kept in a file.",
  kafka: "Sent to a Kafka topic.",
  log: "Written to the log, and kept nowhere else.",
  discard: "Thrown away, as configured.",
};

function deadLettered(sources) {
  return sum(sources.flatMap((source) => Object.values(source.dead_lettered)));
}

// With Kafka its lag, otherwise how many dead letters there were.
function showLastTile({ kafka, sources }) {
  const partitions = kafka?.partitions ?? [];
  setText(byId("last-tile"), kafka ? "Kafka lag" : "Dead letters");
  const value = kafka ? sum(partitions.map((one) => one.lag)) : deadLettered(sources);
  setText(byId("last-value"), count(value));
  const note = kafka ? `records in ${count(partitions.length)} partitions` : "since the start";
  setText(byId("last-note"), note);
}

function showDeadLetters({ to, place, bytes: used, max_bytes: most }, sources) {
  const total = deadLettered(sources);
  const kept = total === 0 ? "None since the start." : `${count(total)} since the start.`;
  setText(byId("letters-said"), `${kept} ${PLACES[to] ?? to}`);
  setText(byId("letters-place"), place ?? "");
  show(byId("letters-place"), place !== null);
  show(byId("letters-use"), used !== null);
  if (used === null) return;
  const text = most === null ? bytes(used) : `${bytes(used)} of ${bytes(most)}`;
  show(byId("letters-meter"), most !== null);
  if (most !== null) setMeter(byId("letters-meter"), used, most, text);
  setText(byId("letters-bytes"), text);
}

function showRejections(rejections, now) {
  rejectionTable.fill(rejections.map((one) => [
    { time: one.at, now },
    one.source,
    one.outcome.replace("_", "-"),
    one.reason,
    one.user === null ? { text: "not known", kind: "none" } : { text: one.user, kind: "id" },
  ]));
}

// A certificate is worth a look in its last four weeks.
const SOON = 28 * 86400_000;

function showCertificates(certificates, now) {
  show(byId("certificates-card"), certificates.length > 0);
  fillTable(byId("certificates"), certificates.map(({ client, at }) => {
    const left = Date.parse(at) - now;
    const kind = left <= 0 ? "dot bad" : left < SOON ? "dot warn" : "dot good";
    return [client, { time: at, now, kind }];
  }));
}

function showReport(report) {
  const now = Date.parse(report.now);
  setText(byId("host"), report.host);
  setText(byId("version"), report.version);
  byId("version").title = `Revision ${report.revision}`;
  fillCell(byId("started"), { time: report.started, now });
  showHistory(report.history);
  showMemory(report.memory, report.sources);
  showSources(report.sources);
  showRedis(report.redis, now);
  showLanes(report.lanes);
  showKafka(report.kafka);
  showDeadLetters(report.dead_letters, report.sources);
  showLastTile(report);
  showRejections(report.rejections, now);
  showCertificates(report.certificates, now);
  showLookup(report.profile_lookup);
  setText(byId("config"), report.config);
}
