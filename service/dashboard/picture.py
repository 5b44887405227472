"""The whole system as plain data for the page *Now*. Pure: what was observed in, JSON out.

Ages are given as points in time, so that a picture in which nothing happens stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from service.cloud_events import Redacted, Redactor
from service.dashboard.hiding import hide_addresses
from service.dashboard.trouble import Trouble
from service.dashboard.troubles import Observed, find_troubles
from service.pulse.counting import find_quantile_s
from service.pulse.reading import Minute, Process
from service.reconcile.model import Address
from service.sign_ins.record import SignInStatus
from service.subscriptions.status import KeeperStatus, OwnerStatus, ResourceStatus

Shown = dict[str, Any]
_MS_PER_S: Final = 1_000
_STEP_S: Final = 10
_COUNTED: Final = ("stored", "refused", "published", "processed", "retried", "dead", "graph", "throttled")
_STATES: Final = ("faulty", "silent", "waiting", "deleted", "watched")
_ENTRIES: Final = {"inbox": "inbox", "calendar": "calendar", "mailbox-messages": "mailbox"}


def build_picture(
    seen: Observed, *, redactor: Redactor, rows_max: int, positions: Mapping[str, str]
) -> Shown:
    """Give everything that the page shows.

    Args:
        rows_max: mailboxes listed, the worst first.
        positions: stream -> id of its last update: a page that shows a meeting reads it anew when it moves.
    """
    seen = replace(seen, status=redact_status(seen.status, redactor))
    at = datetime.fromtimestamp(seen.now_s // _STEP_S * _STEP_S, UTC)
    mailboxes = sorted((_mailbox(one, seen) for one in seen.status.resources), key=_badness)
    return {
        "at": _text(at),
        "troubles": [_trouble(one) for one in find_troubles(seen)],
        "minutes": [_minute(one) for one in seen.vitals.minutes],
        "processes": [_process(one) for one in seen.vitals.processes],
        "mailboxes": mailboxes[:rows_max],
        "mailboxesTotal": len(mailboxes),
        "ownersTotal": len(seen.status.owners),
        "ownersReady": _count_ready(seen.status),
        "intake": {
            "entries": seen.depth.entries,
            "pending": seen.depth.pending,
            "oldestAt": _of_ms(seen.depth.oldest_ms),
            "due": seen.depth.due,
            "dead": seen.depth.dead,
        },
        "redis": {
            "product": seen.redis.product,
            "version": ".".join(map(str, seen.redis.version)),
            "usedMb": round(seen.redis.used_bytes / 1_000_000),
            "limitMb": round(seen.redis.limit_bytes / 1_000_000),
        },
        "updates": dict(positions),
    }


def build_outage(trouble: Trouble) -> Shown:
    """Give what the page shows while nothing can be seen."""
    return {"at": None, "troubles": [_trouble(trouble)]}


def encode_picture(shown: Shown) -> bytes:
    """Give it as one line of JSON."""
    return msgspec.json.encode(shown)


def redact_status(status: KeeperStatus, redactor: Redactor) -> KeeperStatus:
    """Replace addresses and names where REDACT says so."""
    if Redacted.ADDRESSES not in redactor.what:
        return status
    return KeeperStatus(
        owners=tuple(_redact_owner(one, redactor) for one in status.owners),
        resources=tuple(_redact_resource(one, redactor) for one in status.resources),
        sign_ins=tuple(_redact_sign_in(one, redactor) for one in status.sign_ins),
    )


def _redact_sign_in(one: SignInStatus, redactor: Redactor) -> SignInStatus:
    address = one.sign_in.address
    shown = redactor.apply(Redacted.ADDRESSES, address) or ""
    sign_in = replace(one.sign_in, address=shown, name="", aliases=())
    return replace(one, sign_in=sign_in, words=hide_addresses(one.words, redactor))


def _redact_owner(owner: OwnerStatus, redactor: Redactor) -> OwnerStatus:
    address = redactor.apply(Redacted.ADDRESSES, owner.roster_address) or ""
    name = redactor.apply(Redacted.ADDRESSES, owner.name) or ""
    fault = hide_addresses(owner.fault, redactor)
    return replace(owner, roster_address=Address(address), name=name, fault=fault)


def _redact_resource(resource: ResourceStatus, redactor: Redactor) -> ResourceStatus:
    kind, _, key = resource.name.partition("/")
    if "@" in key:  # the key of a mailbox is its address where the directory may not be read
        key = redactor.apply(Redacted.ADDRESSES, key) or ""
    mailbox = resource.mailbox
    if "@" in mailbox:
        mailbox = redactor.apply(Redacted.ADDRESSES, mailbox) or ""
    owners = tuple(redactor.apply(Redacted.ADDRESSES, one) or "" for one in resource.owners)
    faults = tuple(hide_addresses(words, redactor) for words in resource.faults)
    waits_for = hide_addresses(resource.waits_for, redactor)
    notices = tuple(hide_addresses(words, redactor) for words in resource.notices)
    return replace(
        resource,
        name=f"{kind}/{key}",
        mailbox=mailbox,
        owners=owners,
        faults=faults,
        waits_for=waits_for,
        notices=notices,
    )


def _count_ready(status: KeeperStatus) -> int:
    """Count the owners whose calendar is watched as it should be."""
    faulty = {one.name for one in status.resources if one.faults}
    return sum(
        one.is_baselined and not one.fault and f"calendar/{one.key}" not in faulty for one in status.owners
    )


def _trouble(one: Trouble) -> Shown:
    return {
        "state": str(one.state),
        "subject": one.subject,
        "words": one.words,
        "remedy": one.remedy,
        "runbook": one.runbook,
    }


def _minute(one: Minute) -> Shown:
    counts = one.counts
    return {
        "at": _text(datetime.fromtimestamp(one.minute * 60, UTC)),
        **{name: counts.get(name, 0) for name in _COUNTED},
        "lagS": counts.get("lag_ms", 0) / _MS_PER_S,
        "waiting": counts.get("waiting", 0),
        "delayP50S": find_quantile_s(counts, 0.5),
        "delayP95S": find_quantile_s(counts, 0.95),
    }


def _process(one: Process) -> Shown:
    record = one.record
    return {
        "name": one.name,
        "roles": list(record.roles),
        "version": record.version,
        "startedAt": _text(record.started_at.replace(microsecond=0)),
        "alive": one.is_alive,
        "heardAt": None if one.is_alive else _text(one.heard_at.replace(microsecond=0)),
        "leader": record.is_leader,
        "inFlight": record.in_flight,
        "unready": record.unready,
    }


def _mailbox(one: ResourceStatus, seen: Observed) -> Shown:
    kind = one.name.partition("/")[0]
    complete_at = None
    if one.staleness_s is not None:
        complete_at = seen.vitals.at - timedelta(seconds=one.staleness_s)
    return {
        "kind": _ENTRIES.get(kind, kind),
        "mailbox": one.mailbox,
        "owners": [owner for owner in one.owners if owner != one.mailbox],
        "state": _judge(one),
        "endsAt": _whole(one.expires_at) if one.left_s > 0 else None,
        "heardAt": _whole(one.heard_at),
        "completeAt": _whole(complete_at),
        "round": {"full": one.is_full_round, "pages": one.pages, "items": one.items} if one.pages else None,
        "words": "; ".join(one.faults) or one.waits_for.partition(": ")[2],
    }


def _judge(one: ResourceStatus) -> str:
    if one.faults:
        return "faulty"
    if one.is_silent:
        return "silent"
    if one.deleted_at is not None:
        return "deleted"
    return "waiting" if one.waits_for else "watched"


def _badness(shown: Shown) -> tuple[int, str, str]:
    return _STATES.index(shown["state"]), shown["mailbox"].casefold(), shown["kind"]


def _of_ms(ms: int | None) -> str | None:
    return None if ms is None else _text(datetime.fromtimestamp(ms / _MS_PER_S, UTC))


def _whole(moment: datetime | None) -> str | None:
    """Give a moment to the second: less would make every picture a new one."""
    return None if moment is None else _text(moment.astimezone(UTC).replace(microsecond=0))


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
