"""Owners taken off the roster, and put on it again: what is deleted, what is refused, and who may say so."""

from __future__ import annotations

import pytest

from service.errors import FencedError, OwnerForgottenError
from service.reconcile.model import WHOLE, EventId, OwnerKey
from service.streams.forgetting import purge_owner
from service.streams.state import RedisStateStore
from tests.integration.streams.conftest import MEETING, NEXT_MONTH, OWNER, Streams, build_commit, list_names
from tests.integration.streams.test_commit import say, timer

EARLIER, LATER = 7, 8
"""Fencing numbers of two leaders, one after the other."""


async def test_nothing_is_committed_for_a_forgotten_owner_until_they_are_admitted(streams: Streams) -> None:
    read_before = await streams.states.commit(build_commit(updates=[say("a")]))
    await streams.states.forget_owner(OWNER, fence=1)
    for commit in (build_commit(read_before.version, updates=[say("b")]), build_commit(updates=[say("b")])):
        with pytest.raises(OwnerForgottenError):
            await streams.states.commit(commit)
    assert await streams.states.list_meetings(OWNER) == ()
    assert len(await streams.published()) == 1
    await streams.states.commit(build_commit(owner=OwnerKey("other")))
    await streams.states.admit_owner(OWNER, fence=1)
    await streams.states.commit(build_commit(updates=[say("b")]))
    assert len(await streams.published()) == 2


async def test_mark_of_a_forgotten_owner_ends_and_does_not_name_them(streams: Streams) -> None:
    states = RedisStateStore(streams.link, streams.keys, forgotten_kept_s=60)
    await states.forget_owner(OWNER, fence=1)
    [mark] = [name for name in await list_names(streams) if ":forgotten:" in name]
    assert OWNER not in mark
    assert 0 < await streams.link.call("PTTL", mark) <= 60_000


async def test_a_leader_of_before_forgets_nobody_whom_a_later_one_admitted(streams: Streams) -> None:
    await streams.states.forget_owner(OWNER, fence=EARLIER)
    await streams.states.admit_owner(OWNER, fence=LATER)
    first = await streams.states.commit(build_commit(updates=[say("a")]))

    with pytest.raises(FencedError):
        await streams.states.forget_owner(OWNER, fence=EARLIER)

    assert await streams.states.list_meetings(OWNER) == (MEETING,)
    await streams.states.commit(build_commit(first.version, updates=[say("b")]))


async def test_a_leader_of_before_admits_nobody_whom_a_later_one_forgot(streams: Streams) -> None:
    await streams.states.forget_owner(OWNER, fence=LATER)

    with pytest.raises(FencedError):
        await streams.states.admit_owner(OWNER, fence=EARLIER)

    with pytest.raises(OwnerForgottenError):
        await streams.states.commit(build_commit(updates=[say("a")]))


async def test_a_purge_ends_where_the_owner_is_admitted_while_it_is_done(streams: Streams) -> None:
    """A leader that stood still between its mark and its deleting meets the state of a new beginning."""
    await streams.states.forget_owner(OWNER, fence=EARLIER)
    await streams.states.admit_owner(OWNER, fence=LATER)
    await streams.states.commit(build_commit(timers=[timer(NEXT_MONTH)], event_ids={EventId("e"): WHOLE}))
    before = await list_names(streams)

    with pytest.raises(FencedError):
        await purge_owner(streams.link, streams.keys, OWNER)

    assert await list_names(streams) == before
    assert await streams.intake.release_due(NEXT_MONTH, count=10) == 1


async def test_a_leader_takes_its_own_word_back_any_number_of_times(streams: Streams) -> None:
    for _ in range(2):
        await streams.states.admit_owner(OWNER, fence=LATER)
        await streams.states.commit(build_commit(updates=[say("a")]))
        assert await streams.states.forget_owner(OWNER, fence=LATER) == 1
    await streams.states.admit_owner(OWNER, fence=LATER + 1)
    await streams.states.commit(build_commit(updates=[say("a")]))
