// Subscriptions from handshake to deletion, with a webhook that is really called.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { clients, connectApplication, control, findMessage, invite, openWebhook, people, ready, refusal, until } from "./tenant.mjs";

const STATE = "kept-secret";
let webhook, application;

before(async () => {
  webhook = await openWebhook();
  application = await connectApplication();
});
after(() => webhook.close());

const inMinutes = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString();
const wanted = (resource, more = {}) => ({
  changeType: "created,updated",
  notificationUrl: `${webhook.url}?tag=js`,
  lifecycleNotificationUrl: `${webhook.url}?tag=js-lifecycle`,
  resource,
  expirationDateTime: inMinutes(1000),
  clientState: STATE,
  latestSupportedTlsVersion: "v1_2",
  ...more,
});
const inbox = (key) => `users/${people[key].id}/mailFolders('inbox')/messages`;

test("a subscription is validated, listed, renewed, used and deleted", async () => {
  const handshakes = webhook.handshakes.length;
  const made = await application
    .api("/subscriptions")
    .header("Prefer", 'IdType="ImmutableId"')
    .post(wanted(inbox("adele")));
  assert.equal(webhook.handshakes.length, handshakes + 2, "both URLs are validated");
  for (const shake of webhook.handshakes.slice(handshakes)) {
    assert.equal(shake.method, "POST");
    assert.match(shake.type, /^text\/plain; charset=utf-8$/i);
    assert.match(shake.url, /\?tag=js.*&validationToken=/);
  }
  assert.equal(made.applicationId, ready.client_id);
  assert.equal(made.clientState, null);
  assert.equal(made.changeType, "created,updated");

  const { value } = await application.api("/subscriptions").get();
  const held = value.find((one) => one.id === made.id);
  assert.equal(held.resource, inbox("adele"));
  assert.ok(!JSON.stringify([value, await application.api(`/subscriptions/${made.id}`).get()]).includes(STATE));
  assert.equal((await control("subscriptions")).find((one) => one.id === made.id).clientState, STATE);

  const doubled = await refusal(application.api("/subscriptions").post(wanted(inbox("adele"))));
  assert.equal(doubled.statusCode, 409);

  const until_ = inMinutes(2000);
  const renewed = await application.api(`/subscriptions/${made.id}`).patch({ expirationDateTime: until_ });
  assert.equal(Date.parse(renewed.expirationDateTime), Date.parse(until_));

  const event = await invite(`Heard of ${Date.now()}`);
  const request = await findMessage("christie", (one) => one.subject === event.subject, "the request");
  const theirs = await clients.christie.api(`/me/messages/${request.id}`).expand("microsoft.graph.eventMessage/event").get();
  await clients.christie.api(`/me/events/${theirs.event.id}/accept`).post({ sendResponse: true });
  const told = await until(
    () => webhook.notifications.find((one) => one.subscriptionId === made.id),
    "a notification",
  );
  assert.equal(told.clientState, STATE);
  assert.equal(told.changeType, "created");
  assert.equal(told.tenantId, ready.tenant_id);
  assert.equal(told.resourceData["@odata.type"], "#Microsoft.Graph.Message");
  const message = await application
    .api(`/users/${people.adele.id}/messages/${told.resourceData.id}`)
    .header("Prefer", 'IdType="ImmutableId"')
    .get();
  assert.equal(message.subject, `Accepted: ${event.subject}`);
  assert.equal(message.id, told.resourceData.id);

  await application.api(`/subscriptions/${made.id}`).delete();
  assert.equal((await refusal(application.api(`/subscriptions/${made.id}`).get())).statusCode, 404);
});

test("a subscription that Graph would not make is not made", async () => {
  const refused = async (body, statuses, client = application) => {
    const error = await refusal(client.api("/subscriptions").post(body));
    assert.ok(statuses.includes(error.statusCode), `${JSON.stringify(body)}: ${error.statusCode} ${error.message}`);
  };
  await refused(wanted(inbox("alex"), { expirationDateTime: inMinutes(10_200) }), [400, 403]);
  await refused(wanted(inbox("alex"), { expirationDateTime: "tomorrow" }), [400]);
  await refused(wanted(inbox("alex"), { changeType: "moved" }), [400]);
  await refused(wanted(inbox("alex"), { clientState: "x".repeat(129) }), [400]);
  await refused(wanted(inbox("alex"), { notificationUrl: "http://example.com/hook" }), [400]);
  await refused(wanted(inbox("alex"), { notificationUrl: webhook.url.replace("127.0.0.1:", "127.0.0.1:1") }), [400]);
  await refused(wanted(inbox("alex"), { unheard: 1 }), [400]);
  await refused(wanted(`users/${people.alex.id}/calendar/events`), [400, 501]);
  await refused(wanted(`users/${people.alex.id}/nothing`), [400]);
  await refused(wanted("me/messages"), [400]);
  await refused(wanted(inbox("alex")), [403], clients.adele);
  const { resource, ...without } = wanted(inbox("alex"));
  await refused(without, [400]);
});

test("a subscription removed by Graph is told of, and can be made anew", async () => {
  const made = await application.api("/subscriptions").post(wanted(`users/${people.alex.id}/events`));
  await control("faults", { remove_subscriptions: 100 });
  await until(
    () => webhook.notifications.find((one) => one.lifecycleEvent === "subscriptionRemoved" && one.subscriptionId === made.id),
    "subscriptionRemoved",
  );
  assert.equal((await refusal(application.api(`/subscriptions/${made.id}`).patch({ expirationDateTime: inMinutes(60) }))).statusCode, 404);
  const again = await application.api("/subscriptions").post(wanted(`users/${people.alex.id}/events`));
  await application.api(`/subscriptions/${again.id}`).delete();
});
