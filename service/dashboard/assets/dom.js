// Builds elements. Text is only ever set as text, so nothing that people wrote can become markup.

export const find = (id) => document.getElementById(id);

/** Makes an element: `build("p", {class: "sum"}, "text", child)`. */
export function build(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [kind, call] of Object.entries(value)) element.addEventListener(kind, call);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Replaces the children, unless nothing changed: selection, focus and scrolling stay. */
export function show(parent, key, make) {
  const text = JSON.stringify(key);
  if (parent.dataset.key === text) return;
  parent.dataset.key = text;
  const focus = document.activeElement?.dataset?.focus;
  parent.replaceChildren(...make());
  if (focus) parent.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** A span in its two largest units. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  const first = parts.findIndex(([count]) => count);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** A time of day, or a day and time where it is not today; the whole in the title. */
export function moment(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  const today = at.toDateString() === new Date().toDateString();
  const shown = at.toLocaleString("en-GB", today ? { timeStyle: "medium" } : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", ...(at.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" }) });
  return build("time", { datetime: text, title: text }, shown);
}

/** How long ago, kept up to date by `tick`. */
export const ago = (text, prefix = "", suffix = " ago") => build("time", { datetime: text, title: text, "data-since": text, "data-prefix": prefix, "data-suffix": suffix }, `${prefix}${span((Date.now() - new Date(text)) / 1000)}${suffix}`);

/** How long from now. */
export const until = (text) => build("time", { datetime: text, title: text, "data-until": text }, `in ${span((new Date(text) - Date.now()) / 1000)}`);

function tick() {
  for (const one of document.querySelectorAll("time[data-since]")) one.textContent = `${one.dataset.prefix}${span((Date.now() - new Date(one.dataset.since)) / 1000)}${one.dataset.suffix}`;
  for (const one of document.querySelectorAll("time[data-until]")) one.textContent = `in ${span((new Date(one.dataset.until) - Date.now()) / 1000)}`;
}
setInterval(tick, 1000);

/** Asks for JSON; a session that ended leads to the page for signing in. */
export async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, { ...options, redirect: "manual", headers: { Accept: "application/json", ...options.headers } });
  if (answer.status === 401) location.assign("/login");
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(data.error || `The service answered ${answer.status}.`);
  return data;
}
