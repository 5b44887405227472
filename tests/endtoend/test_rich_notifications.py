"""Notifications that carry their items, over TLS: the stream is as good, and nearly nothing is fetched."""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from service.rich.keys import EncryptionKey, make_key_file, read_key_file
from tests.endtoend import judging
from tests.endtoend.deeds import Given, Play
from tests.endtoend.settling import judge_calendars, settle
from tests.endtoend.stage import KEYS, RICH, ROLES, Stage, open_stage
from tests.endtoend.test_meetings import add_rooms
from tests.endtoend.test_strangers import NO_SUCH_ID
from tests.integration.waiting import wait_until
from tests.interop import publisher
from tests.interop.publisher import Signer

REQUESTS_PER_CHANGE_MAX = 0.05
MAILS_PER_ANSWER = 10


async def count_requests(stage: Stage) -> int:
    """Count what the application asked of Graph, but for sweeps, baselines and subscriptions."""
    served = await stage.tenant.control("requests")
    return sum(
        one["caller"] == "app" and "delta" not in one["path"] and "subscriptions" not in one["path"]
        for one in served
    )


async def read_counts(stage: Stage, name: str) -> dict[str, int]:
    """Give a counter of the service by its labels as text."""
    _, text = await stage.ask_admin("serve", "/metrics")
    lines = [line for line in text.splitlines() if line.startswith(f"response_sync_{name}_total")]
    return {line.partition("{")[2].partition("}")[0]: int(float(line.split()[-1])) for line in lines}


async def send_mails(stage: Stage, count: int) -> None:
    adele = stage.tenant.people["adele"]
    for at in range(count):
        await stage.tenant.send_mail(adele, f"sender{at}@elsewhere.example", f"Offer {at}", "Buy now")


async def count_changes(stage: Stage) -> int:
    return sum(one["type"] == "responsesync.response.changed" for one in await stage.read_stream())


@pytest.mark.parametrize("seed", [20261124])
async def test_the_stream_holds_what_people_did_and_nearly_nothing_was_fetched(
    tmp_path: Path, seed: int
) -> None:
    owners = ("alexw@contoso.onmicrosoft.com", "Selma@Contoso.com")
    async with open_stage(tmp_path, owners=owners, **RICH) as stage:
        tenant = stage.tenant
        alex, adele = tenant.people["alex"], tenant.people["adele"]
        selma = await tenant.add_user("Selma Søndergaard", "selma@contoso.com")
        play = Play(tenant, seed)
        await play.add_guests(6)
        rooms = await add_rooms(stage)
        await stage.start_ready("serve")
        await play.make_meeting(alex, adele, size=5, rooms=rooms)
        await play.make_meeting(alex, alex, size=3)
        await play.make_meeting(selma, selma, size=4)
        await settle(stage, play.meetings)
        asked, told = await count_requests(stage), await count_changes(stage)
        while play.list_due():
            await send_mails(stage, MAILS_PER_ANSWER * len(play.list_due()))
            await play.play_round()
            await settle(stage, play.meetings)

        judging.judge(await stage.read_stream(), play.meetings)
        await judge_calendars(stage, play.meetings)
        changes = await count_changes(stage) - told
        assert changes > 10
        assert await count_requests(stage) - asked <= REQUESTS_PER_CHANGE_MAX * changes
        taken = await read_counts(stage, "resource_data")
        assert taken['kind="message",outcome="taken",reason=""'] > MAILS_PER_ANSWER * changes
        fetched = {labels: count for labels, count in taken.items() if "fetched" in labels}
        assert fetched.keys() <= {'kind="event",outcome="fetched",reason="order_unclear"'}
        assert sum(fetched.values()) <= len(play.meetings)  # each is read once, when it is first told of
        assert_no_plaintext(stage)
        assert (await stage.running["serve"].terminate())[0] == 0


def assert_no_plaintext(stage: Stage) -> None:
    """Look into what Redis ever wrote: of ordinary mail there is nothing but ciphertext."""
    assert stage.redis_server is not None
    written = b"".join(file.read_bytes() for file in stage.redis_server.directory.rglob("*.aof"))
    assert b"encryptionCertificateId" in written
    for word in (b"elsewhere.example", b"Buy now", b"IPM.Note", b"PRIVATE KEY"):
        assert word not in written
    for name, log in stage.read_logs().items():
        for secret in ("elsewhere.example", "Buy now", "PRIVATE KEY", "dataKey", "eyJ0"):
            assert secret not in log, name


async def test_where_extended_properties_are_refused_only_what_is_missing_is_fetched(tmp_path: Path) -> None:
    async with open_stage(tmp_path, **RICH) as stage:
        tenant = stage.tenant
        await tenant.control("beliefs", {"extended_in_subscriptions": False})
        play = Play(tenant, 3)
        await play.add_guests(3)
        await stage.start_ready("serve")
        assert "$expand" not in (await find_subscription(stage, "inbox"))["resource"]
        await play.make_meeting(tenant.people["alex"], tenant.people["adele"], size=3)
        while play.list_due():
            await play.play_round()
            await settle(stage, play.meetings)

        judging.judge(await stage.read_stream(), play.meetings)
        await judge_calendars(stage, play.meetings)
        taken = await read_counts(stage, "resource_data")
        assert {labels for labels in taken if "taken" in labels} == set()
        assert taken['kind="message",outcome="fetched",reason="incomplete"'] > 0
        asked = [one for one in await stage.tenant.control("requests") if is_fetch_of_message(one)]
        assert asked
        assert not any("bodyPreview" in json.dumps(one) for one in asked)


def is_fetch_of_message(request: dict[str, Any]) -> bool:
    parts = [request, *(request["batch"] or [])]
    return request["caller"] == "app" and any("/messages/" in part["path"] for part in parts)


async def test_a_dead_letter_holds_no_content_and_a_requeued_one_is_read_from_graph(tmp_path: Path) -> None:
    """Of what a notification carried nothing is kept once it is given up; the item's id is enough."""
    tries = {"RESPONSE_SYNC_RETRY_ATTEMPTS_MAX": "1"}
    async with open_stage(tmp_path, **RICH, **tries) as stage:
        tenant = stage.tenant
        await tenant.control("beliefs", {"extended_in_subscriptions": False})  # so that something is fetched
        play = Play(tenant, 5)
        await play.add_guests(1)
        await stage.start_ready(*ROLES)
        alex, adele = tenant.people["alex"], tenant.people["adele"]
        meeting = await play.make_meeting(alex, adele, size=1, answers=0)
        await settle(stage, play.meetings)
        stage.running["worker"].pause()
        meeting.invited[0].plan = [Given(how="accept")]
        await play.play_round()
        await wait_until(lambda: waits_with_content(stage))
        await tenant.control("faults", {"unauthorized": 1.0})
        stage.running["worker"].resume()
        await wait_until(lambda: is_buried(stage, {"message", "event"}), timeout_s=60)
        letters = await stage.run_json("replay", "list")
        assert not any({"content", "tokens"} & set(one["entry"]) for one in letters)
        assert await count_changes(stage) == 0

        await tenant.control("faults", {})
        requeued = await stage.run_json("replay", "requeue", "--all")
        assert (requeued["requeued"], requeued["left"]) == (len(letters), 0)
        await settle(stage, play.meetings)
        judging.judge(await stage.read_stream(), play.meetings)
        assert await stage.count_dead() == 0


async def waits_with_content(stage: Stage) -> bool:
    """Tell whether a message and an event are on the intake stream with what their notifications carried."""
    waiting: Any = await stage.redis.xrange("responses:intake")
    return {fields["kind"] for _, fields in waiting if "content" in fields} >= {"message", "event"}


async def is_buried(stage: Stage, kinds: set[str]) -> bool:
    dead: Any = await stage.redis.xrange("responses:dead")
    return kinds <= {fields["kind"] for _, fields in dead} and await stage.is_quiet()


# --- forged ---


async def post(stage: Stage, body: Any) -> int:
    trust = ssl.create_default_context(cafile=stage.tenant.ready.ca_bundle)
    url = f"{stage.settings['RESPONSE_SYNC_PUBLIC_URL']}/graph/notifications?deployment=default"
    async with stage.session.post(url, json=body, ssl=trust) as answer:
        return answer.status


async def find_subscription(stage: Stage, resource: str) -> dict[str, Any]:
    held = await stage.tenant.control("subscriptions")
    return dict(next(one for one in held if resource in one["resource"]))


def find_keys(stage: Stage) -> list[EncryptionKey]:
    return [read_key_file(file) for file in sorted((stage.directory / KEYS).glob("*.pem"))]


def forge(subscription: dict[str, Any], tenant: str, key: EncryptionKey, item_id: str) -> dict[str, Any]:
    """Make an item that says somebody declined, encrypted with the certificate, which is public."""
    resource = {
        "id": item_id,
        "sentDateTime": "2026-11-24T08:00:00Z",
        "from": {"emailAddress": {"name": "Christie", "address": "christiec@contoso.onmicrosoft.com"}},
        "isDraft": False,
        "singleValueExtendedProperties": [{"id": "String 0x001A", "value": "IPM.Schedule.Meeting.Resp.Neg"}],
    }
    return {
        "subscriptionId": subscription["id"],
        "subscriptionExpirationDateTime": "2030-01-01T00:00:00Z",
        "changeType": "created",
        "resource": f"Users/x/Messages/{item_id}",
        "resourceData": {"@odata.type": "#microsoft.graph.message", "id": item_id},
        "clientState": subscription["clientState"],
        "tenantId": tenant,
        "encryptedContent": publisher.encrypt_resource(resource, b64decode(key.encoded), key.id),
    }


async def test_nothing_forged_is_processed_and_the_sender_learns_nothing(tmp_path: Path) -> None:
    async with open_stage(tmp_path, **RICH) as stage:
        await stage.start_ready("serve")
        subscription = await find_subscription(stage, "inbox")
        tenant, client = stage.settings["RESPONSE_SYNC_TENANT_ID"], stage.settings["RESPONSE_SYNC_CLIENT_ID"]
        (key,) = find_keys(stage)
        signer = Signer(key=rsa.generate_private_key(public_exponent=65537, key_size=2048), kid="ours")
        claims = publisher.build_claims(
            tenant=tenant,
            audience=client,
            version="1.0",
            issuer=f"https://sts.windows.net/{tenant}/",
            now_s=int(datetime.now(UTC).timestamp()),
        )
        await send_mails(stage, 1)  # so that the signing keys are known
        await wait_until(stage.is_quiet)
        asked = await count_requests(stage)
        shown = await show_keys(stage)
        tokens = [
            [signer.sign(claims, kid=shown[0]["kid"])],
            [publisher.sign_with_text(claims, b"", kid=shown[0]["kid"])],
            [f"{signer.sign(claims, alg='none').rpartition('.')[0]}."],
            ["no token"],
        ]
        for at, given in enumerate(tokens):
            item = forge(subscription, tenant, key, f"forged-{at}")
            assert await post(stage, {"value": [item], "validationTokens": given}) == 202
        await wait_until(stage.is_quiet)
        forged = await read_counts(stage, "notifications_forged")
        assert sum(forged.values()) == len(tokens)
        assert await count_requests(stage) == asked
        # Without tokens the item is fetched, as any is that brings nothing: Graph knows no such message.
        item = forge(subscription, tenant, key, NO_SUCH_ID)
        assert await post(stage, {"value": [item], "validationTokens": None}) == 202
        await wait_until(stage.is_quiet)
        assert await count_requests(stage) == asked + 1
        assert (await stage.read_stream(), await stage.count_dead()) == ([], 0)
        assert "appRoleAssignmentRequired" in stage.read_logs()["serve"]


async def show_keys(stage: Stage) -> list[dict[str, Any]]:
    trust = ssl.create_default_context(cafile=stage.tenant.ready.ca_bundle)
    url = f"{stage.settings['RESPONSE_SYNC_AUTHORITY_URL']}/discovery/v2.0/keys"
    async with aiohttp.ClientSession(trust_env=False) as session, session.get(url, ssl=trust) as answer:
        return list((await answer.json())["keys"])


# --- keys ---


async def test_keys_are_rotated_without_losing_a_notification(tmp_path: Path) -> None:
    changes = {"RESPONSE_SYNC_COMPARE_INTERVAL_S": "0.5", "RESPONSE_SYNC_KEYS_LOOK_S": "0.2"}
    async with open_stage(tmp_path, **RICH, **changes) as stage:
        tenant = stage.tenant
        play = Play(tenant, 7)
        await play.add_guests(3)
        (old,) = find_keys(stage)
        await stage.start_ready("serve")
        await play.make_meeting(tenant.people["alex"], tenant.people["adele"], size=4)
        await settle(stage, play.meetings)
        refused = await stage.run("keys", "retire", old.id, "--yes")
        assert (refused.code, "is the current key" in refused.errors) == (1, True)

        made = await stage.run_json("keys", "new", "--bits", "2048")
        assert made["id"] != old.id
        answering = asyncio.create_task(play_all(play))
        await wait_until(lambda: names_only(stage, made["id"]))
        await answering
        await settle(stage, play.meetings)
        await stage.run_json("keys", "retire", old.id[:8], "--yes")
        assert [key.id for key in find_keys(stage)] == [made["id"]]
        before = await read_counts(stage, "resource_data")
        await send_mails(stage, 3)
        await wait_until(stage.is_quiet)

        judging.judge(await stage.read_stream(), play.meetings)
        await judge_calendars(stage, play.meetings)
        taken = await read_counts(stage, "resource_data")
        labels = 'kind="message",outcome="taken",reason=""'
        assert taken[labels] == before[labels] + 3
        listed = await stage.run_json("keys", "list")
        assert [(one["id"], one["state"], one["subscriptions"]) for one in listed] == [
            (made["id"], "current", 2)
        ]


async def play_all(play: Play) -> None:
    while play.list_due():
        await play.play_round()


async def names_only(stage: Stage, key_id: str) -> bool:
    listed = {one["id"]: one["subscriptions"] for one in await stage.run_json("keys", "list")}
    return set(listed.values()) == {0, 2} and listed[key_id] == 2


async def test_a_key_that_subscriptions_name_is_not_retired(tmp_path: Path) -> None:
    async with open_stage(tmp_path, **RICH) as stage:
        (old,) = find_keys(stage)
        await stage.start_ready("serve")
        newest = datetime(2100, 1, 1, tzinfo=UTC)  # the service compares with Graph in a quarter of an hour
        make_key_file(old.file.parent, now=newest, bits=2048, days=1)
        refused = await stage.run("keys", "retire", old.id, "--yes")
        assert (refused.code, "2 subscriptions name" in refused.errors) == (1, True)
        unknown = await stage.run("keys", "retire", "ffffffff", "--yes")
        assert (unknown.code, "0 keys begin" in unknown.errors) == (1, True)
        assert json.loads((await stage.run("keys", "list", "--json")).output)[1]["subscriptions"] == 2
