// The page *Now*: faults with their remedies, plots of the last hour, mailboxes, processes.
import { ago, build, find, plural, show, span, until } from "/assets/dom.js";
import { follow } from "/assets/live.js";
import { draw } from "/assets/plot.js";

const whole = (value) => Math.round(value).toLocaleString("en");
const seconds = (value) => (value === null ? "none" : value === 0 ? "0 s" : value < 1 ? `${Math.round(value * 1000)} ms` : value < 60 ? `${value < 10 ? value.toFixed(1) : Math.round(value)} s` : span(value));
const sum = (minutes, name) => minutes.reduce((total, one) => total + one[name], 0);
/** What the last whole minute counted; the present one where it is more already. */
const rate = (minutes, name) => whole(Math.max(...minutes.slice(-2).map((one) => one[name])));
const last = (minutes, name) => minutes.map((one) => one[name]).findLast((value) => value !== null) ?? null;

const PLOTS = [
  {
    id: "flow", title: "Flow per minute", least: 4, format: whole,
    legend: [["a", "notifications stored"], ["b", "updates published"]],
    series: (minutes) => [line(minutes, "stored", "a"), line(minutes, "published", "b")],
    text: (minutes) => [rate(minutes, "stored"), `in, ${rate(minutes, "published")} out; ${whole(sum(minutes, "stored"))} and ${whole(sum(minutes, "published"))} in the last hour`],
  },
  {
    id: "lag", title: "Lag", least: 1, format: seconds,
    legend: [["a", "age of the oldest entry"]],
    series: (minutes) => [line(minutes, "lagS", "a")],
    text: (minutes, picture) => [seconds(picture.intake.oldestAt ? Math.max(0, (new Date(picture.at) - new Date(picture.intake.oldestAt)) / 1000) : 0), `${plural(picture.intake.entries, "entry", "entries")} on the way, ${plural(picture.intake.due, "timer or retry", "timers and retries")} waiting`],
  },
  {
    id: "delay", title: "Notification to update", least: 0.5, format: seconds,
    legend: [["a", "half of them"], ["b", "95 %"]],
    series: (minutes) => [line(minutes, "delayP95S", "b"), line(minutes, "delayP50S", "a")],
    text: (minutes) => [seconds(last(minutes, "delayP50S")), last(minutes, "delayP50S") === null ? "no update in the last hour" : `half of them; 95 % within ${seconds(last(minutes, "delayP95S"))}`],
  },
  {
    id: "graph", title: "Graph calls per minute", least: 10, format: whole,
    legend: [["a", "requests"], ["bad", "throttled"]],
    series: (minutes) => [
      { kind: "bar", tone: "bad", values: minutes.map((one) => one.throttled) },
      { kind: "bar", tone: "a", values: minutes.map((one) => Math.max(one.graph - one.throttled, 0)) },
    ],
    text: (minutes) => [rate(minutes, "graph"), `${rate(minutes, "throttled")} throttled; ${whole(sum(minutes, "graph"))} and ${whole(sum(minutes, "throttled"))} in the last hour`],
  },
];
const STATES = { watched: "watched", waiting: "waiting", silent: "silent", deleted: "unsubscribed", faulty: "faulty" };
const TONES = { watched: "good", waiting: "wait", silent: "warn", deleted: "wait", faulty: "bad" };
const KINDS = { inbox: "inbox", mailbox: "whole mailbox", calendar: "calendar" };

function line(minutes, name, tone) {
  return { kind: "line", tone, values: minutes.map((one) => one[name]) };
}

function buildPlots() {
  find("plots").replaceChildren(...PLOTS.map((plot) => build("figure", { id: `plot-${plot.id}`, class: "plot" },
    build("figcaption", {}, build("span", { class: "plot-title" }, plot.title), build("span", { class: "plot-value" }, "–"), build("span", { class: "plot-text" }, "")),
    build("div", { class: "frame" }, build("div", { class: "canvas" }), build("span", { class: "scale", "aria-hidden": "true" })),
    build("p", { class: "axes", "aria-hidden": "true" }, build("span", {}, "60 min ago"), build("span", {}, "now")),
    build("p", { class: "legend" }, ...plot.legend.map(([tone, name]) => build("span", {}, build("i", { class: `swatch ${tone}`, "aria-hidden": "true" }), name))),
  )));
}

function showPlots(picture) {
  for (const plot of PLOTS) {
    const figure = find(`plot-${plot.id}`);
    const [value, text] = plot.text(picture.minutes, picture);
    figure.querySelector(".plot-value").textContent = value;
    figure.querySelector(".plot-text").textContent = text;
    draw(figure, plot.series(picture.minutes), plot.least, plot.format);
  }
}

function showTroubles(picture) {
  const faults = picture.troubles.filter((one) => one.state === "fault").length;
  const warnings = picture.troubles.length - faults;
  const verdict = find("verdict");
  verdict.dataset.state = faults ? "bad" : warnings ? "warn" : "good";
  const parts = [faults ? plural(faults, "fault") : "", warnings ? plural(warnings, "warning") : ""].filter(Boolean);
  const title = parts.length ? parts.join(", ") : "All is well";
  const text = picture.at === null ? "Nothing can be seen until it is repaired." : `${plural(picture.ownersReady, "owner")} of ${picture.ownersTotal} watched, ${plural(picture.processes.filter((one) => one.alive).length, "process", "processes")} running, ${picture.redis.product} ${picture.redis.version} at ${picture.redis.usedMb} MB.`;
  if (find("verdict-title").textContent !== title) find("verdict-title").textContent = title;
  if (find("verdict-text").textContent !== text) find("verdict-text").textContent = text;
  show(find("troubles"), picture.troubles, () => picture.troubles.map((one) => build("li", { class: `trouble ${one.state}` },
    build("p", { class: "trouble-what" }, build("span", { class: `tag ${one.state === "fault" ? "bad" : "warn"}` }, one.state), build("strong", {}, one.subject.charAt(0).toUpperCase() + one.subject.slice(1)), ": ", one.words),
    build("p", { class: "trouble-do" }, ...code(one.remedy)),
    build("p", { class: "trouble-book" }, "Runbook: ", build("code", {}, one.runbook)),
  )));
}

/** Shows what stands between backticks as code. */
function code(text) {
  return text.split("`").map((part, at) => (at % 2 ? build("code", {}, part) : part));
}

const tag = (tone, text) => build("span", { class: `tag ${tone}` }, text);
// Roles are named because a narrow screen lays tables out as cards, and browsers then forget what they are.
const cell = (label, ...content) => build("td", { role: "cell", "data-label": label }, ...content);

/** Names a few, and counts the rest: a delegate's inbox may serve hundreds of owners. */
const listed = (names) => names.slice(0, 4).join(", ") + (names.length > 4 ? ` and ${names.length - 4} more` : "");

function showMailboxes(picture) {
  const rows = picture.mailboxes;
  const counts = Object.keys(STATES).map((state) => [rows.filter((one) => one.state === state).length, STATES[state]]).filter(([count]) => count);
  const more = picture.mailboxesTotal > rows.length ? `; ${picture.mailboxesTotal - rows.length} more are not listed` : "";
  find("mailboxes-sum").textContent = rows.length ? counts.map(([count, word]) => `${count} ${word}`).join(", ") + more : "none yet: response-sync owners add ADDRESS";
  show(find("mailboxes").tBodies[0], rows, () => rows.map((one) => build("tr", { role: "row" },
    cell("State", tag(TONES[one.state], STATES[one.state])),
    cell("Mailbox", one.mailbox, one.owners.length ? build("span", { class: "served" }, `for ${listed(one.owners)}`) : ""),
    cell("What is read", KINDS[one.kind] ?? one.kind),
    cell("Subscription ends", one.endsAt ? until(one.endsAt) : "none"),
    cell("Last notification", one.heardAt ? ago(one.heardAt) : "none yet"),
    cell("Complete up to", one.completeAt ? ago(one.completeAt) : one.round ? `reading, ${plural(one.round.items, "item")}` : "not read yet"),
    cell("Note", one.words.split(": ")[0]),
  )));
}

function showProcesses(picture) {
  const alive = picture.processes.filter((one) => one.alive);
  find("processes-sum").textContent = ["web", "worker", "keeper"].map((role) => `${alive.filter((one) => one.roles.includes(role)).length} ${role}`).join(", ");
  show(find("processes").tBodies[0], picture.processes, () => picture.processes.map((one) => build("tr", { role: "row" },
    cell("State", one.alive ? (Object.keys(one.unready).length ? tag("wait", "not ready") : tag("good", "running")) : tag("bad", "silent")),
    cell("Roles", one.roles.join(", ") + (one.leader ? " (leads)" : "")),
    cell("Process", build("span", { class: "mono" }, one.name)),
    cell("Running for", one.alive ? ago(one.startedAt, "", "") : ago(one.heardAt, "last heard of ")),
    cell("In work", plural(one.inFlight, "entry", "entries")),
    cell("Version", one.version || "unknown"),
  )));
}

buildPlots();
follow((picture) => {
  showTroubles(picture);
  document.body.classList.toggle("blind", picture.at === null);
  if (picture.at === null) return;
  showPlots(picture);
  showMailboxes(picture);
  showProcesses(picture);
});
