// A second central system of other people's making, driven line by line.
//
// It is built on the npm package `ocpp-rpc` in its strict mode, which checks every
// frame in both directions by schemas of its own. The events and commands are those
// of interactive.py, and `connected` tells the `password` of HTTP Basic, its bytes as
// hexadecimal digits; each frame that strict mode rejects is a `complaint`.
//
// Usage: node strict.js --trace FILE, with MODE3_NODE_JUDGES naming the directory
// whose node_modules has the package.

"use strict";

const { createRequire } = require("node:module");
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");

const judges = createRequire(path.join(process.env.MODE3_NODE_JUDGES ?? ".", "package.json"));
const { RPCServer } = judges("ocpp-rpc");

const ANSWER_TIME_MS = 15_000;
const ACCEPTED = { status: "Accepted" };

// Each action of a station: the event that tells of it, and the answer.
let nextTransactionId = 1;
const now = () => new Date().toISOString();
const ACTIONS = {
  Authorize: ["authorize", () => ({ idTagInfo: ACCEPTED })],
  BootNotification: ["boot", () => ({ ...ACCEPTED, currentTime: now(), interval: 300 })],
  DataTransfer: ["data", () => ACCEPTED],
  DiagnosticsStatusNotification: ["diagnostics", () => ({})],
  FirmwareStatusNotification: ["firmware", () => ({})],
  Heartbeat: ["heartbeat", () => ({ currentTime: now() })],
  LogStatusNotification: ["log", () => ({})],
  MeterValues: ["meter", () => ({})],
  SecurityEventNotification: ["security", () => ({})],
  SignCertificate: ["sign", () => ACCEPTED],
  SignedFirmwareStatusNotification: ["signed-firmware", () => ({})],
  StartTransaction: [
    "start",
    () => ({ transactionId: nextTransactionId++, idTagInfo: ACCEPTED }),
  ],
  StatusNotification: ["status", () => ({})],
  StopTransaction: ["stop", () => ({})],
};

function emit(event, facts = {}) {
  const at = performance.now() / 1000;
  process.stdout.write(`${JSON.stringify({ event, at, ...facts })}\n`);
}

function traceTo(file) {
  const output = file && fs.openSync(file, "w");
  return (connection, outbound, text) => {
    if (!output) return;
    let message = text;
    try {
      message = JSON.parse(text);
    } catch {
      // Kept as text.
    }
    const direction = outbound ? "CSMS_TO_CS" : "CS_TO_CSMS";
    const entry = { timestamp: now(), connection, direction, message };
    fs.writeSync(output, `${JSON.stringify(entry)}\n`);
  };
}

// The package emits a frame that it sends after it was sent, and an answer may be
// quicker: so what leaves is noted where it leaves.
function noteFrames(client, connection, trace) {
  client.on("message", ({ message, outbound }) => {
    if (!outbound) trace(connection, false, String(message));
  });
  const send = client.sendRaw.bind(client);
  client.sendRaw = (message) => {
    trace(connection, true, String(message));
    send(message);
  };
}

function serve(client, connection) {
  client.on("strictValidationFailure", ({ method, error, outbound, isCall }) => {
    if (!outbound || !isCall) {
      emit("complaint", { text: `${method}: ${error.message} ${JSON.stringify(error.details)}` });
    }
  });
  client.on("badMessage", ({ buffer, error }) => {
    emit("complaint", { text: `${error.message}: ${buffer}` });
  });
  client.handle(({ method, params }) => {
    const known = ACTIONS[method];
    if (!known) {
      emit("complaint", { text: `no action of a station: ${method}` });
      return {};
    }
    const [event, answer] = known;
    const result = answer();
    const { transactionId } = result;
    emit(event, { payload: params, ...(transactionId && { transactionId }) });
    return result;
  });
  const password = client.handshake.password?.toString("hex");
  emit("connected", { station: client.identity, connection, ...(password && { password }) });
}

// Send the call of one command; its outcome is an event.
async function obey(client, { id, call: action, payload = {} }) {
  const origin = { id, action };
  if (!client) {
    emit("error", { ...origin, code: "NotConnected", description: "no station is connected" });
    return;
  }
  try {
    const result = await client.call(action, payload, { callTimeoutMs: ANSWER_TIME_MS });
    emit("result", { ...origin, payload: result });
  } catch (error) {
    const code = error.rpcErrorCode;
    if (code) emit("error", { ...origin, code, description: error.message });
    else emit("complaint", { ...origin, text: String(error) });
  }
}

async function main() {
  const place = process.argv.indexOf("--trace");
  const trace = traceTo(place > 0 ? process.argv[place + 1] : null);
  const server = new RPCServer({ protocols: ["ocpp1.6"], strictMode: true });
  let connections = 0;
  let current = null;
  server.auth((accept) => accept({}));
  server.on("client", (client) => {
    connections += 1;
    current = client;
    noteFrames(client, connections, trace);
    client.on("close", () => {
      if (current === client) current = null;
      emit("disconnected", { station: client.identity });
    });
    serve(client, connections);
  });
  const http = await server.listen(0, "127.0.0.1");
  emit("listening", { port: http.address().port });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    if (command.quit) break;
    obey(current, command);
  }
  process.exit(0);
}

main();
