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

With `--series` all meetings are weekly and one occurrence of each was moved; by turns a whole series, an
occurrence and the moved one are answered.

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
from datetime import UTC, date, datetime, timedelta
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
MOVED_WEEK: Final = 1
WEEKS: Final = 4
FIRST_DAY: Final = datetime.now(UTC).date() + timedelta(days=30)
"""Within the window of sweeps, so that every meeting is known before it is answered."""
DAY_S: Final = "86400"
_WEEKLY: Final = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": [f"{FIRST_DAY:%A}".lower()]},
    "range": {"type": "numbered", "startDate": FIRST_DAY.isoformat(), "numberOfOccurrences": WEEKS},
}
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


async def gather_company(tenant: Tenant, *, answers: int, is_series: bool) -> Company:
    """Add owners, delegates and guests, and let each owner invite all guests to one meeting."""
    delegates = [await _add(tenant, f"delegate{at}") for at in range(OWNERS)]
    owners = [await _add(tenant, f"owner{at}", delegates=[delegates[at].address]) for at in range(OWNERS)]
    guests = [await _add(tenant, f"guest{at}") for at in range(-(-answers // OWNERS))]
    uids = [await _invite(tenant, owner, guests, is_series=is_series) for owner in owners]
    planned = []
    for guest in guests:
        page = await tenant.graph("GET", "/me/calendar/events?$top=200", guest)
        ids = {one["iCalUId"]: one["id"] for one in page["value"]}
        for turn, uid in enumerate(uids):
            week = (None, 0, MOVED_WEEK)[turn % 3] if is_series else None
            planned.append((guest, await _find_part(tenant, guest, ids[uid], week)))
    return Company(delegates=delegates, answers=planned[:answers])


async def _add(tenant: Tenant, name: str, **more: Any) -> Person:
    return await tenant.add_user(name, _ADDRESS.format(name=name), **more)


async def _invite(tenant: Tenant, owner: Person, guests: Sequence[Person], *, is_series: bool) -> str:
    """Let an owner invite all guests to a meeting; gives its iCalUId."""
    body = _meeting(guests) | ({"recurrence": _WEEKLY} if is_series else {})
    made = await tenant.create_meeting(owner, owner, body)
    if is_series:
        moved = await _find_part(tenant, owner, made["id"], MOVED_WEEK)
        await tenant.graph("PATCH", moved, owner, _times(FIRST_DAY + timedelta(weeks=MOVED_WEEK), hour=14))
    return str(made["iCalUId"])


async def _find_part(tenant: Tenant, person: Person, event: str, week: int | None) -> str:
    """Give the path of an event, or of one occurrence in the given week of the series."""
    path = f"/me/events/{quote(event, safe='')}"
    if week is None:
        return path
    edges = FIRST_DAY - timedelta(days=2), FIRST_DAY + timedelta(weeks=WEEKS)
    days = "startDateTime={}T00:00:00Z&endDateTime={}T00:00:00Z".format(*edges)
    page = await tenant.graph("GET", f"{path}/instances?{days}", person)
    occurrences = sorted(page["value"], key=lambda one: str(one["originalStart"]))
    return f"/me/events/{quote(occurrences[week]['id'], safe='')}"


def _meeting(guests: Sequence[Person]) -> dict[str, Any]:
    invited = [{"emailAddress": {"address": one.address, "name": one.name}} for one in guests]
    attendees = [{**one, "type": "required"} for one in invited]
    return {"subject": "Load", **_times(FIRST_DAY, hour=10), "attendees": attendees}


def _times(day: date, *, hour: int) -> dict[str, Any]:
    spelt = {"start": f"{day}T{hour}:00:00", "end": f"{day}T{hour + 1}:00:00"}
    return {edge: {"dateTime": time, "timeZone": "UTC"} for edge, time in spelt.items()}


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
            company = await gather_company(
                stage.tenant, answers=arguments.answers, is_series=arguments.series
            )
            await stage.start_ready("serve")
            await wait_until(stage.is_quiet, timeout_s=120, poll_s=0.2)  # what was there at the start
            chosen = [load for load in LOADS if arguments.loads in load.name]
            for turn, load in enumerate(chosen):
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
    parser.add_argument("--series", action="store_true", help="weekly meetings with an exception each")
    parser.add_argument("--loads", default="", help="only loads whose name holds this")
    return 0 if asyncio.run(run(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
