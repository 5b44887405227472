"""Dead letters by `replay`, against a real server: what is listed, tried again, and dropped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from service.bootstrap.redis_side import Streams
from service.entries import IntakeEntry, Kind, Origin, parse_entry
from service.errors import StreamError
from service.ports import Book, Delivered
from service.reconcile.model import Address, OwnerKey
from service.replay.desk import DeadLetterDesk
from service.replay.selection import Selection
from service.roster import WatchedOwner, encode_record
from tests.integration.commanding import Run, with_streams

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ALEX = WatchedOwner(
    key=OwnerKey("alex-key"), roster_address=Address("alex@contoso.com"), address="alex@contoso.com", name="A"
)


def build_entry(item: str, mailbox: str = "adele") -> IntakeEntry:
    return IntakeEntry(kind=Kind.MESSAGE, origin=Origin.NOTIFICATION, mailbox=mailbox, item=item, attempt="3")


async def bury(streams: Streams, fields: dict[str, str], reason: str) -> None:
    entry = Delivered(id="1-0", fields=fields, deliveries=4)
    await streams.dead_letters.add(entry, reason=reason, detail=f"because of {reason}", at=NOW)


@pytest.fixture
def buried(environment: dict[str, str]) -> None:
    """Four dead letters: two without access, one throttled in the owner's calendar, one that is no entry."""
    assert environment

    async def fill(streams: Streams) -> None:
        await streams.generation.ensure()
        await streams.records.write(Book.OWNERS, {ALEX.key: encode_record(ALEX)})
        await bury(streams, build_entry("m1").to_fields(), "no_access")
        await bury(streams, build_entry("m2").to_fields(), "no_access")
        await bury(streams, build_entry("m3", ALEX.key).to_fields(), "throttled")
        await bury(streams, {"nonsense": "\x1b[31myes"}, "malformed")

    with_streams(fill)


async def read_waiting(streams: Streams) -> list[IntakeEntry]:
    found = await streams.intake.read("c", count=100, block_s=0)
    await streams.intake.acknowledge([one.id for one in found])
    return [parse_entry(one.fields) for one in found]


def list_items(run: Run, *arguments: str) -> list[str | None]:
    shown = json.loads(run("replay", "list", "--json", *arguments).stdout)
    return [one["entry"].get("item") for one in shown]


@pytest.mark.usefixtures("buried")
def test_the_newest_are_listed_first_and_filters_narrow_them(run: Run) -> None:
    assert list_items(run) == [None, "m3", "m2", "m1"]
    assert list_items(run, "--limit", "2") == [None, "m3"]
    assert list_items(run, "--reason", "no_access") == ["m2", "m1"]
    assert list_items(run, "--reason", "no_access", "--reason", "throttled") == ["m3", "m2", "m1"]
    assert list_items(run, "--kind", "event") == []
    assert list_items(run, "--mailbox", "ALEX@contoso.com") == ["m3"]
    assert list_items(run, "--mailbox", "adele") == ["m2", "m1"]
    assert list_items(run, "--until", "1h") == []
    assert len(list_items(run, "--since", "1h")) == 4


@pytest.mark.usefixtures("buried")
def test_the_list_says_what_each_reason_means_and_lets_nothing_draw(run: Run) -> None:
    text = run("replay", "list").stdout
    assert "Dead letters: 4 of 4" in text
    assert "no_access: Graph denies access to the mailbox. Give consent" in text
    assert "\x1b[31m" not in text


@pytest.mark.usefixtures("buried")
def test_one_is_shown_with_its_entry_and_remedy(run: Run) -> None:
    newest = json.loads(run("replay", "list", "--json").stdout)[0]
    shown = json.loads(run("replay", "show", newest["id"], "--json").stdout)
    assert shown == newest
    assert shown["detail"] == "because of malformed"
    text = run("replay", "show", newest["id"]).stdout
    assert "cannot be requeued" in text
    assert "\x1b" not in text


@pytest.mark.usefixtures("buried")
def test_requeued_entries_are_on_the_intake_stream_in_their_order_and_no_more_dead(run: Run) -> None:
    result = json.loads(run("replay", "requeue", "--reason", "no_access", "--json").stdout)
    assert result == {"requeued": 2, "unfit": [], "left": 2}
    waiting: list[IntakeEntry] = with_streams(read_waiting)
    assert [(one.item, one.origin, one.attempt) for one in waiting] == [
        ("m1", Origin.REPLAY, "0"),
        ("m2", Origin.REPLAY, "0"),
    ]


@pytest.mark.usefixtures("buried")
def test_what_is_no_entry_stays_while_the_rest_is_requeued(run: Run) -> None:
    result = run("replay", "requeue", "--all")
    assert result.exit_code == 1
    assert "3 requeued, 1 dead letters left." in result.stdout
    assert "1 are no intake entries" in result.stderr
    assert [one.item for one in with_streams(read_waiting)] == ["m1", "m2", "m3"]
    assert list_items(run) == [None]


@pytest.mark.usefixtures("buried")
def test_dropped_ones_are_gone_and_nothing_else(run: Run) -> None:
    oldest = json.loads(run("replay", "list", "--json").stdout)[-1]["id"]
    assert json.loads(run("replay", "drop", oldest, oldest, "--json").stdout) == {"dropped": 1, "left": 3}
    assert json.loads(run("replay", "drop", "--all", "--limit", "2", "--json").stdout)["dropped"] == 2
    assert list_items(run) == [None]
    assert with_streams(read_waiting) == []


@pytest.mark.usefixtures("buried")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "one of the three"),
        (["--all", "--reason", "no_access"], "one of the three"),
        (["1-0"], "No dead letter 1-0"),
        (["-"], "No dead letter -"),
        (["--since", "yesterday"], "is no time"),
    ],
)
@pytest.mark.parametrize("command", ["requeue", "drop"])
def test_nothing_is_done_where_it_is_not_clear_what_is_meant(
    run: Run, command: str, arguments: list[str], says: str
) -> None:
    result = run("replay", command, *arguments)
    assert result.exit_code == 1
    assert says in result.stderr
    assert len(list_items(run)) == 4


@pytest.mark.usefixtures("buried")
def test_one_command_takes_no_more_than_the_setting_allows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPONSE_SYNC_REPLAY_ENTRIES_MAX", "1")
    assert list_items(run) == [None]
    assert json.loads(run("replay", "requeue", "--all", "--json").stdout)["requeued"] == 1


class RefusingIntake:
    """An intake stream that takes one write and then no more."""

    def __init__(self) -> None:
        self.taken: list[IntakeEntry] = []

    async def append(self, entries: Sequence[IntakeEntry]) -> None:
        if self.taken:
            raise StreamError("Redis is full and takes no writes")
        self.taken += entries


@pytest.mark.usefixtures("buried")
def test_a_dead_letter_that_could_not_be_requeued_is_still_there() -> None:
    async def requeue(streams: Streams) -> Any:
        for number in range(250):
            await bury(streams, build_entry(f"n{number}").to_fields(), "unavailable")
        intake = RefusingIntake()
        desk = DeadLetterDesk(streams.dead_letters, intake)
        letters = await desk.list_oldest(Selection(), limit=1000)
        with pytest.raises(StreamError):
            await desk.requeue(letters)
        return len(intake.taken), await desk.count()

    assert with_streams(requeue) == (200, 54)


def test_old_ones_go_although_none_is_added(environment: dict[str, str]) -> None:
    assert environment

    async def age(streams: Streams) -> tuple[int, int]:
        await streams.link.call("XADD", streams.keys.dead, "1000-0", "dead_reason", "refused")
        await streams.link.call("XADD", streams.keys.dead, "*", "dead_reason", "refused")
        return await streams.dead_letters.drop_old(), await streams.dead_letters.count()

    assert with_streams(age) == (1, 1)
