"""Attacks the public port of a running service for minutes, in turns with calm; says whether it held.

    python -m tests.attack [--minutes 3] [--seed N] [--at-once 8] [--pause-s 0.1]

Web, worker, keeper, Redis, the sandbox and the attacker are processes of their own. All the while people
answer meetings, and honest notifications are posted at a steady pace; how long those take is compared
between calm and attack. A bare handler that nobody attacks is asked at the same pace: how much longer that
takes is the machine's doing, and is taken out of the comparison. Exit code 1 where a promise is broken: a
5xx other than 503, more than 50 MB of growth, honest requests' p99 more than twice as long, a trace of
something forged, or an answer not told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.attack.hostile import FORGED
from tests.endtoend import judging
from tests.endtoend.deeds import Given, Play
from tests.endtoend.settling import settle
from tests.endtoend.stage import ROLES, Stage, open_stage
from tests.endtoend.test_ordinary_mail import read_all_keys

GROWTH_BYTES_MAX: Final = 50_000_000
P99_RATIO_MAX: Final = 2.0
HONEST_PER_S: Final = 20
TURN_S: Final = 15.0
ATTACK_SHARE: Final = 2
"""Attack lasts so many times as long as calm."""


@dataclass(slots=True, kw_only=True)
class Measured:
    """What one kind of time told: calm, or attack.

    Attributes:
        waits_s: of each honest request.
    """

    waits_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def p99_ms(self) -> float:
        return statistics.quantiles(self.waits_s, n=100)[98] * 1000


class Honest:
    """Graph, as far as anybody sees from outside: genuine notifications at a steady pace."""

    def __init__(self, session: aiohttp.ClientSession, url: str, body: bytes) -> None:
        self._session = session
        self._url = url
        self._body = body
        self.measured = Measured()

    async def run(self) -> None:
        """Post one notification after another until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._post(self.measured))
                await asyncio.sleep(1 / HONEST_PER_S)

    async def _post(self, measured: Measured) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(self._url, data=self._body, headers=headers) as answer:
                measured.statuses[answer.status] += 1
        except aiohttp.ClientError:
            measured.statuses[0] += 1
        measured.waits_s.append(loop.time() - began)


def note_in(askers: Sequence[Honest], measured: Sequence[Measured]) -> None:
    """Let what is asked from now on count as one kind of time."""
    for asker, one in zip(askers, measured, strict=True):
        asker.measured = one


class Memory:
    """What the web process holds, at its most."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.first = self.read()
        self.most = self.first

    def read(self) -> int:
        """Give the resident set in bytes.

        Source: https://docs.kernel.org/filesystems/proc.html
        """
        status = Path(f"/proc/{self._pid}/status").read_text()
        line = next(one for one in status.splitlines() if one.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    async def watch(self) -> None:
        while True:
            self.most = max(self.most, self.read())
            await asyncio.sleep(0.1)


@asynccontextmanager
async def run_bystander() -> AsyncIterator[str]:
    """Run a handler that only reads the body, which nobody attacks; gives its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.webhook_server", "low-level", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/graph/notifications"
    finally:
        process.terminate()
        await process.wait()


async def find_states(stage: Stage) -> dict[str, dict[str, Any]]:
    """Give the subscriptions by what they watch: `messages` and `events`."""
    found = await stage.tenant.control("subscriptions")
    return {one["resource"].rpartition("/")[2].lower(): one for one in found}


async def build_honest_body(stage: Stage, subscription: dict[str, Any]) -> bytes:
    """Build a notification of an ordinary mail that is there."""
    adele = stage.tenant.people["adele"]
    message = await stage.tenant.send_mail(adele, "somebody@elsewhere.example", "Lunch", "At noon")
    data = {"@odata.type": "#Microsoft.Graph.Message", "id": message}
    item = {
        "subscriptionId": subscription["id"],
        "changeType": "updated",
        "resource": f"Users/{adele.id}/Messages/{message}",
        "resourceData": data,
        "clientState": subscription["clientState"],
        "tenantId": stage.settings["RESPONSE_SYNC_TENANT_ID"],
    }
    return json.dumps({"value": [item]}).encode()


async def let_people_answer(stage: Stage, play: Play) -> None:
    """Let meetings be made and answered until cancelled; the answer under way is still given."""
    people = stage.tenant.people
    while True:
        meeting = await asyncio.shield(play.make_meeting(people["alex"], people["adele"], size=2, answers=0))
        for how in ("accept", "decline"):
            await asyncio.sleep(1)
            for invited in meeting.invited:
                invited.plan = [Given(how=how)]
            await asyncio.shield(play.play_round())


async def attack_once(stage: Stage, state: str, given: argparse.Namespace, seed: int, seconds: float) -> Any:
    """Run the attacker; gives what it tells."""
    options = {
        "port": stage.ports["public"],
        "tenant": stage.settings["RESPONSE_SYNC_TENANT_ID"],
        "calendar-state": state,
        "seed": seed,
        "seconds": seconds,
        "at-once": given.at_once,
        "pause-s": given.pause_s,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    attacker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.attack.outsider", *words, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await attacker.communicate()
    return json.loads(output)


async def find_traces(stage: Stage) -> list[str]:
    """Say where anything forged left a trace: in Redis, in what Graph was asked, in the logs."""
    places = await read_all_keys(stage.redis)
    places |= {f"log of {name}": text for name, text in stage.read_logs().items()}
    places["requests to Graph"] = json.dumps(await stage.tenant.control("requests"))
    return [name for name, text in places.items() if FORGED in text]


async def run(given: argparse.Namespace, directory: Path) -> Sequence[str]:
    """Play it all; gives each promise that was broken, in words."""
    calm, attacked = (Measured(), Measured()), (Measured(), Measured())
    made: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    async with open_stage(directory, RESPONSE_SYNC_LOG_LEVEL="info") as stage, run_bystander() as beside:
        await stage.start_ready(*ROLES)
        subscriptions = await find_states(stage)
        body = await build_honest_body(stage, subscriptions["messages"])
        urls = (f"{stage.public_url}/graph/notifications", beside)
        askers = [Honest(stage.session, url, body) for url in urls]
        play = Play(stage.tenant, given.seed)
        await play.add_guests(6)
        tasks = [asyncio.create_task(asker.run()) for asker in askers]
        tasks.append(asyncio.create_task(let_people_answer(stage, play)))
        await asyncio.sleep(TURN_S)
        memory = Memory(stage.running["web"].process.pid)
        tasks.append(asyncio.create_task(memory.watch()))
        for turn in range(max(1, round(given.minutes * 60 / (TURN_S * (1 + ATTACK_SHARE))))):
            note_in(askers, calm)
            await asyncio.sleep(TURN_S)
            note_in(askers, attacked)
            told = await attack_once(
                stage, subscriptions["events"]["clientState"], given, given.seed + turn, TURN_S * ATTACK_SHARE
            )
            made.update(told["made"])
            answered.update(told["statuses"])
            _tell(
                f"turn {turn + 1}: calm p99 {calm[0].p99_ms:.1f} ms, under attack {attacked[0].p99_ms:.1f} ms"
            )
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        broken = [repr(error) for error in ended if not isinstance(error, asyncio.CancelledError)]
        await settle(stage, play.meetings, timeout_s=120)
        judging.judge(await stage.read_stream(), play.meetings)
        broken += [f"something forged left a trace in {place}" for place in await find_traces(stage)]
    _tell(f"attacks: {dict(sorted(made.items()))}")
    _tell(f"answers to them: {dict(sorted(answered.items()))}")
    broken += judge(calm, attacked, memory, answered)
    return broken


def judge(
    calm: tuple[Measured, Measured],
    attacked: tuple[Measured, Measured],
    memory: Memory,
    answered: Counter[str],
) -> list[str]:
    """Print the figures; gives each promise that was broken, in words.

    Args:
        calm, attacked: of the service, and of the handler beside it.
    """
    growth = memory.most - memory.first
    whole, machine = (then.p99_ms / before.p99_ms for before, then in zip(calm, attacked, strict=True))
    ratio = whole / max(1.0, machine)
    for name, measured in (("calm", calm), ("under attack", attacked)):
        for where, one in zip(("honest requests", "beside"), measured, strict=True):
            median = statistics.median(one.waits_s) * 1000
            _tell(
                f"{where}, {name}: {len(one.waits_s)}, {dict(one.statuses)}, "
                f"median {median:.1f} ms, p99 {one.p99_ms:.1f} ms"
            )
    _tell(
        f"p99 {whole:.2f} times that of calm, {machine:.2f} times beside: {ratio:.2f}; "
        f"web held {memory.first / 1e6:.0f} MB and at most {growth / 1e6:.1f} MB more"
    )
    wrong = {status for status in answered if status.startswith("5")} - {"503"}
    wrong |= {str(status) for status in {*calm[0].statuses, *attacked[0].statuses} - {202, 503}}
    broken = [f"answers of status {', '.join(sorted(wrong))}"] if wrong else []
    broken += [f"memory grew by {growth} bytes"] if growth > GROWTH_BYTES_MAX else []
    broken += [f"honest p99 is {ratio:.2f} times as long"] if ratio > P99_RATIO_MAX else []
    return broken


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Attack and report; gives the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--pause-s", type=float, default=0.1)
    given = parser.parse_args()
    _tell(f"seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="attack-") as directory:
        broken = asyncio.run(run(given, Path(directory)))
    _tell("\n".join(f"BROKEN: {one}" for one in broken) or "held")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
