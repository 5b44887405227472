// The sandbox as a client of Microsoft's JavaScript SDK meets it: one client per person, one webhook.
// Knows nothing of the sandbox but its ready line; must never send a request past the SDK, except to the control API.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "@microsoft/microsoft-graph-client";

export const ready = JSON.parse(readFileSync(process.env.SANDBOX_READY_FILE, "utf8"));
export const PACIFIC = "Pacific Standard Time";
export const NEVER = "0001-01-01T00:00:00Z";
const root = new URL(ready.graph_url);

function connect(token) {
  return Client.init({
    baseUrl: `${root.origin}/`,
    defaultVersion: root.pathname.slice(1),
    customHosts: new Set([root.hostname]), // without it the SDK sends no token
    authProvider: (done) => done(null, token),
  });
}

export const people = ready.personas;
export const clients = Object.fromEntries(
  Object.entries(people).map(([key, person]) => [key, connect(person.token)]),
);

export async function control(path, body) {
  const answer = await fetch(`${ready.control_url}/${path}`, {
    method: body === undefined ? "GET" : "POST",
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  if (!answer.ok) throw new Error(`control ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export async function connectApplication() {
  const answer = await fetch(`${ready.authority_url}/oauth2/v2.0/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: ready.client_id,
      client_secret: ready.client_secret,
      scope: "https://graph.microsoft.com/.default",
    }),
  });
  return connect((await answer.json()).access_token);
}

// The refusal of a request that must not succeed.
export async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("the request succeeded, although Graph would refuse it");
}

export async function until(look, what, timeout_s = 10) {
  const end = Date.now() + timeout_s * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${timeout_s} s: ${what}`);
    await pause(50);
  }
}

export function inDays(days) {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

export function meeting(subject, days = 30) {
  return {
    subject,
    body: { contentType: "HTML", content: "Happy holidays!" },
    start: { dateTime: `${inDays(days)}T18:00:00`, timeZone: PACIFIC },
    end: { dateTime: `${inDays(days)}T22:00:00`, timeZone: PACIFIC },
    location: { displayName: "Alex' home" },
    attendees: [
      { emailAddress: { address: "meganb@contoso.onmicrosoft.com", name: "Megan Bowen" }, type: "required" },
      { emailAddress: { address: "ChristieC@contoso.onmicrosoft.com", name: "Christie Cline" }, type: "required" },
    ],
  };
}

export async function findDelegatedCalendar() {
  const { value } = await clients.adele.api("/me/calendars").get();
  return value.find((one) => one.owner.address === people.alex.address);
}

// Adele invites on Alex' behalf; gives the event as she is shown it.
export async function invite(subject) {
  const calendar = await findDelegatedCalendar();
  return clients.adele
    .api(`/me/calendars/${calendar.id}/events`)
    .header("Prefer", `outlook.timezone="${PACIFIC}"`)
    .post(meeting(subject));
}

export async function findMessage(who, pick, what) {
  return until(async () => {
    const { value } = await clients[who].api("/me/messages").top(50).get();
    return value.find(pick);
  }, what);
}

// A webhook that answers handshakes; gives its URL, what it was sent, and how to close it.
export async function openWebhook() {
  const seen = { handshakes: [], notifications: [] };
  const server = createServer((request, response) => {
    const token = new URL(request.url, "http://localhost").searchParams.get("validationToken");
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      if (token !== null) {
        seen.handshakes.push({ method: request.method, type: request.headers["content-type"], url: request.url });
        response.writeHead(200, { "content-type": "text/plain" }).end(token);
        return;
      }
      seen.notifications.push(...JSON.parse(Buffer.concat(chunks)).value);
      response.writeHead(202).end();
    });
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { ...seen, url: `http://127.0.0.1:${server.address().port}/notifications`, close: () => server.close() };
}
