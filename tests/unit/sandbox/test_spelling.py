"""Graph's spelling of instants, property ids, global object ids, filters and paths, read and written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from service.sandbox.extended import MeetingUid, parse_property_id
from service.sandbox.filters import Field, parse_filter
from service.sandbox.moments import (
    parse_instant,
    parse_wall,
    render_instant,
    render_wall,
    to_seconds,
)
from service.sandbox.odata import parse_preferences, split_list
from service.sandbox.routing import Router
from service.sandbox.wire import Caller, GraphFault, GraphRequest, GraphResponse, SandboxClock

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ITEM = {"subject": "Budget 'A'", "read": True, "at": NOON, "size": 5, "tags": ["Red", "Blue"], "none": None}
FIELDS: dict[str, Field[dict[str, Any]]] = {
    "subject": Field("text", lambda item: item["subject"]),
    "id": Field("exact", lambda _item: "AbC"),
    "isRead": Field("bool", lambda item: item["read"]),
    "received": Field("instant", lambda item: item["at"]),
    "start/dateTime": Field("wall", lambda item: item["at"]),
    "size": Field("int", lambda item: item["size"]),
    "tags": Field("texts", lambda item: item["tags"]),
    "from": Field("text", lambda item: item["none"]),
}


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, "0001-01-01T00:00:00Z"),
        (NOON, "2026-07-01T12:00:00Z"),
        (NOON.replace(second=1, microsecond=893_182), "2026-07-01T12:00:01.8931825Z"),
        (NOON.replace(microsecond=100_000), "2026-07-01T12:00:00.1Z"),
    ],
)
def test_instants_have_up_to_seven_digits_and_none_in_vain(at: datetime | None, text: str) -> None:
    assert render_instant(at) == text


def test_mail_rounds_to_whole_seconds() -> None:
    assert to_seconds(NOON.replace(microsecond=499_999)) == NOON
    assert to_seconds(NOON.replace(microsecond=500_000)) == NOON.replace(second=1)


def test_wall_times_are_read_and_written_in_windows_and_other_zones() -> None:
    for zone in ("Pacific Standard Time", "America/Los_Angeles"):
        assert parse_wall("2026-07-01T05:00:00", zone, path="start") == NOON
        assert render_wall(NOON, zone) == {"dateTime": "2026-07-01T05:00:00.0000000", "timeZone": zone}
    assert parse_wall("2026-07-01T12:00:00.0000000Z", "Pacific Standard Time", path="start") == NOON
    assert parse_wall("2026-07-01", "UTC", path="start") == NOON.replace(hour=0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "noon", "2026-13-01T00:00:00Z", "2026-07-01T12:00:00", "2026-07-01T25:00:00Z"),
        *("2026-07-01T12:00:00+24:00", "2026-07-01T12:00:00-99:99"),
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(GraphFault):
        parse_instant(text, path="x")


def test_an_instant_may_have_an_offset() -> None:
    assert parse_instant("2026-07-01T17:30:00.0000000+05:30", path="x") == NOON


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("String 0x001A", "String 0x1a"),
        ("string 0X1a", "String 0x1a"),
        (
            "Binary {6ED8DA90-450B-101B-98DA-00AA003F1305} Id 0x0003",
            "Binary {6ed8da90-450b-101b-98da-00aa003f1305} Id 0x3",
        ),
        (
            "String {66F5A359-4659-4830-9070-00047EC6AC6E} Name Color",
            "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Color",
        ),
    ],
)
def test_property_ids_are_compared_parsed(given: str, shown: str) -> None:
    assert parse_property_id(given).render() == shown
    assert parse_property_id(given) == parse_property_id(shown)


@pytest.mark.parametrize(
    "text", ["", "String", "Colour 0x1", "String {no} Id 0x1", "Binary {} Id 3", "String 26"]
)
def test_a_malformed_property_id_is_refused(text: str) -> None:
    with pytest.raises(GraphFault) as caught:
        parse_property_id(text)
    assert caught.value.status == 400


def test_a_global_object_id_is_laid_out_as_exchange_does() -> None:
    uid = MeetingUid(datetime(2017, 12, 27, 21, 54, 55, 198_915, tzinfo=UTC), bytes(range(16)))
    blob = uid.blob(date(2026, 12, 8))
    assert blob[:16].hex().upper() == "040000008200E00074C5B7101A82E008"
    assert blob[16:20] == bytes((0x07, 0xEA, 12, 8))
    assert int.from_bytes(blob[20:28], "little") // 10_000_000 - 11_644_473_600 == int(
        uid.created.timestamp()
    )
    assert blob[28:36] == bytes(8)
    assert blob[36:] == (16).to_bytes(4, "little") + bytes(range(16))
    assert uid.ical_uid() == uid.blob().hex().upper()


def test_a_foreign_uid_is_wrapped_and_shown_as_it_is() -> None:
    uid = MeetingUid(NOON, b"", "abc@fabrikam.com")
    assert uid.ical_uid(date(2026, 1, 1)) == "abc@fabrikam.com"
    assert uid.blob()[40:] == b"vCal-Uid\x01\x00\x00\x00abc@fabrikam.com\x00"


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("subject eq 'budget ''A'''", True),
        ("contains(subject,'dget') and isRead eq true", True),
        ("startswith(subject,'x') or size ge 5", True),
        ("not (isRead eq true)", False),
        ("endswith(subject,'''A''') eq true", True),
        ("id eq 'abc'", False),
        ("id eq 'AbC'", True),
        ("received ge 2026-07-01T12:00:00Z", True),
        ("received gt 2026-07-01T12:00:00Z", False),
        ("received lt 2026-07-01T17:30:01+05:30", True),
        ("start/dateTime le '2026-07-01T12:00:00.0000000'", True),
        ("start/dateTime lt '2026-07-01'", False),
        ("tags/any(t:t eq 'red')", True),
        ("tags/any(t:t eq 'red' and t eq 'blue')", False),
        ("from eq null", True),
        ("from ne 'x'", True),
        ("from gt 'x' or from le 'x' or received gt null or received le null", False),
        ("isRead eq true and size lt 3 or size eq 5", True),
    ],
)
def test_a_filter_picks_what_it_says(text: str, matches: bool) -> None:
    assert parse_filter(text, FIELDS, type_name="thing").matches(ITEM) is matches


@pytest.mark.parametrize(
    "text",
    [
        *("", "subject", "subject eq", "subject eq 5", "subject like 'x'", "isRead eq 'true'", "size eq 'x'"),
        *(
            "isRead eq null",
            "isRead gt true",
            "tags eq 'x'",
            "tags/any(t eq 'x')",
            "subject/any(t:t eq 'x')",
            "received eq 'x'",
        ),
        *("subject eq 'x' subject eq 'y'", "(subject eq 'x'", "contains(size,'x')", "and", "'x' eq subject"),
        *("subject eq 'x", "subject eq 'x' and", "unknown eq 1", "#"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(GraphFault) as caught:
        parse_filter(text, FIELDS, type_name="thing")
    assert caught.value.status == 400


def test_preferences_are_read_together_and_unknown_ones_are_not_applied() -> None:
    found = parse_preferences(
        'outlook.timezone="Tokyo Standard Time", IdType="ImmutableId", odata.maxpagesize=7, respond-async'
    )
    assert (found.zone, found.is_immutable, found.page) == ("Tokyo Standard Time", True, 7)
    assert len(found.applied) == 3
    assert parse_preferences("") == parse_preferences("handling=lenient")


def test_lists_split_outside_of_parentheses_and_quotes() -> None:
    assert split_list("a, b($filter=id eq 'x,y' or (z)), c") == ("a", "b($filter=id eq 'x,y' or (z))", "c")
    for broken in ("a(b", "a'b"):
        with pytest.raises(GraphFault):
            split_list(broken)


def _request(*segments: str, method: str = "GET", user_id: str | None = "u1") -> GraphRequest:
    return GraphRequest(
        method=method,
        segments=segments,
        query=(),
        headers={},
        body=None,
        caller=Caller(user_id=user_id, app_id="a", permissions=frozenset({"Mail.Read"})),
        base_url="https://h/v1.0",
        url="https://h/v1.0",
    )


@pytest.mark.parametrize(
    "segments",
    [
        ("me", "mailFolders", "inbox", "messages", "delta"),
        ("ME", "mailfolders('inbox')", "messages", "delta()"),
        ("users", "u1", "MailFolders", "inbox", "messages", "microsoft.graph.delta()"),
        ("users('u1')", "mailFolders('inbox')", "Messages", "Delta"),
    ],
)
async def test_a_path_has_many_spellings_and_one_handler(segments: tuple[str, ...]) -> None:
    router = Router(SandboxClock())
    seen: list[tuple[str, ...]] = []

    async def note(request: GraphRequest) -> GraphResponse:
        seen.append(request.segments)
        return GraphResponse()

    for tail in ("delta", "microsoft.graph.delta"):
        router.add("GET", f"users/{{user}}/mailFolders/{{folder}}/messages/{tail}", note)
    router.add("GET", "users/{user}/mailFolders/{folder}/messages/{message}", _never)
    assert (await router.dispatch(_request(*segments))).status == 200
    assert (seen[0][1], seen[0][3]) == ("u1", "inbox")


async def _never(_request: GraphRequest) -> GraphResponse:
    raise AssertionError("a fixed segment goes before a key")


async def test_a_quoted_key_may_hold_a_quote_and_a_handler_may_refuse() -> None:
    router = Router(SandboxClock())

    async def refuse(request: GraphRequest) -> GraphResponse:
        raise GraphFault(418, "Teapot", request.segments[1], headers={"Retry-After": "1"})

    router.add("GET", "users/{user}", refuse)
    answer = await router.dispatch(_request("users('o''neil@contoso.com')"))
    assert (answer.status, answer.body["error"]["message"]) == (418, "o'neil@contoso.com")
    assert answer.headers["Retry-After"] == "1"


async def test_a_path_is_known_before_its_method_and_its_permissions() -> None:
    router = Router(SandboxClock())
    router.add("GET", "users/{user}/messages", _never, delegated={"Mail.ReadWrite"})
    assert (await router.dispatch(_request("me", "messages"))).status == 403
    assert (await router.dispatch(_request("me", "messages", method="PUT"))).status == 405
    assert (await router.dispatch(_request("me", "post"))).status == 400
    assert (await router.dispatch(_request("me", "", "messages"))).status == 400
