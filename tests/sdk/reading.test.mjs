// Paging, batches, delta queries, options and refusals, as Microsoft's JavaScript SDK asks for them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchRequestContent, BatchResponseContent, PageIterator } from "@microsoft/microsoft-graph-client";
import {
  clients, connectApplication, control, findMessage, inDays, invite, meeting, people, ready, refusal, until,
} from "./tenant.mjs";

const GLOBAL_ID = "Binary {6ED8DA90-450B-101B-98DA-00AA003F1305} Id 0x3";

async function fill(count, word) {
  for (let number = 0; number < count; number += 1) {
    await control("mail", { to: people.megan.address, from: "news@fabrikam.com", subject: `${word} ${number}` });
  }
}

async function gather(client, page) {
  const items = [];
  const iterator = new PageIterator(client, page, (item) => items.push(item) > 0);
  await iterator.iterate();
  assert.ok(iterator.isComplete());
  return { items, deltaLink: iterator.getDeltaLink() };
}

test("pages lead on until everything was given", async () => {
  const word = `paged${Date.now()}`;
  await fill(25, word);
  const asked = () =>
    clients.megan.api("/me/mailFolders/inbox/messages").filter(`startswith(subject,'${word}')`).select("subject");
  const first = await asked().count(true).top(10).get();
  assert.equal(first["@odata.count"], 25);
  assert.equal(first.value.length, 10);
  assert.ok(first["@odata.nextLink"].startsWith(`${ready.graph_url}/`));
  const { items } = await gather(clients.megan, first);
  assert.equal(new Set(items.map((one) => one.id)).size, 25);
  const rest = await asked().skip(20).top(10).get();
  assert.equal(rest.value.length, 5);
  const byHeader = await asked().header("Prefer", "odata.maxpagesize=7").get();
  assert.equal(byHeader.value.length, 7);
});

test("what is selected, filtered and sorted is given, and nothing else", async () => {
  const word = `sorted${Date.now()}`;
  await fill(3, word);
  const { value } = await clients.megan
    .api("/me/messages")
    .filter(`receivedDateTime ge ${inDays(-1)}T00:00:00Z and startswith(subject,'${word}')`)
    .orderby("receivedDateTime desc")
    .select(["subject", "from"])
    .get();
  assert.deepEqual(value.map((one) => one.subject), [2, 1, 0].map((number) => `${word} ${number}`));
  assert.deepEqual(Object.keys(value[0]).sort(), ["@odata.etag", "from", "id", "subject"]);
});

test("a meeting message keeps its type under $select, and gives extended properties", async () => {
  const made = await invite(`Typed ${Date.now()}`);
  const { id } = await findMessage("megan", (one) => one.subject === made.subject, "the request");
  const slim = await clients.megan.api(`/me/messages/${id}`).select("subject").get();
  assert.match(slim["@odata.type"], /^#microsoft\.graph\.eventMessage/);
  const cast = await clients.megan
    .api(`/me/messages/${id}`)
    .select("microsoft.graph.eventMessage/meetingMessageType")
    .expand(`singleValueExtendedProperties($filter=id eq '${GLOBAL_ID}')`)
    .get();
  assert.equal(cast.meetingMessageType, "meetingRequest");
  const blob = Buffer.from(cast.singleValueExtendedProperties[0].value, "base64").toString("hex").toUpperCase();
  assert.equal(blob, made.iCalUId);
  const refused = await refusal(clients.megan.api(`/me/messages/${id}`).select("meetingMessageType").get());
  assert.equal(refused.statusCode, 400);
});

test("a batch gives each part its own status", async () => {
  const at = (path) => `${ready.graph_url}${path}`;
  const made = await invite(`Batched ${Date.now()}`);
  const { value: mine } = await clients.alex.api("/me/events").filter(`iCalUId eq '${made.iCalUId}'`).get();
  const batch = new BatchRequestContent([
    { id: "1", request: new Request(at("/me/calendar?$select=name")) },
    { id: "2", request: new Request(at("/me/messages/no-such-message")) },
    {
      id: "3",
      request: new Request(at(`/me/events/${encodeURIComponent(mine[0].id)}`), {
        method: "PATCH",
        headers: { "content-type": "application/json", prefer: 'IdType="ImmutableId"' },
        body: JSON.stringify({ subject: "not hers" }),
      }),
    },
  ]);
  const answer = new BatchResponseContent(await clients.adele.api("/$batch").post(await batch.getContent()));
  assert.equal(answer.getResponseById("1").status, 200);
  assert.deepEqual((await answer.getResponseById("1").json()).name, "Calendar");
  const missing = answer.getResponseById("2");
  assert.ok([400, 404].includes(missing.status));
  assert.ok((await missing.json()).error.code);
  assert.equal(answer.getResponseById("3").status, 404, "the id of another mailbox");
});

test("parts of a batch that depend on a failed one fail as well", async () => {
  const at = (path) => `${ready.graph_url}${path}`;
  const batch = new BatchRequestContent([
    { id: "1", request: new Request(at("/me/events/AAMkAGnothing")) },
    { id: "2", request: new Request(at("/me/calendar")), dependsOn: ["1"] },
  ]);
  const answer = new BatchResponseContent(await clients.alex.api("/$batch").post(await batch.getContent()));
  assert.equal(answer.getResponseById("2").status, 424);
});

test("a delta query gives everything once, and then what changed", async () => {
  const word = `delta${Date.now()}`;
  await fill(13, word);
  const path = "/me/mailFolders/inbox/messages/delta";
  const begun = await clients.megan.api(path).header("Prefer", "odata.maxpagesize=5").select(["subject", "isRead"]).get();
  assert.ok(begun["@odata.nextLink"]);
  const { items, deltaLink } = await gather(clients.megan, begun);
  const mine = items.filter((one) => one.subject.startsWith(word));
  assert.equal(mine.length, 13);
  await clients.megan.api(`/me/messages/${mine[0].id}`).patch({ isRead: true });
  await clients.megan.api(`/me/messages/${mine[1].id}`).delete();
  const next = await clients.megan.api(deltaLink).get();
  assert.deepEqual(next.value.find((one) => one.id === mine[1].id)["@removed"], { reason: "deleted" });
  assert.equal(next.value.find((one) => one.id === mine[0].id).isRead, true);
  assert.equal(next.value.length, 2);
  const spelled = await clients.megan.api("/me/mailFolders('Inbox')/messages/delta()").get();
  assert.ok(spelled.value.length > 0);
});

test("a delta query of a calendar view sees meetings come, change and go", async () => {
  const begun = await clients.alex
    .api("/me/calendarView/delta")
    .query({ startDateTime: `${inDays(0)}T00:00:00Z`, endDateTime: `${inDays(90)}T00:00:00Z` })
    .get();
  const { deltaLink } = await gather(clients.alex, begun);
  const made = await clients.alex.api("/me/events").post(meeting(`Delta ${Date.now()}`));
  const second = await gather(clients.alex, await clients.alex.api(deltaLink).get());
  assert.deepEqual(second.items.map((one) => one.id), [made.id]);
  await clients.alex.api(`/me/events/${made.id}`).delete();
  const third = await gather(clients.alex, await clients.alex.api(second.deltaLink).get());
  assert.deepEqual(third.items.map((one) => [one.id, one["@removed"].reason]), [[made.id, "deleted"]]);
});

test("immutable ids outlive a move, others do not", async () => {
  const word = `moved${Date.now()}`;
  await fill(1, word);
  const prefer = 'IdType="ImmutableId"';
  const find = (header) =>
    until(async () => {
      const asked = clients.megan.api("/me/messages").filter(`startswith(subject,'${word}')`);
      return (await (header ? asked.header("Prefer", header) : asked).get()).value[0];
    }, "the mail");
  const plain = await find();
  const lasting = await find(prefer);
  assert.notEqual(plain.id, lasting.id);
  const moved = await clients.megan.api(`/me/messages/${plain.id}/move`).post({ destinationId: "archive" });
  assert.notEqual(moved.id, plain.id);
  assert.equal((await refusal(clients.megan.api(`/me/messages/${plain.id}`).get())).statusCode, 404);
  const again = await clients.megan.api(`/me/messages/${lasting.id}`).header("Prefer", prefer).get();
  assert.equal(again.id, lasting.id);
});

test("refusals carry code, message and request id", async () => {
  const cases = [
    ["/me/messages/AAMkADADVj3fyAABZ5hYdAAA=", [400, 404]],
    ["/me/messages?$top=0", [400]],
    ["/me/messages?$top=1001", [400]],
    ["/me/messages?$search=\"x\"", [400, 501]],
    ["/me/messages?$select=nothing", [400]],
    ["/me/messages?$filter=nothing eq 1", [400]],
    ["/me/messages?$orderby=body", [400]],
    ["/me/messages?$expand=attachments", [400, 501]],
    ["/me/messages?unheard=1", [400]],
    ["/me/drive", [400, 404, 501]],
    ["/me/calendarView", [400]],
    [`/users/${people.alex.address}/messages`, [403]],
    ["/users/nobody@contoso.onmicrosoft.com/messages", [403, 404]],
  ];
  for (const [path, statuses] of cases) {
    const error = await refusal(clients.adele.api(path).get());
    assert.ok(statuses.includes(error.statusCode), `${path}: ${error.statusCode} ${error.code}`);
    assert.ok(error.code && error.message && error.requestId, path);
    assert.ok(error.headers.get("request-id"), path);
  }
  const event = { ...meeting("Unheard"), unheard: true };
  assert.equal((await refusal(clients.alex.api("/me/events").post(event))).statusCode, 400);
  const application = await connectApplication();
  assert.equal((await refusal(application.api("/me/messages").get())).statusCode, 400);
});

test("attachments are refused rather than forgotten", async () => {
  const made = await clients.alex.api("/me/events").post(meeting(`Attached ${Date.now()}`));
  const file = { "@odata.type": "#microsoft.graph.fileAttachment", name: "a.txt", contentBytes: "aGk=" };
  for (const path of [`/me/events/${made.id}/attachments`]) {
    assert.ok([400, 501].includes((await refusal(clients.alex.api(path).post(file))).statusCode));
    assert.ok([400, 501].includes((await refusal(clients.alex.api(path).get())).statusCode));
  }
  const whole = { ...meeting("Attached"), attachments: [file] };
  assert.ok([400, 501].includes((await refusal(clients.alex.api("/me/events").post(whole))).statusCode));
});

test("an expired delta token is refused as Exchange does", async () => {
  const { deltaLink } = await gather(clients.alex, await clients.alex.api("/me/mailFolders/inbox/messages/delta").get());
  await control("faults", { expire_delta: 1000 });
  const error = await refusal(clients.alex.api(deltaLink).get());
  assert.ok([400, 410].includes(error.statusCode));
  assert.match(error.code, /^(syncStateNotFound|SyncStateInvalid|resyncRequired)$/i);
});
