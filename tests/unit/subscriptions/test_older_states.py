"""A backup that is restored: known by memory or by what Graph remembers, and then all is read anew."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta

import pytest

from service.entries import Origin
from service.ports import Book, GraphSubscription
from service.subscriptions.evidence import choose_for_evidence, find_latest_renewal
from service.subscriptions.records import Fault, FaultKind, SubscriptionRecord
from tests.unit.subscriptions.fakes import START
from tests.unit.subscriptions.play import ADELE_INBOX, ALEX_EVENTS, Play, message, watching

HOUR = timedelta(hours=1)
WEEK_S = 7 * 86_400.0


class Backup:
    """All that Redis held of a play at one moment."""

    def __init__(self, play: Play) -> None:
        self._books = copy.deepcopy(play.records.books)
        self._counters = dict(play.records.counters)
        self._raised_to = play.generation.raised_to

    def restore(self, play: Play, *, is_noticed: bool) -> None:
        """Put it back; `is_noticed` where some process remembers more, and took the mark away."""
        play.records.books = copy.deepcopy(self._books)
        play.records.counters = dict(self._counters)
        play.generation.raised_to = self._raised_to
        play.generation.is_there = not is_noticed
        play.lease.flush()


async def test_a_keeper_that_ran_reads_everything_anew_and_knows_the_roster_better() -> None:
    play = await watching()
    play.tenant.add_person("bert@contoso.com")
    play.tenant.add_person("carl@contoso.com")
    await play.add_owner("bert@contoso.com")
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    backup = Backup(play)
    await play.add_owner("carl@contoso.com")
    await play.remove_owner("bert@contoso.com")
    await play.run(keeper, seconds=20)
    before = {one.id for one in play.tenant.living()}
    play.tenant.put_item("inbox/id-adele", message("m-1"))
    play.intake.take()

    backup.restore(play, is_noticed=True)
    await play.run(keeper, seconds=30)

    assert play.generation.begun == 2
    assert sorted(play.records.books[Book.ROSTER]) == ["alex@contoso.com", "carl@contoso.com"]
    assert sorted(play.owners()) == ["alex@contoso.com", "carl@contoso.com"]
    assert {one.id for one in play.tenant.living()} == before, "adopted, not made again"
    assert ("m-1", Origin.BASELINE) in [(one.item, one.origin) for one in play.intake.take()]
    assert "id-bert" not in str(play.records.books)
    assert (await play.read_status()).is_ready


@pytest.mark.parametrize("look", [1, 2])
async def test_a_roster_read_from_a_backup_before_that_is_known_does_not_count(look: int) -> None:
    play = await watching()
    play.tenant.add_person("bert@contoso.com")
    await play.add_owner("bert@contoso.com")
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    backup = Backup(play)
    await play.remove_owner("bert@contoso.com")
    await play.run(keeper, seconds=20)
    asked = 0
    exists = play.generation.exists

    async def notices_after_a_while(*, led_at: datetime | None = None) -> bool:
        nonlocal asked
        asked += 1
        if asked == look:
            await play.generation.disown()
        return await exists(led_at=led_at)

    backup.restore(play, is_noticed=False)
    play.generation.exists = notices_after_a_while  # type: ignore[method-assign]
    await play.run(keeper, seconds=30)
    assert list(play.owners()) == ["alex@contoso.com"]


async def test_what_was_written_into_an_empty_redis_stays_beside_what_is_known() -> None:
    play = await watching()
    play.tenant.add_person("bert@contoso.com")
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.records.flush()
    play.lease.flush()
    play.generation.is_there = False
    await play.add_owner("bert@contoso.com")
    await play.run(keeper, seconds=20)
    assert sorted(play.owners()) == ["alex@contoso.com", "bert@contoso.com"]


async def test_where_no_process_ran_graph_remembers_that_somebody_led_later() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    backup = Backup(play)
    for _ in range(90):  # the hourly renewal comes by
        await play.run(keeper, seconds=0.5)
        play.clock.advance(60)
    assert len(play.calls("renew")) == 1
    before = {one.id for one in play.tenant.living()}

    backup.restore(play, is_noticed=False)
    play.clock.advance(3600)
    await play.run(play.build_keeper("keeper-3"), seconds=30)
    assert play.generation.begun == 2
    assert {one.id for one in play.tenant.living()} == before
    assert (await play.read_status()).is_ready
    await play.run(play.build_keeper("keeper-3"), seconds=30)
    assert play.generation.begun == 2, "once is enough"


async def test_a_service_that_only_was_away_goes_on_with_its_state() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    for _ in range(90):
        await play.run(keeper, seconds=0.5)
        play.clock.advance(60)
    play.lease.flush()
    play.clock.advance(86_400)
    await play.run(play.build_keeper("keeper-3"), seconds=30)
    assert play.generation.begun == 1
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


async def test_what_a_dying_keeper_did_without_writing_it_down_is_no_evidence() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    held = dict(play.records.books[Book.SUBSCRIPTIONS])
    for one in play.tenant.living():
        await play.tenant.renew_subscription(one.id, play.clock.now() + timedelta(seconds=WEEK_S - 60))
    assert play.records.books[Book.SUBSCRIPTIONS] == held
    play.lease.flush()
    play.clock.advance(7200)
    await play.run(play.build_keeper("keeper-3"), seconds=30)
    assert play.generation.begun == 1


# --- the reckoning ---


def in_graph(id_: str, ends_in: timedelta) -> GraphSubscription:
    return GraphSubscription(
        id=id_,
        resource="users/id-alex/events",
        change_type="created",
        notification_url="",
        lifecycle_url="",
        expires_at=START + ends_in,
    )


def record(
    id_: str, ends_in: timedelta, *, made: timedelta = timedelta(), **more: object
) -> SubscriptionRecord:
    return SubscriptionRecord(
        id=id_,
        expires_at=START + ends_in,
        lifetime_s=WEEK_S,
        created_at=START + made,
        **more,  # type: ignore[arg-type]
    )


WEEK = timedelta(seconds=WEEK_S)


@pytest.mark.parametrize(
    ("held", "graphs", "latest"),
    [
        pytest.param([], [], None, id="nothing there"),
        pytest.param([("a", WEEK)], [("a", WEEK)], None, id="as written down"),
        pytest.param([("a", WEEK + HOUR)], [("a", WEEK)], None, id="Graph grants a little less"),
        pytest.param([("a", WEEK)], [("a", WEEK + HOUR)], HOUR, id="renewed without a word"),
        pytest.param([("a", WEEK)], [("b", WEEK + 2 * HOUR)], 2 * HOUR, id="made without a word"),
        pytest.param([], [("a", WEEK + HOUR), ("b", WEEK + 2 * HOUR)], 2 * HOUR, id="the latest counts"),
        pytest.param([], [("a", 3 * WEEK)], None, id="of another lifetime: nothing can be said"),
    ],
)
def test_when_graph_was_last_touched_without_our_knowing(
    held: list[tuple[str, timedelta]], graphs: list[tuple[str, timedelta]], latest: timedelta | None
) -> None:
    found = find_latest_renewal(
        [in_graph(*one) for one in graphs],
        [record(*one) for one in held],
        asked_s=WEEK_S,
        now=START + 5 * HOUR,
    )
    assert found == (None if latest is None else START + latest)


def test_evidence_is_left_once_per_interval_by_the_one_that_was_touched_the_longest_ago() -> None:
    fault = Fault(kind=FaultKind.PASSING, words="", attempts=1, since=START, retry_at=START)
    records = {
        "faulty": record("f", WEEK, made=-9 * HOUR, fault=fault),
        "ended": record("e", -HOUR, made=-9 * HOUR),
        "none": SubscriptionRecord(),
        "early": record("a", WEEK, made=timedelta()),
        "late": record("b", WEEK, made=HOUR, renewed_at=START + 2 * HOUR),
    }

    def chosen(at: timedelta) -> str | None:
        return choose_for_evidence(records, now=START + at, interval_s=3600)

    assert [chosen(2.9 * HOUR), chosen(3 * HOUR)] == [None, "early"]
    assert choose_for_evidence({}, now=START, interval_s=3600) is None
