"""What an answer costs in requests to Graph: a steady mixed load, ten ordinary mails for each answer.

`python -m bench.calls` starts a Redis-compatible server, the sandbox and `serve`, each a process of its own,
with twenty owners whose delegates get the answers. The sandbox counts what it is asked: an HTTP request is
one, a `$batch` is one; delta queries and subscriptions (sweeps, baselines, renewals) are left out. That,
divided by the `response.changed` that were published, is the result. Loads differ in pace and in how mail is
spread:

* `even`: mails and answers one by one, each to the next inbox, at equal distances;
* `burst`: an answer and its ten mails at one moment, all in one inbox.

A window of `BATCH_WINDOW_S` sends a request while mail keeps coming, so that below one answer per window the
result is the number of windows between two answers: 1 / (pace x window).

Exit code 1 where a load that is promised for costs more than was promised.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.endtoend.people import Person, Tenant
from tests.endtoend.stage import Stage, open_stage
from tests.integration.waiting import wait_until

PROMISE: Final = 1.1
PROMISE_RICH: Final = 0.05
OWNERS: Final = 20
MAILS_PER_ANSWER: Final = 10
DAY_S: Final = "86400"
_WAYS: Final = ("accept", "tentativelyAccept", "decline")
_ADDRESS: Final = "{name}@contoso.onmicrosoft.com"
_LEFT_OUT: Final = ("/delta", "/subscriptions", "deltatoken", "skiptoken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How mail arrives.

    Attributes:
        pace: answers per second.
        is_burst: an answer and its mails arrive at one moment in one inbox; else one by one, in all in turn.
        is_promised: the promise holds for it.
    """

    name: str
    pace: float
    is_burst: bool
    is_promised: bool = True


LOADS: Final = (
    Load(name="even, 8 answers/s", pace=8, is_burst=False),
    Load(name="even, 4 answers/s", pace=4, is_burst=False),
    Load(name="burst, 1 answer/s", pace=1, is_burst=True),
    Load(name="even, 1 answer/s", pace=1, is_burst=False, is_promised=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one load cost.

    Attributes:
        kinds: HTTP requests by kind; a batch is one.
        parts: requests that travelled in batches.
        changed: entries `response.changed` of the update stream.
    """

    kinds: Counter[str]
    parts: int
    changed: int

    @property
    def ratio(self) -> float:
        return self.kinds.total() / self.changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """The people of the load.

    Attributes:
        delegates: one per owner, whose inbox is watched.
        answers: (who answers, path of their event), each owner in turn.
    """

    delegates: Sequence[Person]
    answers: Sequence[tuple[Person, str]]


async def gather_company(tenant: Tenant, *, answers: int) -> Company:
    """Add owners, delegates and guests, and let each owner invite all guests to one meeting."""
    delegates = [await _add(tenant, f"delegate{at}") for at in range(OWNERS)]
    owners = [await _add(tenant, f"owner{at}", delegates=[delegates[at].address]) for at in range(OWNERS)]
    guests = [await _add(tenant, f"guest{at}") for at in range(-(-answers // OWNERS))]
    uids = [(await tenant.create_meeting(owner, owner, _meeting(guests)))["iCalUId"] for owner in owners]
    planned = []
    for guest in guests:
        page = await tenant.graph("GET", "/me/calendar/events?$top=200", guest)
        paths = {one["iCalUId"]: f"/me/events/{quote(one['id'], safe='')}" for one in page["value"]}
        planned += [(guest, paths[uid]) for uid in uids]
    return Company(delegates=delegates, answers=planned[:answers])


async def _add(tenant: Tenant, name: str, **more: Any) -> Person:
    return await tenant.add_user(name, _ADDRESS.format(name=name), **more)


def _meeting(guests: Sequence[Person]) -> dict[str, Any]:
    invited = [{"emailAddress": {"address": one.address, "name": one.name}} for one in guests]
    times = {"start": "2030-01-01T10:00:00", "end": "2030-01-01T11:00:00"}
    zoned = {edge: {"dateTime": time, "timeZone": "UTC"} for edge, time in times.items()}
    return {"subject": "Load", **zoned, "attendees": [{**one, "type": "required"} for one in invited]}


async def play(tenant: Tenant, company: Company, load: Load, way: str) -> None:
    """Let everybody answer once, with ordinary mail around each answer."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number, (guest, path) in enumerate(company.answers):
            for at in range(MAILS_PER_ANSWER + 1):
                share = 0.0 if load.is_burst else at / (MAILS_PER_ANSWER + 1)
                await asyncio.sleep(began + (number + share) / load.pace - loop.time())
                turn = number if load.is_burst else number * MAILS_PER_ANSWER + at
                if at < MAILS_PER_ANSWER:
                    to = company.delegates[turn % OWNERS]
                    group.create_task(tenant.send_mail(to, "shop@elsewhere.example", "Offer", "Buy"))
                else:
                    body = {"sendResponse": True}
                    group.create_task(tenant.graph("POST", f"{path}/{way}", guest, body))


async def measure(stage: Stage, company: Company, load: Load, way: str) -> Measured:
    """Play a load and count what it cost."""
    await stage.tenant.advance(60)  # answers a minute apart are never taken for the same moment
    before = len(await stage.tenant.control("requests")), await _count(stage, "response.changed")
    confirmed = await _count(stage, "response.confirmed")
    await play(stage.tenant, company, load, way)

    async def is_told() -> bool:
        told = await _count(stage, "response.confirmed") - confirmed
        return told >= len(company.answers) and await stage.is_quiet()

    await wait_until(is_told, timeout_s=120, poll_s=0.2)
    asked = (await stage.tenant.control("requests"))[before[0] :]
    counted = [one for one in asked if one["caller"] == "app" and _counts(one)]
    return Measured(
        kinds=Counter(_kind(one) for one in counted),
        parts=sum(len(one["batch"]) for one in counted),
        changed=await _count(stage, "response.changed") - before[1],
    )


async def _count(stage: Stage, type_: str) -> int:
    return sum(one["type"] == f"responsesync.{type_}" for one in await stage.read_stream())


def _counts(request: dict[str, Any]) -> bool:
    return not any(word in f"{request['path']}?{request['query']}" for word in _LEFT_OUT)


def _kind(request: dict[str, Any]) -> str:
    path = str(request["path"]).rstrip("/")
    if path.endswith("$batch"):
        return "batch"
    return (
        "list" if path.endswith(("/messages", "/events")) else "message" if "/messages/" in path else "event"
    )


def make_key(path: Path) -> None:
    """Write a key with a self-signed certificate, as rich notifications need it."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    path.chmod(0o600)


async def run(arguments: argparse.Namespace) -> bool:
    """Measure every load; tells whether the promise is held."""
    promise = PROMISE_RICH if arguments.rich else PROMISE
    settings = {"RESPONSE_SYNC_SWEEP_INTERVAL_S": DAY_S, "RESPONSE_SYNC_LOG_LEVEL": "info"}
    if arguments.window is not None:
        settings["RESPONSE_SYNC_BATCH_WINDOW_S"] = str(arguments.window)
    is_held = True
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        if arguments.rich:
            make_key(directory / "keys.pem")
            settings["RESPONSE_SYNC_ENCRYPTION_KEY_FILE"] = str(directory / "keys.pem")
        owners = [_ADDRESS.format(name=f"owner{at}") for at in range(OWNERS)]
        async with open_stage(directory, owners=owners, **settings) as stage:
            company = await gather_company(stage.tenant, answers=arguments.answers)
            await stage.start_ready("serve")
            for turn, load in enumerate(LOADS):
                measured = await measure(stage, company, load, _WAYS[turn % len(_WAYS)])
                is_kept = measured.ratio <= promise
                is_held &= is_kept or not load.is_promised
                _tell(load, measured, "" if is_kept else f"  above {promise}")
    return is_held


def _tell(load: Load, measured: Measured, remark: str) -> None:
    kinds = ", ".join(f"{count} {kind}" for kind, count in measured.kinds.most_common()) or "none"
    parts = measured.parts / max(measured.kinds["batch"], 1)
    sys.stdout.write(
        f"{load.name:20} {measured.ratio:6.3f} requests per response.changed"
        f"  ({kinds}; {parts:.1f} parts in a batch; {measured.changed} changed){remark}\n"
    )
    sys.stdout.flush()


def main() -> int:
    """Measure, print, and tell by the exit code whether the promise is held."""
    parser = argparse.ArgumentParser(
        prog="bench.calls", description="Requests to Graph per published answer."
    )
    parser.add_argument("--answers", type=int, default=100, help="in each load (100)")
    parser.add_argument("--window", type=float, help="seconds of BATCH_WINDOW_S; the default otherwise")
    parser.add_argument("--rich", action="store_true", help="with rich notifications")
    return 0 if asyncio.run(run(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
