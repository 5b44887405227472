// Prints who is coming to what, whenever it changes: the same as ../python, without our library, over plain Redis.
//
//   npm install
//   REDIS_URL=redis://localhost:6379 node who-is-coming.mjs [--group crm] [--stream responses] [--count 10]
//
// One process per group: two would mix up the order of a source. What it does, and any consumer must:
// 1. read as a group from the beginning; first what an earlier life took and did not acknowledge;
// 2. leave out what was seen: `source` and `id` together are unique;
// 3. let a higher `epoch` of a source replace all that is held of its meeting, and ignore a lower one;
// 4. take a gap in `sequence` for a loss: forget what that source held, and ask the service for a snapshot;
// 5. acknowledge once an update was handled.
import os from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import Redis from "ioredis";

const SCHEMA = "urn:responsesync:update:1";
const PREFIX = "responsesync.";
const { values: given } = parseArgs({
  options: {
    group: { type: "string", default: "example-node" },
    stream: { type: "string", default: "responses" },
    count: { type: "string", default: "0" },
  },
});
const redis = new Redis(process.env.REDIS_URL);
const consumer = os.hostname();
const seen = new Map(); // source -> {epoch, sequence}
const meetings = new Map(); // meeting -> {epoch, whole: Map(address -> value), occurrences: Map(date -> Map)}
let stopping = false;
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => (stopping = true));

function toObject(flat) {
  const fields = {};
  for (let at = 0; at < flat.length; at += 2) fields[flat[at]] = flat[at + 1];
  return fields;
}

// source is /owners/{owner}/meetings/{meeting}[/instances/{date}]
function split(source) {
  const [meeting, instance = ""] = source.split("/instances/");
  return { meeting, instance: decodeURIComponent(instance) };
}

function hold(meeting, epoch) {
  const held = meetings.get(meeting);
  if (held && held.epoch >= epoch) return held;
  const fresh = { epoch, whole: new Map(), occurrences: new Map() };
  meetings.set(meeting, fresh);
  return fresh;
}

function fold(update) {
  const { meeting, instance } = split(update.source);
  const held = hold(meeting, Number(update.epoch));
  if (held.epoch > Number(update.epoch)) return new Map();
  const type = update.type.slice(PREFIX.length);
  if (type === "event.cancelled" || type === "event.deleted") {
    // An occurrence that does not take place has nobody, and does not inherit from its series any more.
    if (instance) held.occurrences.set(instance, { own: new Map(), over: true });
    else meetings.delete(meeting);
    return new Map();
  }
  if (instance && (!held.occurrences.has(instance) || held.occurrences.get(instance).over))
    held.occurrences.set(instance, { own: new Map(), over: held.occurrences.get(instance)?.over ?? false });
  if (type === "event.rescheduled" && !instance) held.occurrences.clear();
  const people = instance ? held.occurrences.get(instance).own : held.whole;
  if (update.subject) people.set(update.subject, type === "attendee.removed" ? null : update.data.response.value);
  return list(held, instance);
}

// An occurrence's own entry where there is one, else the series'.
function list(held, instance) {
  const occurrence = held.occurrences.get(instance);
  const inherited = occurrence?.over ? [] : held.whole;
  const all = new Map([...inherited, ...(occurrence?.own ?? [])]);
  return new Map([...all].filter(([, value]) => value !== null).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const asked = new Map(); // owner -> when, so that a loss of many updates is one request
async function askForSnapshot(owner) {
  if (Date.now() - (asked.get(owner) ?? -Infinity) < 60_000) return;
  asked.set(owner, Date.now());
  await redis.xadd(`${given.stream}:intake`, "*", "kind", "snapshot", "origin", "consumer", "owner", owner,
    "arrived_at", new Date().toISOString());
}

async function handle(fields) {
  if (fields.dataschema !== SCHEMA || !fields.type.startsWith(PREFIX)) return false; // of another version
  const update = { ...fields, data: JSON.parse(fields.data) };
  const at = { epoch: Number(update.epoch), sequence: Number(update.sequence) };
  const last = seen.get(update.source);
  if (last && (at.epoch < last.epoch || (at.epoch === last.epoch && at.sequence <= last.sequence))) return false;
  const expected = last && last.epoch === at.epoch ? last.sequence + 1 : 1;
  if (last && at.sequence > expected) {
    const { meeting, instance } = split(update.source);
    if (instance) meetings.get(meeting)?.occurrences.delete(instance);
    else meetings.delete(meeting);
    await askForSnapshot(decodeURIComponent(update.source.split("/")[2]));
  }
  const coming = Object.fromEntries(fold(update));
  seen.set(update.source, at);
  const type = update.type.slice(PREFIX.length);
  console.log(JSON.stringify({ type, subject: update.data.event.subject, coming }));
  return true;
}

async function* entries() {
  await redis.xgroup("CREATE", given.stream, given.group, "0", "MKSTREAM").catch((error) => {
    if (!error.message.startsWith("BUSYGROUP")) throw error;
  });
  for (let from = "0"; !stopping; ) {
    const reply = await redis.xreadgroup("GROUP", given.group, consumer, "COUNT", 100, "BLOCK", 1000,
      "STREAMS", given.stream, from);
    const page = reply ? reply[0][1] : [];
    for (const entry of page) yield entry;
    if (from !== ">") from = page.length ? page.at(-1)[0] : ">"; // first what was left undone
  }
}

let left = Number(given.count) || Infinity;
for await (const [id, flat] of entries()) {
  if (flat && (await handle(toObject(flat)))) left -= 1;
  await redis.xack(given.stream, given.group, id);
  if (left === 0 || stopping) break;
}
redis.disconnect();
