// The line to the service: one event source per page, its state in the header, signing out.
import { ask, find, plural } from "/assets/dom.js";

const WORDS = { on: "Live", off: "No connection", wait: "Connecting" };

function tell(state) {
  find("live").dataset.state = state;
  if (find("live-text").textContent !== WORDS[state]) find("live-text").textContent = WORDS[state];
}

function count(picture) {
  const dead = picture.intake?.dead ?? 0;
  find("dead-count").hidden = !dead;
  find("dead-count").textContent = dead ? dead.toLocaleString("en") : "";
  if (dead) find("dead-count").setAttribute("aria-label", plural(dead, "entry", "entries"));
}

/** Calls back with each picture of the system, as soon as there is a new one. */
export function follow(call) {
  const source = new EventSource("/api/live");
  source.addEventListener("now", (message) => {
    tell("on");
    const picture = JSON.parse(message.data);
    count(picture);
    call(picture);
  });
  source.addEventListener("open", () => tell("on"));
  source.addEventListener("error", async () => {
    tell("off");
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => follow(call), 10000); // too many pages, or the session ended
    await ask("/api/now").then(call, () => undefined);
  });
  addEventListener("pagehide", () => source.close());
}

find("sign-out").addEventListener("click", async () => {
  await fetch("/logout", { method: "POST" });
  location.assign("/login");
});
