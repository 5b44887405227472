"""What keeping a large roster costs: one planning tick, and the start-up against a sandbox.

`python -m bench.keeper` prints two curves of the real keeper's tick, with Graph and Redis in memory, so that
nothing but planning is measured: fixed work due over a growing roster, growing work due over a fixed roster.
Then it starts the service for a whole roster against a sandbox process, and counts at the sandbox's side how
the subscriptions were made. Exit code 1 where a promise is not held.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from service.ports import GraphSubscription, SubscriptionSpec
from service.reconcile.instant import parse_instant
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.comparing import ComparingLimits
from service.subscriptions.keeper import Keeper
from service.subscriptions.owners import OwnerLimits
from service.subscriptions.reading import ReadingLimits
from service.subscriptions.schedule import DutyKind
from tests.endtoend.stage import ROLES, Stage, open_stage
from tests.unit.subscriptions.fakes import Tenant
from tests.unit.subscriptions.play import Play

ROSTERS: Final = (100, 1000, 10_000)
DUE: Final = (5, 50, 500)
FIXED_DUE: Final = 20
TICKS: Final = 10
NEVER_S: Final = 1e9
HELD_MAX_MS: Final = 100.0
"""How long the comparison of the largest roster with Graph may hold up everything else, in processor time."""
GROWTH_MAX: Final = 3.0
"""How much dearer a duty may be with a hundred times the roster: heaps and caches grow a little."""
OPTIONS: Final = KeeperOptions(  # nothing but sweeps and look-ups of owners comes due
    lease_s=NEVER_S,
    owners=OwnerLimits(resolve_interval_s=NEVER_S),
    comparing=ComparingLimits(interval_s=NEVER_S),
    reading=ReadingLimits(full_resync_s=NEVER_S),
)
OWNERS_PER_DELEGATE: Final = 10
BATCH_PARTS_MAX: Final = 20
SUBSCRIPTION_REQUESTS_MAX: Final = 5000
SUBSCRIPTION_WINDOW: Final = timedelta(seconds=20)
"""Of one application in one tenant: https://learn.microsoft.com/graph/throttling-limits"""
JOINING: Final = 8
STANDSTILL_S: Final = 300.0


# --- the tick ---


class QuickTenant(Tenant):
    """The tenant of the unit tests, without its look at all subscriptions whenever one is made."""

    async def create_subscription(self, spec: SubscriptionSpec) -> GraphSubscription:
        await asyncio.sleep(0)
        return self.put(spec, self.clock.now() + timedelta(days=3650))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """What ticks of one roster cost.

    Attributes:
        due: duties done per tick, on average.
        mean_ms, worst_ms: processor time of a tick with all that it began.
    """

    roster: int
    due: float
    mean_ms: float
    worst_ms: float

    @property
    def per_duty_us(self) -> float:
        return self.mean_ms * 1000 / max(self.due, 1.0)


async def settle(roster: int) -> tuple[Play, Keeper, float]:
    """Give a keeper that is done with so many owners, each with a delegate, as the first sweeps come due.

    Those are spread evenly over the last fifth of the interval, each mailbox in its own place. The last tick
    compares with Graph, which looks at all that there is, once in a sweep interval: what matters of it is the
    third value, for how many ms of processor time it held up everything else at one go.
    """
    play = Play(options=OPTIONS)
    play.tenant = QuickTenant(clock=play.clock)
    for at in range(roster):
        play.tenant.add_person(f"d{at}@c.com")
        play.tenant.add_person(f"p{at}@c.com", delegates=[f"d{at}@c.com"])
        await play.add_owner(f"p{at}@c.com")
    keeper = play.build_keeper()
    await play.run(keeper, seconds=3)
    play.clock.advance(OPTIONS.reading.sweep_interval_s * 0.8)
    done, stop = len(play.metrics.outcomes), asyncio.Event()
    watching = asyncio.create_task(watch_loop(stop))
    await keeper.tick()
    await keeper.settle()
    stop.set()
    assert (DutyKind.COMPARE, "done") in play.metrics.outcomes[done:]
    return play, keeper, await watching


async def watch_loop(stop: asyncio.Event) -> float:
    """Give the longest time for which the loop was held up, in ms of its thread's processor time."""
    longest_s, before_s = 0.0, time.thread_time()
    while not stop.is_set():
        await asyncio.sleep(0)
        now_s = time.thread_time()
        longest_s, before_s = max(longest_s, now_s - before_s), now_s
    return longest_s * 1000


async def measure_ticks(play: Play, keeper: Keeper, roster: int, due: int) -> Ticked:
    """Tick with about so many sweeps due in each tick, and nothing else: what is due depends on the time."""
    step_s = OPTIONS.reading.sweep_interval_s * 0.2 * due / (2 * roster)
    done, costs = len(play.metrics.outcomes), []
    for _ in range(TICKS):
        play.clock.advance(step_s)
        began = time.process_time()
        await keeper.tick()
        await keeper.settle()
        costs.append((time.process_time() - began) * 1000)
    return Ticked(
        roster=roster,
        due=(len(play.metrics.outcomes) - done) / TICKS,
        mean_ms=statistics.mean(costs),
        worst_ms=max(costs),
    )


async def report_ticks(rosters: Sequence[int]) -> bool:
    """Print both curves; tells whether the cost follows what is due and not the roster."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    flat, rising = [], []
    _tell(f"ticks with about {FIXED_DUE} sweeps due, and look-ups besides, growing roster; then with more:")
    for roster in rosters:
        play, keeper, held_ms = await settle(roster)
        _tell(
            f"  roster {roster:6}, the comparison with Graph holds the loop up for {held_ms:.1f} ms at most"
        )
        flat.append(_tell_tick(await measure_ticks(play, keeper, roster, FIXED_DUE)))
    for due in DUE:
        rising.append(_tell_tick(await measure_ticks(play, keeper, roster, due)))
    growth = flat[-1].per_duty_us / flat[0].per_duty_us
    costs = [one.per_duty_us for one in rising]
    _tell(
        f"{rosters[-1] // rosters[0]} times the roster: {growth:.2f} times the cost of a duty; "
        f"{rising[-1].due / rising[0].due:.1f} times as much due: "
        f"{rising[-1].mean_ms / rising[0].mean_ms:.1f} times the cost of a tick, and "
        f"{max(costs) / min(costs):.2f} times that of a duty; {GROWTH_MAX:g} allowed"
    )
    is_flat = growth <= GROWTH_MAX and max(costs) / min(costs) <= GROWTH_MAX
    return is_flat and held_ms <= HELD_MAX_MS


def _tell_tick(ticked: Ticked) -> Ticked:
    _tell(
        f"  roster {ticked.roster:6}, {ticked.due:6.1f} duties a tick: mean {ticked.mean_ms:7.2f} ms, "
        f"worst {ticked.worst_ms:7.2f} ms, {ticked.per_duty_us:5.0f} us a duty"
    )
    return ticked


# --- the start-up ---


async def report_start(roster: int) -> bool:
    """Start the service for a whole roster; tells whether Graph's published limits were kept."""
    with tempfile.TemporaryDirectory(prefix="bench-keeper-") as folder:
        owners = [f"owner.{at}@contoso.com" for at in range(roster)]
        quiet = {"RESPONSE_SYNC_LOG_LEVEL": "warning"}
        async with open_stage(Path(folder), owners=owners, **quiet) as stage:
            await _join_all(stage, owners)
            wanted = roster + -(-roster // OWNERS_PER_DELEGATE)
            began = time.monotonic()
            for role in ROLES:
                await stage.start(role)
            await _wait_for_subscriptions(stage, wanted)
            _tell(f"{wanted} subscriptions stand {time.monotonic() - began:.0f} s after the start")
            return judge_start(await stage.tenant.control("requests"), wanted)


async def _join_all(stage: Stage, owners: Sequence[str]) -> None:
    began, places = time.monotonic(), asyncio.Semaphore(JOINING)

    async def join(address: str, **more: Any) -> None:
        async with places:
            await stage.tenant.control("users", {"name": address, "address": address, **more})

    helpers = [f"delegate.{at}@contoso.com" for at in range(-(-len(owners) // OWNERS_PER_DELEGATE))]
    await asyncio.gather(*(join(address) for address in helpers))
    await asyncio.gather(
        *(join(owner, delegates=[helpers[at // OWNERS_PER_DELEGATE]]) for at, owner in enumerate(owners))
    )
    _tell(f"{len(owners)} owners and {len(helpers)} delegates joined in {time.monotonic() - began:.0f} s")


async def _wait_for_subscriptions(stage: Stage, wanted: int) -> None:
    """Wait until Graph holds so many; fails when none was added for long: everybody is looked up first."""
    held, changed_at = 0, time.monotonic()
    while held < wanted:
        await asyncio.sleep(2)
        now_held = len(await stage.tenant.control("subscriptions"))
        if now_held != held:
            held, changed_at = now_held, time.monotonic()
        if time.monotonic() - changed_at > STANDSTILL_S:
            raise TimeoutError(f"{held} of {wanted} subscriptions: {await stage.ask_admin('keeper')}")


def judge_start(requests: Sequence[Mapping[str, Any]], wanted: int) -> bool:
    """Count at the sandbox's side; tells whether the limits were kept."""
    batches = [request for request in requests if request["batch"]]
    parts = [len(request["batch"]) for request in batches]
    made = [(request, part) for request in requests for part in _list_creations(request)]
    in_batches = sum(bool(request["batch"]) for request, _ in made)
    busiest = count_busiest(parse_instant(request["at"]).to_datetime() for request, _ in made)
    statuses = Counter(part["status"] for _, part in made)
    kinds = Counter("$batch" if request["batch"] else request["method"] for request in requests)
    _tell(
        f"{len(requests)} requests {dict(kinds)}; {len(made)} creations, statuses {dict(statuses)}, "
        f"{in_batches} of them in $batch calls of at most {max(parts, default=0)} parts "
        f"({sum(parts) / max(len(parts), 1):.1f} on average); at most {busiest} creations in "
        f"{SUBSCRIPTION_WINDOW.total_seconds():g} s, {SUBSCRIPTION_REQUESTS_MAX} allowed; "
        f"{sum(request['status'] == 429 for request in requests)} requests throttled"
    )
    return (
        max(parts, default=0) <= BATCH_PARTS_MAX
        and busiest <= SUBSCRIPTION_REQUESTS_MAX
        and in_batches >= 0.9 * wanted
        and statuses[201] == wanted
    )


def _list_creations(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = request["batch"] or [request]
    return [part for part in parts if part["method"] == "POST" and part["path"].endswith("/subscriptions")]


def count_busiest(moments: Iterable[datetime]) -> int:
    """Give the most moments that lie within any window of Graph's length."""
    ordered, first, busiest = sorted(moments), 0, 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= SUBSCRIPTION_WINDOW:
            first += 1
        busiest = max(busiest, last - first + 1)
    return busiest


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Measure and report; gives the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--roster", type=int, default=ROSTERS[-1], help="of the start-up")
    parser.add_argument("--only", choices=("ticks", "start"))
    given = parser.parse_args()
    held = {}
    if given.only != "start":
        held["ticks"] = asyncio.run(report_ticks(ROSTERS))
    if given.only != "ticks":
        held["start"] = asyncio.run(report_start(given.roster))
    _tell(json.dumps(held))
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
