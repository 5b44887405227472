"""Waiting until the stream says what it must; fails with what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from tests.endtoend import judging
from tests.endtoend.deeds import Meeting
from tests.endtoend.stage import Stage
from tests.integration.waiting import PATIENCE_S, wait_until


async def settle(stage: Stage, meetings: Sequence[Meeting], *, timeout_s: float = PATIENCE_S) -> None:
    """Wait until each answer given so far was told and confirmed, and nothing waits to be read."""
    missing: list[str] = []

    async def is_told() -> bool:
        nonlocal missing
        missing = judging.find_missing(await stage.read_stream(), meetings)
        return not missing and await stage.is_quiet()

    try:
        await wait_until(is_told, timeout_s=timeout_s, poll_s=0.05)
    except TimeoutError:
        raise AssertionError(f"not told in {timeout_s:g} s: {missing}") from None


async def settle_last_answers(
    stage: Stage, meetings: Sequence[Meeting], *, timeout_s: float = PATIENCE_S
) -> None:
    """Wait until everybody's last answer is confirmed, whatever died meanwhile, and nothing waits."""
    unsettled: list[str] = []

    async def is_told() -> bool:
        nonlocal unsettled
        unsettled = judging.find_unsettled(await stage.read_stream(), meetings)
        return not unsettled and await stage.is_quiet()

    try:
        await wait_until(is_told, timeout_s=timeout_s, poll_s=0.1)
    except TimeoutError:
        raise AssertionError(f"not told in {timeout_s:g} s: {unsettled}") from None


async def judge_calendars(stage: Stage, meetings: Sequence[Meeting]) -> None:
    """Compare stream, calendars as Graph gives them, and deeds; no entry was given up."""
    entries = await stage.read_stream()
    for meeting in meetings:
        told = judging.select(entries, meeting)
        event = await stage.tenant.find_event(meeting.owner, "/me/calendar", meeting.uid)
        assert judging.fold(told) == judging.expect_fold(meeting) == judging.read_calendar(event)
        judging.judge_last_words(told, event, meeting)
    assert await stage.count_dead() == 0
