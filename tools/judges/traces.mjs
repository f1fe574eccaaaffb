// Judge recorded OCPP conversations by the rules of @ocpp-debugkit/toolkit.
//
// Usage: node traces.mjs DIRECTORY, with MODE3_NODE_JUDGES naming the directory whose
// node_modules has the toolkit. The traces are those that frames.py describes.
//
// The toolkit judges a station and its central system together, as an operator sees
// them. Most tests disturb one of the two on purpose, so of such a trace only what
// the station alone answers for is judged. A trace whose name begins with `strict-`
// is of an undisturbed run: there every rule counts. Where the central system's frames
// are all hostile, each connection is a station of its own, and without the answer to
// its boot it has no heartbeat interval.

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const judges = createRequire(join(process.env.MODE3_NODE_JUDGES ?? ".", "package.json"));
const toolkit = judges.resolve("@ocpp-debugkit/toolkit/package.json").replace("package.json", "");
const { buildSessionTimeline, detectFailures, parseTrace } = await import(
  pathToFileURL(join(toolkit, "dist/core/index.js"))
);

// The station's conduct, whatever the test does to it.
const CONDUCT = new Set([
  "HEARTBEAT_INTERVAL_VIOLATION",
  "INVALID_STOP_REASON",
  "METER_VALUE_ANOMALY",
  "SLOW_RESPONSE",
  "STATUS_TRANSITION_VIOLATION",
  "UNEXPECTED_START",
  "UNREADABLE",
]);
// What even an undisturbed run does: no test has a minute for a session, or five
// between two boots.
const IMPATIENCE = new Set(["REPEATED_BOOT_NOTIFICATION", "SUSPICIOUS_SESSION_DURATION"]);

// The table of OCPP 1.6 has no such steps, but that is what happens when the EV leaves a
// connector that is to be inoperative, and when an authorization lapses that used no reservation.
const STEPS_OF_OURS = new Set(["Preparing Unavailable", "Preparing Reserved"]);

const [CALL, RESULT] = [2, 3];
const FROM_STATION = "CS_TO_CSMS";
const TRIGGERS = new Set(["TriggerMessage", "ExtendedTriggerMessage"]);

function judge(name, lines) {
  const isUndisturbed = name.startsWith("strict-");
  // There the EVSE changes faster than its state may be told.
  const isTooQuick = name.startsWith("hostile-");
  const entries = lines.filter(Boolean).map(JSON.parse);
  const judged = withoutTriggeredHeartbeats(entries.filter((entry) => !entry.hostile));
  const isOneSided = judged.every((entry) => entry.direction === FROM_STATION);
  const connections = [...new Set(judged.map((entry) => entry.connection))].map((connection) =>
    judged.filter((entry) => entry.connection === connection),
  );
  const ofConnections = connections.flatMap(failuresOf);
  const whole = isOneSided
    ? ofConnections.filter((failure) => failure.code !== "HEARTBEAT_INTERVAL_VIOLATION")
    : failuresOf(judged);
  const others = whole.filter((failure) => !isStep(failure) && (isUndisturbed || !isStart(failure)));
  // What a station does while nobody hears it is no step that it took.
  const steps = ofConnections.filter((failure) => isStep(failure) && isWrongStep(failure));
  // What was started offline is told without a boot to a central system that was restarted.
  const starts = connections.filter(hasBoot).flatMap(failuresOf).filter(isStart);
  const complaints = [...others, ...(isTooQuick ? [] : steps), ...starts].filter((failure) => {
    if (failure.code === "SLOW_RESPONSE" && !failure.isOurs) return isUndisturbed;
    return isUndisturbed ? !IMPATIENCE.has(failure.code) : CONDUCT.has(failure.code);
  });
  return { frames: judged.length, complaints };
}

const isStep = (failure) => failure.code === "STATUS_TRANSITION_VIOLATION";
const isStart = (failure) => failure.code === "UNEXPECTED_START";

function hasBoot(entries) {
  const isCall = ({ direction, message }) => direction === FROM_STATION && message?.[0] === CALL;
  return entries.some((entry) => isCall(entry) && entry.message[2] === "BootNotification");
}

// A Heartbeat that was asked for, and promised, keeps no interval.
function withoutTriggeredHeartbeats(entries) {
  const asked = new Set();
  const promised = new Map();
  const triggered = new Set();
  return entries.filter(({ connection, direction, message }) => {
    if (!Array.isArray(message)) return true;
    const [kind, id] = message;
    const exchange = `${connection} ${id}`;
    const due = promised.get(connection) ?? 0;
    if (direction !== FROM_STATION) {
      const [, , action, payload] = message;
      if (kind !== CALL) return !triggered.has(exchange);
      if (TRIGGERS.has(action) && payload?.requestedMessage === "Heartbeat") asked.add(exchange);
    } else if (kind === RESULT && asked.delete(exchange) && message[2]?.status === "Accepted") {
      promised.set(connection, due + 1);
    } else if (kind === CALL && message[2] === "Heartbeat" && due > 0) {
      promised.set(connection, due - 1);
      triggered.add(exchange);
      return false;
    }
    return true;
  });
}

function failuresOf(entries) {
  if (entries.length === 0) return [];
  const trace = parseTrace(entries.map((entry) => JSON.stringify(entry)).join("\n"));
  if (trace.warnings?.length) {
    const [{ message }] = trace.warnings;
    return [{ code: "UNREADABLE", description: message, severity: "critical", isOurs: true }];
  }
  const directions = new Map(trace.events.map((event) => [event.id, event.direction]));
  return detectFailures(trace.events, buildSessionTimeline(trace.events)).map((failure) => ({
    ...failure,
    // Whether the call behind it was the central system's, so that the station answers.
    isOurs: directions.get(failure.eventIds[0]) === "CSMS_TO_CS",
  }));
}

// After a boot or a trigger the same state is reported once more.
function isWrongStep(failure) {
  const [, before, after] = /from "(\w+)" to "(\w+)"/.exec(failure.description) ?? [];
  return before === undefined || (before !== after && !STEPS_OF_OURS.has(`${before} ${after}`));
}

const [directory] = process.argv.slice(2);
const names = readdirSync(directory)
  .filter((name) => name.endsWith(".jsonl"))
  .sort();
let frames = 0;
let complaints = 0;
for (const name of names) {
  const verdict = judge(name, readFileSync(join(directory, name), "utf8").split("\n"));
  frames += verdict.frames;
  for (const { code, description } of verdict.complaints) {
    complaints += 1;
    console.log(`${name}: ${code}: ${description}`);
  }
}
console.log(`@ocpp-debugkit: ${names.length} traces, ${frames} frames, ${complaints} complaints`);
process.exitCode = complaints > 0 || frames === 0 ? 1 : 0;
