// The page *Dead letters*: each with its reason and remedy; requeue or drop one, or all that are listed.
import { ago, ask, build, find, plural, show } from "/assets/dom.js";
import { follow } from "/assets/live.js";

const KINDS = { message: "Response message", event: "Event", lifecycle: "Lifecycle notification", due: "Timer" };
let listed = [];
let next = null;
let dead = -1;

async function read(before = "") {
  const reason = find("reason").value;
  try {
    const page = await ask(`/api/dead-letters?reason=${encodeURIComponent(reason)}&before=${before}`);
    listed = before ? [...listed, ...page.letters] : page.letters;
    next = page.next;
    dead = page.total;
    showReasons(page.reasons);
    showList(page.total);
  } catch (error) {
    say(error.message);
  }
}

function showReasons(reasons) {
  const select = find("reason");
  if (select.options.length > 1) return;
  select.append(...Object.entries(reasons).map(([word, text]) => build("option", { value: word }, `${word}: ${text}`)));
}

function showList(total) {
  say(listed.length === total ? plural(total, "entry", "entries") : `${listed.length.toLocaleString("en")} of ${plural(total, "entry", "entries")} listed`);
  find("more").hidden = next === null;
  find("drop-all").disabled = !listed.length;
  find("requeue-all").disabled = !listed.some((one) => one.requeueable);
  show(find("letters"), listed, () => (listed.length ? listed.map(drawLetter) : [build("li", { class: "empty" }, find("reason").value ? "None of this reason." : "None. Everything that came was worked off.")]));
}

function say(text) {
  if (find("sum").textContent !== text) find("sum").textContent = text;
}

function drawLetter(one) {
  const kind = KINDS[one.entry.kind] ?? "Not an entry of ours";
  return build("li", { class: "letter" },
    build("div", { class: "letter-head" },
      build("p", {}, build("span", { class: "tag bad" }, one.reason), " ", build("strong", {}, kind), one.about ? ` of ${one.about}` : "", " · ", ago(one.diedAt, "given up ")),
      build("div", { class: "bar" },
        one.requeueable ? build("button", { type: "button", "data-focus": `r${one.id}`, "aria-label": `Requeue ${one.id}`, on: { click: () => act("requeue", [one.id]) } }, "Requeue") : "",
        build("button", { type: "button", class: "danger", "data-focus": `d${one.id}`, "aria-label": `Drop ${one.id}`, on: { click: () => drop([one.id]) } }, "Drop"))),
    build("p", { class: "letter-what" }, one.meaning.charAt(0).toUpperCase() + one.meaning.slice(1), ". ", build("span", { class: "do" }, ...one.remedy.split("`").map((part, at) => (at % 2 ? build("code", {}, part) : part)))),
    one.detail ? build("p", { class: "detail mono" }, one.detail) : "",
    build("details", {}, build("summary", {}, "Entry"), build("dl", { class: "story" }, ...[["id", one.id], ["deliveries", one.deliveries], ...Object.entries(one.entry)].flatMap(([name, text]) => [build("dt", {}, name), build("dd", { class: "mono" }, text)]))));
}

async function act(what, ids) {
  try {
    const place = [...find("letters").children].findIndex((row) => row.contains(document.activeElement));
    const result = await ask(`/api/dead-letters/${what}`, { ids });
    await read();
    keepFocus(place);
    const unfit = result.unfit?.length ? `; ${result.unfit.length} are no entries of ours and can only be dropped` : "";
    say(what === "drop" ? `${plural(result.dropped, "entry", "entries")} dropped, ${result.left} left` : `${plural(result.requeued, "entry", "entries")} requeued, ${result.left} left${unfit}`);
  } catch (error) {
    say(error.message);
  }
}

/** What was acted on is gone: whoever uses the keyboard goes on with what took its place. */
function keepFocus(place) {
  if (document.activeElement !== document.body) return;
  const rows = [...find("letters").children];
  const next = place < 0 ? null : rows[Math.min(place, rows.length - 1)]?.querySelector("button");
  (next ?? find("reason")).focus();
}

async function drop(ids) {
  find("confirm-title").textContent = `Drop ${plural(ids.length, "entry", "entries")} for good?`;
  find("confirm-text").textContent = "What they point to is read again by the next sweep at the latest, if it is still there. This cannot be undone.";
  find("confirm").returnValue = "no";
  find("confirm").showModal();
  await new Promise((done) => find("confirm").addEventListener("close", done, { once: true }));
  if (find("confirm").returnValue === "yes") await act("drop", ids);
}

find("reason").addEventListener("change", () => read());
find("more").addEventListener("click", () => read(next));
find("requeue-all").addEventListener("click", () => act("requeue", listed.filter((one) => one.requeueable).map((one) => one.id)));
find("drop-all").addEventListener("click", () => drop(listed.map((one) => one.id)));
read();
follow((picture) => {
  if (picture.intake && picture.intake.dead !== dead) read();
});
