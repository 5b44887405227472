"""Trial `leaders`: of three keepers the leader is killed every five seconds, while Graph grants one minute.

Graph's side is asked all the time: from the start on each resource must have a live subscription.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.trials import judge
from tests.trials.ground import READY_TIMEOUT_S, Ground, Size, living, open_ground
from tests.trials.history import History

KEEPERS: Final = ("keeper", "keeper-2", "keeper-3")
LIFETIME_S: Final = 60.0
KILL_EVERY_S: Final = 5.0
LOOK_S: Final = 0.2
FIND_LEADER_S: Final = 0.05


@dataclass(slots=True)
class Watcher:
    """Asks Graph's side which subscriptions live, again and again.

    Attributes:
        lapses: when and of what there was none.
        ids: of all subscriptions that were seen, by resource.
        most_held: the most that any resource had at a moment.
    """

    ground: Ground
    looks: int = 0
    lapses: list[str] = field(default_factory=list)
    most_held: int = 0
    ids: dict[judge.Resource, set[str]] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        held = await self.ground.stage.tenant.control("subscriptions")
        counted = Counter(judge.parse_resource(one["resource"]) for one in held)
        for one in held:
            self.ids.setdefault(judge.parse_resource(one["resource"]), set()).add(one["id"])
        for kind, user in sorted(judge.list_wanted(self.ground.crowd) - set(counted)):
            self.lapses.append(f"{self.ground.history.age_s:.1f} s: no {kind} subscription of {user}")
        self.most_held = max(self.most_held, *counted.values())
        self.looks += 1


async def run(history: History, size: Size, place: Path) -> None:
    """Kill leaders for `size.seconds`."""
    async with open_ground(history, size, place, more_processes=KEEPERS[1:]) as ground:
        await ground.crowd.meet(size.meetings, size=size.size)
        await ground.stage.tenant.control("faults", {"lifetime_s": LIFETIME_S})
        await ground.start_service()
        for name in KEEPERS[1:]:
            await ground.stage.start("keeper", name=name)
        watcher = Watcher(ground)
        watching = asyncio.create_task(watcher.run())
        try:
            async with living(ground):
                await _kill_leaders(ground)
            await asyncio.sleep(LIFETIME_S)  # what nobody renewed meanwhile lapses now
            assert not watching.done(), watching.result()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        _report(ground, watcher, await ground.stage.tenant.control("requests"))
        history.demand(watcher.lapses, of="subscriptions that lapsed")
        await ground.judge_all(await ground.settle(of="after the killings"))


async def _kill_leaders(ground: Ground) -> None:
    end = time.monotonic() + ground.size.seconds
    without_leader_s = []
    while time.monotonic() < end:
        await asyncio.sleep(KILL_EVERY_S)
        began = time.monotonic()
        name = await _find_leader(ground)
        without_leader_s.append(time.monotonic() - began)
        await ground.stage.running[name].kill()
        ground.history.note(f"{name} is killed")
        await ground.stage.start("keeper", name=name)
    ground.history.tell(
        f"{len(without_leader_s)} leaders killed; 5 s after one was killed the next was there, or after "
        f"{max(without_leader_s):.1f} s more"
    )


async def _find_leader(ground: Ground) -> str:
    """Wait until some keeper says that it leads; gives its name."""
    async with asyncio.timeout(READY_TIMEOUT_S):
        while True:
            for name in KEEPERS:
                _, text = await ground.stage.ask_admin(name, "/metrics")
                if "response_sync_keeper_is_leader 1.0" in text:
                    return name
            await asyncio.sleep(FIND_LEADER_S)


def _report(ground: Ground, watcher: Watcher, requests: list[dict[str, Any]]) -> None:
    parts = Counter(
        (part["method"], part["status"])
        for request in requests
        for part in ([request] if not request["batch"] else request["batch"])
        if "/subscriptions" in part["path"].lower()
    )
    replaced = sum(len(ids) > 1 for ids in watcher.ids.values())
    ground.history.tell(
        f"{watcher.looks} looks at Graph's side: {len(watcher.lapses)} lapses, at most {watcher.most_held} "
        f"subscriptions of one resource, {replaced} resources whose subscription was replaced; "
        f"requests {dict(parts)}"
    )
