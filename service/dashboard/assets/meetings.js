// The page *Meetings*: search, and one meeting with its attendees, both witnesses of each, and the story of every answer.
import { ask, build, find, moment, plural, show } from "/assets/dom.js";
import { follow } from "/assets/live.js";
import { STANDINGS, TONES, drawStory, word } from "/assets/story.js";

const TALLY = [["accepted", "yes"], ["tentativelyAccepted", "maybe"], ["declined", "no"], ["none", "open"]];
const STANDING_TONES = { confirmed: "good", conflicting: "bad", reported: "warn", recorded: "wait", none: "wait" };
const open = new Set(); // stories that were opened: they stay so when the meeting is drawn anew
let wanted = null; // path of the meeting shown
let round = 0;
let positions = "";

const pathOf = (row) => `/api/meetings/${encodeURIComponent(row.ownerKey)}/${encodeURIComponent(row.meeting)}`;
const day = (text, zone) => `${new Date(`${text.slice(0, 19)}Z`).toLocaleString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC" })} ${zone}`;

const tally = (counts) => build("span", { class: "tally" }, ...TALLY.map(([value, name]) => build("span", { class: `pill ${TONES[value]}${counts[value] ? "" : " zero"}` }, build("b", {}, String(counts[value])), ` ${name}`)));

async function search(isQuiet = false) {
  const words = find("q").value.trim();
  const mine = ++round;
  if (!isQuiet) find("found").textContent = "Searching …";
  try {
    const result = await ask(`/api/meetings?q=${encodeURIComponent(words)}`);
    if (mine !== round) return;
    const part = result.complete ? "" : `; ${result.lookedAt} of ${result.total} were looked at: give more words`;
    const text = `${plural(result.found, "meeting")}${words ? " found" : ""}${part}`;
    if (find("found").textContent !== text) find("found").textContent = text;
    show(find("list"), [result.meetings, wanted], () => result.meetings.map(drawRow));
  } catch (error) {
    if (mine === round) find("found").textContent = error.message;
  }
}

function drawRow(row) {
  const path = pathOf(row);
  const marks = [
    row.ending ? build("span", { class: "tag wait" }, row.ending) : null,
    row.conflicting ? build("span", { class: "tag bad" }, `${row.conflicting} conflicting`) : null,
    row.overdue ? build("span", { class: "tag warn" }, `${row.overdue} overdue`) : null,
  ];
  const button = build("button", { type: "button", class: "row", "aria-current": path === wanted ? "true" : null, "data-focus": path, on: { click: () => choose(path) } },
    build("span", { class: "row-title" }, row.subject ?? "Private meeting", ...marks.filter(Boolean).flatMap((mark) => [" ", mark])),
    build("span", { class: "row-text" }, `${day(row.start, row.timeZone)} · ${row.ownerName || row.owner}${row.instances > 1 ? ` · ${plural(row.instances - 1, "occurrence")}` : ""}`),
    tally(row.tally),
  );
  return build("li", {}, button);
}

async function choose(path) {
  wanted = path;
  open.clear();
  for (const row of document.querySelectorAll("button.row")) row.toggleAttribute("aria-current", row.dataset.focus === path);
  for (const row of document.querySelectorAll("button.row[aria-current]")) row.setAttribute("aria-current", "true");
  await read();
  find("meeting").querySelector("h2")?.focus();
}

async function read() {
  const path = wanted;
  if (path === null) return;
  const place = find("meeting");
  place.hidden = false;
  try {
    const meeting = await ask(path);
    if (path === wanted) show(place, meeting, () => drawMeeting(meeting));
  } catch (error) {
    if (path === wanted) show(place, error.message, () => [build("p", { class: "notice" }, error.message)]);
  }
}

function* drawMeeting(meeting) {
  const first = meeting.instances[0];
  yield build("button", { type: "button", class: "quiet back", on: { click: close } }, "Back to the list");
  yield build("h2", { tabindex: "-1" }, first ? first.subject ?? "Private meeting" : "A meeting whose event was not read yet");
  yield build("p", { class: "sum" }, `Calendar of ${meeting.ownerName ? `${meeting.ownerName}, ` : ""}${meeting.owner}`);
  yield build("p", { class: "sum" }, "Key ", build("code", { class: "key" }, meeting.meeting));
  for (const instance of meeting.instances) yield drawInstance(meeting, instance);
  const unlisted = meeting.stories.filter((story) => !meeting.instances.some((each) => each.attendees.some((one) => one.address === story.address)));
  if (unlisted.length) yield build("section", {}, build("h3", {}, "Not attendees now"), build("ul", { class: "people" }, ...unlisted.map((story) => drawPerson(story, story.instances[0], null))));
}

function drawInstance(meeting, instance) {
  const title = instance.instance ? `Occurrence of ${instance.instance}` : meeting.instances.length > 1 ? "The series" : "Attendees";
  const people = instance.attendees.map((one) => {
    const story = meeting.stories.find((each) => each.address === one.address);
    return drawPerson(story, story?.instances.find((each) => each.instance === instance.instance), one);
  });
  return build("section", {},
    build("h3", {}, title),
    build("p", { class: "sum" }, day(instance.start.dateTime, instance.start.timeZone), " ", instance.ending ? build("span", { class: "tag wait" }, instance.ending) : "", " ", tally(instance.tally)),
    build("ul", { class: "people" }, ...people));
}

function witness(name, one) {
  const said = one === null || ["none", "notResponded"].includes(one.value) ? ["nothing"] : [word(one.value), ...(one.time ? [", ", moment(one.time)] : [])];
  return build("div", { class: "witness" }, build("dt", {}, name), build("dd", {}, ...said));
}

function drawPerson(story, instance, one) {
  const address = one?.address ?? story.address;
  const name = (one?.name ?? story?.name) || address;
  const key = `${instance?.instance ?? ""} ${address}`;
  const details = story && instance
    ? build("details", { open: open.has(key), on: { toggle: (event) => (event.target.open ? open.add(key) : open.delete(key)) } }, build("summary", { "data-focus": key, "aria-label": `Why: the story of ${name}` }, "Why"), drawStory(story, instance))
    : null;
  return build("li", { class: "person" },
    build("div", { class: "person-head" },
      build("div", { class: "who" }, build("strong", {}, name), name === address ? "" : build("span", { class: "address" }, address), one && one.type !== "required" ? build("span", { class: "address" }, one.type) : ""),
      one ? build("div", { class: "now" }, build("span", { class: `tag ${TONES[one.value]}` }, word(one.value)), " ", one.standing === "none" ? "" : build("span", { class: `tag line ${STANDING_TONES[one.standing]}`, title: STANDINGS[one.standing] }, one.standing), one.overdue ? " " : "", one.overdue ? build("span", { class: "tag warn" }, "overdue") : "") : ""),
    one ? build("dl", { class: "witnesses" }, witness("Message says", one.message), witness("Calendar says", one.event), build("div", { class: "witness" }, build("dt", {}, "Answered"), build("dd", {}, one.time ? moment(one.time) : "not yet"))) : null,
    details);
}

function close() {
  const path = wanted;
  wanted = null;
  find("meeting").hidden = true;
  find("meeting").dataset.key = "";
  const row = [...document.querySelectorAll("button.row")].find((one) => one.dataset.focus === path);
  row?.removeAttribute("aria-current");
  row?.focus();
}

find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
let typing;
find("q").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(search, 400);
});
search();
follow((picture) => {
  const now = JSON.stringify(picture.updates ?? positions);
  const isNews = positions !== "" && now !== positions && picture.updates !== undefined;
  positions = picture.updates === undefined ? positions : now;
  if (!isNews) return;
  read();
  search(true);
});
