"""What the public side costs: its throughput beside that of an aiohttp handler that only reads the body.

`python -m bench.webhook` starts a Redis-compatible server with its append-only file on, and two server
processes that share one core: ours, which stores each notification before it answers, and the bare handler.
`wrk` and Redis have another core. The two are measured in turns, so that a machine that slows down slows
both; the ratio of each pair counts, and the median of the ratios is the result.

Needs `wrk` (Debian: apt-get install wrk) and two cores. Exit code 1 where the ratio is below the promise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.webhook_server import DEPLOYMENT, SECRET, TENANT
from service.embedded import embedded_redis
from service.intake.client_state import (
    ResourceKind,
    WatchedResource,
    build_client_state,
    derive_client_state_keys,
)
from service.reconcile.model import MailboxKey

PROMISE: Final = 0.85
_HERE: Final = Path(__file__).parent
_MAILBOX: Final = "622eaaff-0683-4862-9de4-f2ec83c2bd98"
_ITEM_ID: Final = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A" + "b1C2d3E4f5G6h7I8j9K0" * 5 + "AAA="


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of wrk.

    Attributes:
        rate: requests per second.
        p99_ms: 99th percentile of the answers' delay.
        cpu_us: processor time of the server per request; other work on the machine hardly touches it.
        failed: answers that were not 2xx, or did not come.
    """

    rate: float
    p99_ms: float
    cpu_us: float
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server process."""

    port: int
    pid: int

    def read_cpu_s(self) -> float:
        """Give the processor time that the process has used.

        Source: https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat
        """
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to measure; cores are numbers as the system counts them."""

    rounds: int
    seconds: int
    connections: int
    baseline: str
    durability: str
    server_core: int
    driver_core: int


def build_body() -> bytes:
    """Build a notification of one new message, as Graph sends it."""
    keys = derive_client_state_keys([SECRET], DEPLOYMENT)
    watched = WatchedResource(kind=ResourceKind.INBOX, mailbox=MailboxKey(_MAILBOX))
    path = f"Users/{_MAILBOX}/Messages/{_ITEM_ID}"
    item = {
        "subscriptionId": "c6126aa3-0ed8-412f-a988-71e6cee627c4",
        "subscriptionExpirationDateTime": "2026-01-02T03:12:18.2257768+00:00",
        "changeType": "created",
        "resource": path,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Message",
            "@odata.id": path,
            "@odata.etag": 'W/"CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAGDUUXn"',
            "id": _ITEM_ID,
        },
        "clientState": build_client_state(keys, watched),
        "tenantId": TENANT,
    }
    return json.dumps({"value": [item]}).encode()


@asynccontextmanager
async def run_server(kind: str, plan: Plan, redis_url: str) -> AsyncIterator[Server]:
    """Run a server process on its core."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.webhook_server",
        kind,
        "--redis",
        redis_url,
        "--durability",
        plan.durability,
        stdout=asyncio.subprocess.PIPE,
    )
    os.sched_setaffinity(process.pid, {plan.server_core})
    try:
        assert process.stdout is not None
        yield Server(port=int(await process.stdout.readline()), pid=process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def drive(server: Server, body_file: Path, plan: Plan) -> Measured:
    """Run wrk against a server.

    Raises:
        RuntimeError: wrk failed.
    """
    used_before_s = server.read_cpu_s()
    wrk = await asyncio.create_subprocess_exec(
        "wrk",
        "-t1",
        f"-c{plan.connections}",
        f"-d{plan.seconds}s",
        "-s",
        str(_HERE / "post.lua"),
        f"http://127.0.0.1:{server.port}/graph/notifications?deployment={DEPLOYMENT}",
        "--",
        str(body_file),
        stdout=asyncio.subprocess.PIPE,
    )
    os.sched_setaffinity(wrk.pid, {plan.driver_core})
    output, _ = await wrk.communicate()
    line = next((line for line in output.decode().splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk failed: {output.decode()}")
    requests, microseconds, refused, broken, p99 = map(int, line.split()[1:])
    used_s = server.read_cpu_s() - used_before_s
    return Measured(
        rate=requests / microseconds * 1e6,
        p99_ms=p99 / 1000,
        cpu_us=used_s / max(requests, 1) * 1e6,
        failed=refused + broken,
    )


async def measure(plan: Plan) -> list[tuple[Measured, Measured]]:
    """Measure bare handler and ours in turns; gives one pair per round."""
    pairs: list[tuple[Measured, Measured]] = []
    with tempfile.TemporaryDirectory(prefix="response-sync-bench-") as folder:
        body_file = Path(folder) / "body.json"
        await asyncio.to_thread(body_file.write_bytes, build_body())
        async with embedded_redis(is_append_only=True) as redis:
            os.sched_setaffinity(redis.pid, {plan.driver_core})
            async with (
                run_server(plan.baseline, plan, redis.url) as bare,
                run_server("ours", plan, redis.url) as ours,
            ):
                for server in (bare, ours):
                    await drive(server, body_file, plan)  # warms up
                for number in range(plan.rounds):
                    pairs.append(await _measure_pair(bare, ours, number, body_file, plan))
                    _tell(f"round {number + 1}: {_describe(*pairs[-1])}")
    return pairs


async def _measure_pair(
    bare: Server, ours: Server, number: int, body_file: Path, plan: Plan
) -> tuple[Measured, Measured]:
    """Measure both once, each first in every other round."""
    if number % 2:
        second = await drive(ours, body_file, plan)
        return await drive(bare, body_file, plan), second
    first = await drive(bare, body_file, plan)
    return first, await drive(ours, body_file, plan)


def report(pairs: Sequence[tuple[Measured, Measured]], plan: Plan) -> bool:
    """Print the result; tells whether the promise is held."""
    ratios = sorted(ours.rate / bare.rate for bare, ours in pairs)
    costs = statistics.median(bare.cpu_us / ours.cpu_us for bare, ours in pairs)
    failed = sum(bare.failed + ours.failed for bare, ours in pairs)
    median = statistics.median(ratios)
    _tell(
        f"{len(ratios)} rounds of {plan.seconds} s, {plan.connections} connections, append-only file on, "
        f"DURABILITY={plan.durability}: throughput beside a bare aiohttp {plan.baseline} handler "
        f"median {median:.3f}, spread {ratios[0]:.3f} to {ratios[-1]:.3f} (by processor time {costs:.3f}); "
        f"promised {PROMISE}"
    )
    if failed:
        _tell(f"{failed} requests failed: the result says nothing")
    return not failed and median >= PROMISE


def _describe(bare: Measured, ours: Measured) -> str:
    sides = (
        f"{name} {side.rate:6.0f}/s, p99 {side.p99_ms:5.1f} ms, {side.cpu_us:4.0f} us CPU"
        for name, side in (("bare", bare), ("ours", ours))
    )
    return f"{'; '.join(sides)}; ratio {ours.rate / bare.rate:.3f}"


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def parse_arguments() -> Plan:
    """Read the command line and check what the machine must have."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--baseline", choices=("application", "low-level"), default="application")
    parser.add_argument("--durability", choices=("memory", "fsync"), default="memory")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if shutil.which("wrk") is None:
        parser.error("wrk is not installed (Debian: apt-get install wrk)")
    if len(cores) < 2:
        parser.error("two cores are needed, one for the server and one for Redis and wrk")
    return Plan(**vars(given), server_core=cores[0], driver_core=cores[1])


def main() -> int:
    """Measure and report; gives the exit code."""
    plan = parse_arguments()
    return 0 if report(asyncio.run(measure(plan)), plan) else 1


if __name__ == "__main__":
    sys.exit(main())
