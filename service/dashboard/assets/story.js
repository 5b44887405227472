// The story of an answer in words: what is so and why, what the calendar and the messages say, what was told.
import { build, moment } from "/assets/dom.js";

const VALUES = { accepted: "accepted", tentativelyAccepted: "tentative", declined: "declined", none: "no answer", notResponded: "no answer" };
export const TONES = { accepted: "good", tentativelyAccepted: "warn", declined: "bad", none: "wait", notResponded: "wait" };
export const STANDINGS = {
  none: "nobody has said anything", reported: "the message says so, the calendar does not yet", recorded: "the calendar says so",
  confirmed: "message and calendar agree", conflicting: "message and calendar disagree",
};
export const word = (value) => VALUES[value] ?? value;

const isAnswer = (value) => !["none", "notResponded"].includes(value);

function answered(one) {
  const proposal = one.proposal ? [", proposing ", moment(one.proposal[0])] : [];
  if (!isAnswer(one.value)) return [word(one.value), ...proposal];
  return [word(one.value), " at ", one.time ? moment(one.time) : "a time that is not known", ...proposal];
}

function slot(one) {
  if (!one) return ["an unknown time"];
  return [moment(one.start), " to ", moment(one.end), one.recurrence ? ", repeating" : ""];
}

function pair(one) {
  const calendar = one.calendarTime === null ? ["no answer"] : [word(one.calendar), " at ", moment(one.calendarTime)];
  return ["the message’s ", word(one.message), " at ", moment(one.messageTime), " opposite ", ...calendar];
}

/** Gives label and text of each line of one attendee's story in one instance. */
export function* lines(story, instance) {
  for (const one of story.aliases) yield ["Also known", `${one.alias} is ${one.person}${one.byNameOnly ? ", found by display name only" : ""}`];
  for (const one of story.refutedAliases) yield ["Not", `${one.alias} for ${one.person}: the calendar lists both`];
  const now = instance.now;
  if (now.absent) {
    yield ["Now", `nothing is derived: ${now.absent}`];
  } else {
    yield ["Now", word(now.value), `, ${now.standing}`, now.overdue ? ", overdue" : "", ...(now.time ? [", answered ", moment(now.time)] : [])];
    yield ["Because", `${now.because}; ${now.rule}`];
    yield ["Whose", now.ownBecause];
  }
  const event = instance.event;
  if (event === null) yield ["Calendar", "its event was not read"];
  else yield ["Calendar", ...slot(event.slot), ", changed ", moment(event.lastModified), event.seen ? ", seen " : "", event.seen ? moment(event.seen) : "", event.isCancelled ? ", cancelled" : ""];
  if (instance.notFoundAt) yield ["", "looked for and not found at ", moment(instance.notFoundAt)];
  for (const row of instance.rows) yield ["Row", ...answered(row), ` for ${row.address}: ${row.because}`];
  for (const one of instance.answers) yield ["Message", ...answered(one), ` by ${one.address}, to `, ...slot(one.slot), `: ${one.because}`, one.taken ? "; it stands opposite the calendar’s row" : ""];
  for (const one of instance.due) yield ["Grace", "passed for ", ...pair(one)];
  if (instance.timer) yield ["Grace", "runs for ", ...pair(instance.timer)];
  const told = instance.told;
  yield ["Told", told === null ? (instance.toldEnding ? `that it is ${instance.toldEnding}` : "nothing") : told.present ? `consumers hold ${word(told.value)}, ${told.standing ?? "no standing"}${told.here ? "" : ", by the series"}` : "consumers hold that they are removed"];
  for (const one of instance.published) yield ["", moment(new Date(Number(one.entry.split("-")[0])).toISOString()), ` ${one.type}`, one.value ? ` ${one.previous ? word(one.previous) : "nothing"} → ${word(one.value)}` : "", one.standing ? ` (${one.standing})` : ""];
  for (const one of instance.journal.answers) yield ["Read", ...answered(one), ` from ${[one.byMessage ? "message" : "", one.byCalendar ? "calendar" : ""].filter(Boolean).join(" and ")}: ${one.because}`];
  if (instance.journal.skipped) yield ["Skipped", String(instance.journal.skipped)];
}

export function drawStory(story, instance) {
  const rows = [...lines(story, instance)].map(([label, ...text]) => [build("dt", {}, label || " "), build("dd", {}, ...text)]);
  return build("dl", { class: "story" }, ...rows.flat());
}
