// The six steps of the delegate walkthrough, with every property that the article shows.
// Source: https://learn.microsoft.com/graph/outlook-create-event-in-shared-delegated-calendar
import assert from "node:assert/strict";
import { test } from "node:test";
import { clients, findMessage, meeting, NEVER, PACIFIC, people, until } from "./tenant.mjs";

const COMMENT = "I will probably be able to make it.";
const CALENDAR = ["id", "name", "color", "changeKey", "canShare", "canViewPrivateItems", "canEdit", "owner"];
const EVENT = [
  "@odata.etag", "id", "createdDateTime", "lastModifiedDateTime", "changeKey", "categories",
  "originalStartTimeZone", "originalEndTimeZone", "iCalUId", "reminderMinutesBeforeStart", "isReminderOn",
  "hasAttachments", "subject", "bodyPreview", "importance", "sensitivity", "isAllDay", "isCancelled",
  "isOrganizer", "responseRequested", "seriesMasterId", "showAs", "type", "webLink", "onlineMeetingUrl",
  "recurrence", "responseStatus", "body", "start", "end", "location", "locations", "attendees", "organizer",
];
const MESSAGE = [
  "@odata.type", "@odata.etag", "id", "createdDateTime", "lastModifiedDateTime", "changeKey", "categories",
  "receivedDateTime", "sentDateTime", "hasAttachments", "internetMessageId", "subject", "bodyPreview",
  "importance", "parentFolderId", "conversationId", "conversationIndex", "isDeliveryReceiptRequested",
  "isReadReceiptRequested", "isRead", "isDraft", "webLink", "inferenceClassification", "meetingMessageType",
  "body", "sender", "from", "toRecipients", "ccRecipients", "bccRecipients", "replyTo", "flag",
];
const WHOLE_SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const NAMES = { adele: "Adele Vance", alex: "Alex Wilber", megan: "Megan Bowen", christie: "Christie Cline" };

const recipient = (key) => ({ emailAddress: { name: NAMES[key], address: people[key].address } });
const row = (key, response = "none", time = NEVER) => ({
  type: "required",
  status: { response, time },
  ...recipient(key),
});
const sorted = (rows) => [...rows].sort((a, b) => a.emailAddress.name.localeCompare(b.emailAddress.name));

function hasAll(names, body) {
  assert.deepEqual(names.filter((name) => !(name in body)), [], "members of the article that are missing");
}

function isPlace(location) {
  assert.deepEqual(location, {
    displayName: "Alex' home",
    locationType: "default",
    uniqueId: "Alex' home",
    uniqueIdType: "private",
  });
}

function isMeeting(event, { subject, zone = "UTC" }) {
  hasAll(EVENT, event);
  assert.equal(event.subject, subject);
  assert.equal(event.bodyPreview, "Happy holidays!");
  assert.equal(event.body.contentType, "html");
  assert.match(event.body.content, /<html>[\s\S]*Happy holidays![\s\S]*<\/html>/);
  assert.equal(event.originalStartTimeZone, PACIFIC);
  assert.equal(event.originalEndTimeZone, PACIFIC);
  assert.equal(event.type, "singleInstance");
  assert.equal(event.sensitivity, "normal");
  assert.equal(event.isAllDay || event.isCancelled || event.hasAttachments, false);
  assert.equal(event.responseRequested, true);
  assert.deepEqual([event.seriesMasterId, event.recurrence, event.onlineMeetingUrl], [null, null, null]);
  assert.deepEqual(event.organizer, recipient("alex"));
  assert.equal(event["@odata.etag"], `W/"${event.changeKey}"`);
  for (const side of ["start", "end"]) {
    assert.match(event[side].dateTime, /^\d{4}-\d\d-\d\dT\d\d:00:00\.0000000$/);
    assert.equal(event[side].timeZone, zone);
  }
  assert.equal(new Date(event.end.dateTime) - new Date(event.start.dateTime), 4 * 3_600_000);
  assert.equal(event.locations.length, 1);
  assert.doesNotMatch(JSON.stringify(event), /adele/i, "nothing on the event names the delegate");
}

function isMessage(message, mailbox) {
  hasAll(MESSAGE, message);
  for (const name of ["createdDateTime", "lastModifiedDateTime", "receivedDateTime", "sentDateTime"]) {
    assert.match(message[name], WHOLE_SECONDS, name);
  }
  assert.match(message["@odata.context"], new RegExp(`/v1\\.0/\\$metadata#users\\('${people[mailbox].id}'\\)/messages`));
  assert.deepEqual([message.ccRecipients, message.bccRecipients, message.replyTo], [[], [], []]);
  assert.equal(message.isDraft, false);
  assert.deepEqual(message.flag, { flagStatus: "notFlagged" });
}

test("the walkthrough of a delegated calendar", async (t) => {
  const subject = `Christmas dinner ${Date.now()}`;
  let calendar, made, asked, event, answered_at;

  await t.test("1: Adele lists calendars and finds the one that Alex delegated", async () => {
    const { value, ...rest } = await clients.adele.api("/me/calendars").get();
    assert.match(rest["@odata.context"], new RegExp(`#users\\('${people.adele.id}'\\)/calendars$`));
    value.forEach((one) => hasAll(CALENDAR, one));
    const own = value.find((one) => one.owner.address === people.adele.address);
    calendar = value.find((one) => one.owner.address === people.alex.address);
    assert.deepEqual([own.name, own.canShare, own.canViewPrivateItems, own.canEdit], ["Calendar", true, true, true]);
    assert.deepEqual(own.owner, { name: "Adele Vance", address: "AdeleV@contoso.OnMicrosoft.com" });
    assert.deepEqual(
      [calendar.name, calendar.canShare, calendar.canViewPrivateItems, calendar.canEdit],
      ["Alex Wilber", false, false, true],
    );
    assert.deepEqual(calendar.owner, { name: "Alex Wilber", address: "AlexW@contoso.OnMicrosoft.com" });
    const theirs = await clients.alex.api("/me/calendar").get();
    assert.notEqual(theirs.id, calendar.id, "the id is good in Adele's mailbox only");
  });

  await t.test("2: she creates the meeting on his behalf", async () => {
    made = await clients.adele
      .api(`/me/calendars/${calendar.id}/events`)
      .header("Prefer", `outlook.timezone="${PACIFIC}"`)
      .post(meeting(subject));
    isMeeting(made, { subject, zone: PACIFIC });
    assert.match(made.start.dateTime, /T18:00:00\.0000000$/);
    assert.equal(made.isOrganizer, true);
    assert.deepEqual(made.responseStatus, { response: "organizer", time: NEVER });
    assert.deepEqual(made.attendees, [row("megan"), row("christie")]);
    isPlace(made.location);
  });

  await t.test("3: Christie receives the request, and reads the event it is about", async () => {
    const found = await findMessage("christie", (one) => one.subject === subject, "the request");
    const plain = await clients.christie.api(`/me/messages/${found.id}`).get();
    isMessage(plain, "christie");
    assert.ok(!("event" in plain), "without $expand there is no event");
    asked = await clients.christie
      .api(`/me/messages/${found.id}`)
      .expand("microsoft.graph.eventMessage/event")
      .get();
    isMessage(asked, "christie");
    assert.match(asked["@odata.type"], /^#microsoft\.graph\.eventMessage(Request)?$/);
    assert.equal(asked.meetingMessageType, "meetingRequest");
    assert.deepEqual(asked.sender, recipient("adele"));
    assert.deepEqual(asked.from, recipient("alex"));
    assert.deepEqual(sorted(asked.toRecipients), sorted([recipient("megan"), recipient("christie")]));
    event = asked.event;
    isMeeting(event, { subject });
    assert.equal(event.isOrganizer, false);
    assert.equal(event.showAs, "tentative");
    assert.equal(event.iCalUId, made.iCalUId);
    assert.notEqual(event.id, made.id);
    assert.deepEqual(sorted(event.attendees), [row("alex"), row("christie"), row("megan")]);
    assert.match(asked["event@odata.context"], /\/event\/\$entity$/);
  });

  await t.test("4: she answers tentatively, with a comment", async () => {
    answered_at = Date.now();
    const raw = await clients.christie
      .api(`/me/events/${event.id}/tentativelyAccept`)
      .responseType("raw")
      .post({ comment: COMMENT, sendResponse: true });
    assert.equal(raw.status, 202);
    assert.equal(await raw.text(), "");
  });

  await t.test("5: the answer arrives in Adele's inbox", async () => {
    const title = `Tentative: ${subject}`;
    const found = await findMessage("adele", (one) => one.subject === title, "the answer");
    const answer = await clients.adele.api(`/me/messages/${found.id}`).get();
    isMessage(answer, "adele");
    assert.match(answer["@odata.type"], /^#microsoft\.graph\.eventMessage(Response)?$/);
    assert.equal(answer.meetingMessageType, "meetingTenativelyAccepted");
    assert.equal(answer.bodyPreview, COMMENT);
    assert.match(answer.body.content, new RegExp(COMMENT));
    assert.deepEqual(answer.sender, recipient("christie"));
    assert.deepEqual(answer.from, recipient("christie"));
    assert.deepEqual(answer.toRecipients, [recipient("adele")]);
    assert.equal(answer.isRead, false);
    assert.equal(answer.conversationId.length > 0, true);
    const inbox = await clients.adele.api("/me/mailFolders/inbox").get();
    assert.equal(answer.parentFolderId, inbox.id);
  });

  await t.test("6: Alex' event shows it, and he got no mail", async () => {
    const mine = await until(async () => {
      const { value } = await clients.alex.api("/me/calendar/events").filter(`iCalUId eq '${made.iCalUId}'`).get();
      return value.find((one) => one.attendees.some((each) => each.status.response !== "none"));
    }, "the status");
    const home = await clients.alex.api("/me/calendar").get();
    const final = await clients.alex.api(`/me/calendars/${home.id}/events/${mine.id}`).get();
    isMeeting(final, { subject });
    assert.match(final["@odata.context"], new RegExp(`#users\\('${people.alex.id}'\\)/.*events/\\$entity$`));
    assert.equal(final.isOrganizer, true);
    assert.equal(final.showAs, "busy");
    assert.deepEqual(final.responseStatus, { response: "organizer", time: NEVER });
    const [, christie] = final.attendees;
    assert.deepEqual(final.attendees, [row("megan"), row("christie", "tentativelyAccepted", christie.status.time)]);
    assert.ok(Math.abs(new Date(christie.status.time) - answered_at) < 120_000, christie.status.time);
    assert.notEqual(final.changeKey, made.changeKey);
    isPlace(final.location);
    const { value } = await clients.alex.api("/me/messages").get();
    assert.deepEqual(value.filter((one) => one.subject.includes(subject)), []);
  });
});
