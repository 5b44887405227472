"""`$batch`: limits, addresses, headers of parts, dependencies, and faults of single parts."""

from __future__ import annotations

from typing import Any

import pytest

from service.sandbox.wire import GraphFault, GraphRequest, GraphResponse
from tests.unit.sandbox.tenant import ORIGIN, Tenant, meeting

ALEX = "/users/AlexW@contoso.OnMicrosoft.com"


def _get(id_: str, url: str, **members: Any) -> dict[str, Any]:
    return {"id": id_, "method": "GET", "url": url, **members}


async def _send(tenant: Tenant, *parts: dict[str, Any]) -> dict[str, Any]:
    answer = await tenant.ask("app", "POST", "/$batch", {"requests": list(parts)})
    assert answer.status == 200, answer.body
    return {one["id"]: one for one in answer.body["responses"]}


async def test_parts_are_answered_by_id_whatever_becomes_of_the_others(tenant: Tenant) -> None:
    answers = await _send(
        tenant,
        _get("a", f"{ALEX}?$select=id"),
        _get("b", "/users/nobody@contoso.com/messages"),
        _get("c", f"{ORIGIN}/v1.0{ALEX}/calendar?$select=name"),
        _get("d", f"{ORIGIN}{ALEX}/events"),
        _get("e", "me"),
        _get("f", f"/v1.0{ALEX}", depends_on=[]),
    )
    assert {id_: one["status"] for id_, one in answers.items()} == {
        "a": 200,
        "b": 404,
        "c": 200,
        "d": 200,
        "e": 400,
        "f": 200,
    }
    assert answers["a"]["body"]["id"] == tenant.people["alex"].id
    assert answers["b"]["body"]["error"]["code"] == "ErrorInvalidUser"


async def test_preferences_are_those_of_the_part(tenant: Tenant) -> None:
    await tenant.meet("megan")
    prefer = {"Prefer": 'outlook.timezone="Pacific Standard Time", IdType="ImmutableId"'}
    answers = await _send(tenant, _get("1", f"{ALEX}/events"), _get("2", f"{ALEX}/events", headers=prefer))
    (plain,), (wanted,) = answers["1"]["body"]["value"], answers["2"]["body"]["value"]
    assert (plain["start"]["timeZone"], wanted["start"]["timeZone"]) == ("UTC", "Pacific Standard Time")
    assert plain["id"] != wanted["id"]
    assert answers["2"]["headers"]["Preference-Applied"] == prefer["Prefer"]


async def test_a_part_may_write(tenant: Tenant) -> None:
    part = {"id": "1", "method": "POST", "url": f"{ALEX}/events", "body": meeting()}
    answers = await _send(tenant, {**part, "headers": {"content-type": "application/json"}})
    assert answers["1"]["status"] == 201


async def test_what_depends_on_a_failure_is_not_done(tenant: Tenant) -> None:
    answers = await _send(
        tenant,
        _get("1", "/users/nobody@contoso.com/messages"),
        _get("2", ALEX, dependsOn=["1"]),
        _get("3", ALEX, dependsOn=["2"]),
    )
    assert [answers[id_]["status"] for id_ in "123"] == [404, 424, 424]


async def test_one_part_may_be_throttled_alone(tenant: Tenant) -> None:
    async def throttle(request: GraphRequest) -> GraphResponse | None:
        if request.segments[-1] == "events":
            raise GraphFault(429, "ApplicationThrottled", "Over its limit.", headers={"Retry-After": "2.5"})
        return None

    tenant.router.before = throttle
    answers = await _send(tenant, _get("1", f"{ALEX}/events"), _get("2", ALEX))
    assert (answers["1"]["status"], answers["1"]["headers"]["Retry-After"]) == (429, "2.5")
    assert answers["2"]["status"] == 200


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"requests": []},
        {"requests": {}},
        {"requests": [_get("1", ALEX)], "more": 1},
        {"requests": [_get(str(number), ALEX) for number in range(21)]},
        {"requests": [_get("1", ALEX), _get("1", ALEX)]},
        {"requests": [_get("", ALEX)]},
        {"requests": [{"id": 1, "method": "GET", "url": ALEX}]},
        {"requests": [{"id": "1", "url": ALEX}]},
        {"requests": [_get("1", ALEX, verb="GET")]},
        {"requests": [_get("1", ALEX), _get("2", ALEX, depends_on=["1"])]},
        {"requests": [_get("1", "https://graph.elsewhere.test/v1.0/me")]},
        {"requests": [_get("1", "//elsewhere.test/v1.0/me")]},
        {"requests": [{"id": "1", "method": "POST", "url": "/$batch"}]},
        {"requests": [{"id": "1", "method": "POST", "url": "/$BATCH"}]},
        {"requests": [{"id": "1", "method": "POST", "url": f"{ALEX}/events", "body": {}}]},
        {"requests": [_get("1", ALEX), _get("2", ALEX, dependsOn=["9"])]},
        {"requests": [_get("1", ALEX), _get("2", ALEX), _get("3", ALEX, dependsOn=["1", "2"])]},
        {"requests": [_get("1", ALEX, headers=["Prefer"])]},
        {"requests": [_get("1", ALEX, dependsOn=[["1"]])]},
        {"requests": [_get("1", "https://[/v1.0/me")]},
    ],
)
async def test_a_malformed_batch_is_refused_whole(tenant: Tenant, body: Any) -> None:
    answer = await tenant.ask("app", "POST", "/$batch", body)
    assert (answer.status, answer.body["error"]["code"]) == (400, "BadRequest")


async def test_a_batch_takes_no_options(tenant: Tenant) -> None:
    answer = await tenant.ask("app", "POST", "/$batch?$top=1", {"requests": [_get("1", ALEX)]})
    assert (answer.status, answer.body["error"]["code"]) == (400, "BadRequest")


async def test_a_chain_and_a_star_are_taken(tenant: Tenant) -> None:
    chain = [_get("1", ALEX), _get("2", ALEX, dependsOn=["1"]), _get("3", ALEX, dependsOn=["2"])]
    star = [_get("1", ALEX), _get("2", ALEX, dependsOn=["1"]), _get("3", ALEX, dependsOn=["1"])]
    for parts in (chain, star):
        assert {one["status"] for one in (await _send(tenant, *parts)).values()} == {200}
