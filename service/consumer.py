"""For programs that read the update stream: a typed library over plain Redis.

    async for update in updates("redis://localhost:6379", group="crm"):
        print(update.attendee, update.value, update.standing)

`updates` reads as one consumer of a group: in order per source, each update once as long as the process
lives, acknowledged when it was handled. It resumes, takes over from consumers that died, and asks for
snapshots where updates were trimmed before they were read. `Roll` keeps who is coming to what in memory:

    roll = Roll()
    async for update in updates(url, group="planner", on_missed=roll.miss):
        roll.take(update)
        coming = roll.attendees(update.owner, update.meeting, update.instance)
"""

from __future__ import annotations

from service.consuming.member import Trimmed
from service.consuming.reading import ReadingLimits, updates
from service.consuming.roll import Attendee, Roll
from service.consuming.seen import Gap, Position, Seen
from service.consuming.update import WHOLE, NotAnUpdateError, Update, parse_update
from service.errors import ConfigError, StreamError

__all__ = [
    "WHOLE",
    "Attendee",
    "ConfigError",
    "Gap",
    "NotAnUpdateError",
    "Position",
    "ReadingLimits",
    "Roll",
    "Seen",
    "StreamError",
    "Trimmed",
    "Update",
    "parse_update",
    "updates",
]
