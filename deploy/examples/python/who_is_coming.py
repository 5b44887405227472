"""Prints who is coming to what, whenever it changes. Ends with Ctrl-C, and goes on where it was.

    REDIS_URL=redis://localhost:6379 python who_is_coming.py
    REDIS_URL=.. python who_is_coming.py --group crm --count 10

Needs `graph-response-sync`, for the library `service.consumer`; nothing of its settings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal

from service.consumer import Roll, Update, updates


def describe(roll: Roll, update: Update) -> str:
    """Give one line of JSON: what was said, and the whole list as it stands now."""
    attendees = roll.attendees(update.owner, update.meeting, update.instance)
    event = roll.event(update.owner, update.meeting, update.instance) or {}
    coming = {one.address: one.value for one in attendees.values()}
    return json.dumps({"type": update.type, "subject": event.get("subject"), "coming": coming})


async def follow(url: str, group: str, stream: str, count: int) -> None:
    """Follow the stream until a signal comes, or so many updates were printed (0: without end)."""
    roll = (
        Roll()
    )  # in memory: a fresh process begins with an empty one, hence a group of its own, or a snapshot
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    seen = 0
    async for update in updates(url, group=group, stream=stream, on_missed=roll.miss, stop=stop):
        roll.take(update)
        print(describe(roll, update), flush=True)  # noqa: T201 - what it is for
        seen += 1
        if seen == count:
            stop.set()  # the one at hand is acknowledged as the loop ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--group", default="example-python")
    parser.add_argument("--stream", default="responses")
    parser.add_argument("--count", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(follow(os.environ["REDIS_URL"], given.group, given.stream, given.count))


if __name__ == "__main__":
    main()
