"""A system as its processes would have left it in Redis, and the dashboard that shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from service.admin import AdminListener
from service.bootstrap.dashboard import build_dashboard
from service.bootstrap.deciding import build_committer
from service.bootstrap.redis_side import Streams, open_streams
from service.clock import SystemClock
from service.dashboard.routes import OPEN_PATHS
from service.entries import IntakeEntry, Kind, Origin
from service.metrics import Metrics
from service.ports import Book, Delivered
from service.pulse.counting import DELAY_PREFIX
from service.pulse.record import ProcessRecord, encode_process
from service.reconcile.model import Address, DateTimeTimeZone, EventFact, Fact, MailboxKey, MeetingKey
from service.roster import RosterEntry, WatchedOwner, encode_record
from service.settings import Scope, Secret, Settings, read_settings
from service.subscriptions.records import (
    Fault,
    FaultKind,
    MailboxRecord,
    OwnerProgress,
    SubscriptionRecord,
    encode,
    name_owner_progress,
)
from tests.unit.reconcile.build import OWNER, event, response, row

ALEX = WatchedOwner(
    key=OWNER,
    roster_address=Address("alexw@contoso.com"),
    address="AlexW@contoso.com",
    name="Alex Wilber",
    aliases=(Address("alexw@contoso.com"),),
    inboxes=(MailboxKey("adele"),),
    is_baselined=True,
)
NAMES = {
    "meganb@contoso.com": "Megan Bowen",
    "christiec@contoso.com": "Christie Cline",
    "<script>alert(1)</script>@contoso.com": "<img src=x onerror=alert(1)>",
}
MINUTES_AHEAD = 5
"""What is counted in these, too, so that every minute of the hour shown is one even when a test is slow."""
MARKUP = "<script>alert(1)</script>@contoso.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The dashboard of one deployment.

    Attributes:
        url: of its listener, without a slash at the end.
    """

    url: str
    settings: Settings
    streams: Streams

    async def commit(self, meeting: EventFact, *facts: Fact) -> None:
        """Let a worker take in what was read of a meeting."""
        committer = build_committer(self.settings, self.streams, SystemClock())
        await committer.commit(ALEX, meeting.meeting, [meeting, *facts])

    async def bury(self, item: str, reason: str, detail: str) -> None:
        """Give an entry up."""
        entry = IntakeEntry(kind=Kind.MESSAGE, origin=Origin.NOTIFICATION, mailbox="adele", item=item)
        fields = entry.to_fields() if item else {"nonsense": "yes"}
        await self.streams.dead_letters.add(
            Delivered(id="1-0", fields=fields, deliveries=4),
            reason=reason,
            detail=detail,
            at=datetime.now(UTC),
        )

    async def beat(
        self, name: str, roles: tuple[str, ...], *, minute: int | None = None, **counts: int
    ) -> None:
        """Let a process tell of itself, and of what it counted in a minute of the epoch, or in this one."""
        now = datetime.now(UTC)
        record = ProcessRecord(
            roles=roles,
            started_at=now - timedelta(hours=26),
            version="0.1.0",
            interval_s=600,
            in_flight=3 if "worker" in roles else 0,
            is_leader="keeper" in roles,
            clocks={"redis": 0.002},
        )
        maxima = {"lag_ms": counts.pop("lag_ms", 0)}
        await self.streams.pulse.beat(
            name,
            encode_process(record),
            minute=minute_of(now) if minute is None else minute,
            sums=counts,
            maxima=maxima,
        )


def build_meeting(key: str, subject: str, *rows: Any, hour: int = 9) -> EventFact:
    """Give a meeting of Alex' as read from the calendar."""
    named = [replace(each, name=NAMES.get(each.address, each.name)) for each in rows]
    read = event(100, *named)
    start = DateTimeTimeZone(date_time=f"2026-03-02T{hour:02d}:00:00.0000000", time_zone="UTC")
    return replace(
        read,
        meeting=MeetingKey(key),
        details=replace(read.details, subject=subject, ical_uid=key, start=start, end=start),
    )


def minute_of(at: datetime) -> int:
    return int(at.timestamp()) // 60


async def fill(stage: Stage) -> None:
    """Let a deployment have run for an hour: people have answered, some things went wrong."""
    await stage.streams.generation.ensure()
    await _watch(stage)
    lunch = build_meeting(
        "040000008200e00074c5b7101a82e008",
        "Let's go for lunch",
        row("christiec@contoso.com"),
        row("meganb@contoso.com", "accepted", 150),
        row(MARKUP),
    )
    answers = [
        response("christiec@contoso.com", "tentativelyAccepted", 200),
        response("meganb@contoso.com", "accepted", 150),
    ]
    await stage.commit(lunch, *(replace(one, meeting=lunch.meeting) for one in answers))
    review = build_meeting(
        "040000008200e00074c5b7101a82e009",
        "Budget review",
        row("meganb@contoso.com", "declined", 90),
        hour=14,
    )
    await stage.commit(review)
    # The walkthrough is long past, and so its grace periods are; a worker would have released their timers.
    await stage.streams.link.call("DEL", stage.streams.keys.due(0), stage.streams.keys.due_entries(0))
    present = minute_of(datetime.now(UTC))
    for ago in range(59, -MINUTES_AHEAD - 1, -1):
        wave, minute = (ago * 7) % 13, present - ago
        await stage.beat("web-7f4c-1", ("web",), minute=minute, stored=20 + wave)
        delays = {f"{DELAY_PREFIX}3": 12 + wave, f"{DELAY_PREFIX}5": wave // 4}
        throttled = 3 if 30 < ago < 36 else 0
        await stage.beat(
            "worker-9d2b-1",
            ("worker",),
            minute=minute,
            published=8 + wave // 2,
            graph=40 + 2 * wave,
            throttled=throttled,
            lag_ms=200 + 90 * wave + 2000 * throttled,
            **delays,
        )
    await stage.beat("keeper-0-1", ("keeper",))


async def _watch(stage: Stage) -> None:
    """Let the keeper have subscribed for one owner, and have failed for another."""
    now, records = datetime.now(UTC), stage.streams.records
    closed = replace(
        ALEX, key=type(OWNER)("lidia"), roster_address=Address("lidiah@contoso.com"),
        address="LidiaH@contoso.com", name="Lidia Holloway", aliases=(), inboxes=(MailboxKey("lidia"),),
    )  # fmt: skip
    words = (
        "Access denied (403 ErrorAccessDenied): give the application Mail.Read and Calendars.Read, and put "
        "this mailbox into the scope of its access policy or RBAC assignment."
    )
    fault = Fault(kind=FaultKind.ACCESS, words=words, attempts=4, since=now, retry_at=now)
    await records.write(
        Book.ROSTER,
        {
            one.roster_address: encode_record(RosterEntry(address=one.roster_address))
            for one in (ALEX, closed)
        },
    )
    await records.write(Book.OWNERS, {one.key: encode_record(one) for one in (ALEX, closed)})
    alive = SubscriptionRecord(
        id="s-1", expires_at=now + timedelta(days=6, hours=3), lifetime_s=600_000, created_at=now
    )
    await records.write(
        Book.SUBSCRIPTIONS,
        {
            "inbox/adele": encode(alive),
            f"calendar/{ALEX.key}": encode(replace(alive, id="s-2")),
            "calendar/lidia": encode(SubscriptionRecord(fault=fault)),
            "inbox/lidia": encode(SubscriptionRecord(fault=fault)),
        },
    )
    complete = encode(MailboxRecord(complete_at=now - timedelta(minutes=4), full_at=now - timedelta(hours=5)))
    progress = {
        name_owner_progress(one.roster_address): encode(OwnerProgress(added_at=now, key=one.key))
        for one in (ALEX, closed)
    }
    await records.write(
        Book.MAILBOXES, {"inbox/adele": complete, f"calendar/{ALEX.key}": complete, **progress}
    )
    heard = (now - timedelta(seconds=40)).isoformat().replace("+00:00", "Z")
    await records.write(Book.NOTIFIED, {"s-1": heard, "s-2": heard})


@asynccontextmanager
async def open_stage(redis_url: str, prefix: str, *, token: str = "", **changes: Any) -> AsyncIterator[Stage]:
    """Serve the dashboard of a deployment of its own."""
    made: dict[str, Any] = {
        "redis_url": Secret(redis_url),
        "stream": prefix,
        "secret_key": Secret("k" * 40),
        "admin_token": Secret(token),
        "dashboard_interval_s": 0.1,
        **changes,
    }
    settings = read_settings(Scope.REDIS, env_file=None, **made)
    async with open_streams(settings) as streams:
        dashboard = build_dashboard(settings, streams)
        listener = AdminListener(
            host="127.0.0.1",
            port=0,
            token=token,
            probes={},
            metrics=Metrics(),
            routes=dashboard.list_routes(),
            sessions=dashboard.sessions if token else None,
            open_paths=OPEN_PATHS,
        )
        await listener.start()
        try:
            yield Stage(url=f"http://127.0.0.1:{listener.port}", settings=settings, streams=streams)
        finally:
            await dashboard.close()
            await listener.stop()
