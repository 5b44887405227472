"""A consumer group is warned of before it loses updates, and once more when it has; not at every look."""

from __future__ import annotations

from collections.abc import Sequence

from structlog.testing import capture_logs

from service.consuming.backlog import GroupBacklog
from service.pulse.consumers import ConsumerWatch


def build(*, headroom: float, trimmed: int = 0, group: str = "crm") -> GroupBacklog:
    return GroupBacklog(stream="responses", group=group, unread=90, trimmed=trimmed, headroom=headroom)


async def tell_each(*looks: Sequence[GroupBacklog]) -> list[list[str]]:
    """Give the events of each look."""
    left = list(looks)

    async def read() -> Sequence[GroupBacklog]:
        return left.pop(0)

    watch = ConsumerWatch(read, headroom_min=0.2)
    told = []
    for _ in looks:
        with capture_logs() as logs:
            await watch.look()
        told.append([entry["event"] for entry in logs])
    return told


async def test_falling_behind_is_told_when_it_begins_and_when_it_begins_again() -> None:
    fine, behind = [build(headroom=0.5)], [build(headroom=0.1)]
    told = await tell_each(fine, behind, behind, fine, behind)
    assert told == [[], ["consumer.fell_behind"], [], [], ["consumer.fell_behind"]]


async def test_a_loss_is_told_when_it_begins_and_when_it_grows() -> None:
    first, more = [build(headroom=0.0, trimmed=3)], [build(headroom=0.0, trimmed=7)]
    told = await tell_each(first, first, more, [build(headroom=1.0)], first)
    assert told == [
        ["consumer.lost_updates", "consumer.fell_behind"],
        [],
        ["consumer.lost_updates"],
        [],
        ["consumer.lost_updates", "consumer.fell_behind"],
    ]


async def test_groups_are_told_apart() -> None:
    told = await tell_each([build(headroom=0.1)], [build(headroom=0.1), build(headroom=0.1, group="bot")], [])
    assert told == [["consumer.fell_behind"], ["consumer.fell_behind"], []]


async def test_what_is_told_names_stream_group_and_numbers() -> None:
    async def read() -> Sequence[GroupBacklog]:
        return [build(headroom=0.0, trimmed=3)]

    with capture_logs() as logs:
        await ConsumerWatch(read, headroom_min=0.2).look()
    place = {"stream": "responses", "group": "crm", "unread": 90}
    assert logs == [
        {"event": "consumer.lost_updates", "log_level": "error", "trimmed": 3, **place},
        {"event": "consumer.fell_behind", "log_level": "warning", "headroom": 0.0, **place},
    ]
