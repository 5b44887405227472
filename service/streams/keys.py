"""Every key that the service keeps in Redis: its name, type, lifetime, writer and purpose. No I/O.

`KEYS` is the whole list; a test holds it against what a server really contains after other tests. Names of
one partition share the hash tag `{STREAM-p}` (`{STREAM}` where there is one partition), and so a cluster slot
with the update stream `STREAM-p`. Owners, meetings and event ids are foreign text: in a name they are
percent-encoded, so that they hold neither a colon nor a brace, and a long one is replaced by its digest.
Must never put a text into a name in any other way.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from service.ports import Book
from service.reconcile.model import Address, EventId, InstanceKey, MeetingKey, OwnerKey

LAYOUT_VERSION: Final = 1
"""Raised when names or shapes change, together with a migration."""
GROUP: Final = "workers"
"""The consumer group of the intake stream."""
KEEPER: Final = "keeper"
"""Name of the lease under which the keeper works."""
_ENCODED_MAX: Final = 200


class Lifetime(StrEnum):
    """When a key goes away by itself."""

    KEPT = "kept"
    """Stays, and holds a bounded number of things or what the operator put in."""
    DRAINED = "drained"
    """Stays; what is in it is taken out once it is dealt with."""
    TRIMMED = "trimmed"
    """Stays; its oldest entries are dropped beyond a length, and dead letters beyond an age."""
    MEETING = "meeting"
    """Expires some time after the meeting's end (`RETENTION_DAYS`); an endless series has no end."""
    VOUCHER = "voucher"
    """Expires by itself: once its notifications were judged within minutes, else after `TOKENS_KEPT_S`."""
    LEASE = "lease"
    """Expires by itself unless it is renewed, after seconds or minutes; marks of what ended after hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One kind of key.

    Attributes:
        pattern: the name; `STREAM` and `PARTITION` are given by the settings, `<...>` is encoded text.
        type: as Redis' TYPE tells it.
        writer: who writes it, by role or command.
    """

    pattern: str
    type: str
    lifetime: Lifetime
    writer: str
    purpose: str

    def matches(self, name: str, stream: str, partitions: int) -> bool:
        """Tell whether a name is one of this kind."""
        partition = re.escape(stream) + (r"-\d+" if partitions > 1 else "")
        pattern = re.escape(self.pattern).replace("PARTITION", partition).replace("STREAM", re.escape(stream))
        return re.fullmatch(re.sub("<[a-z ]+>", "[^:{}]*", pattern.replace(r"\ ", " ")), name) is not None


# fmt: off
KEYS: Final = (
    Key(pattern="PARTITION", type="stream", lifetime=Lifetime.TRIMMED, writer="worker: commit",
        purpose="the updates, read by consumers"),
    Key(pattern="STREAM:intake", type="stream", lifetime=Lifetime.DRAINED, writer="web, keeper, worker",
        purpose="all work to be done: notifications, what delta queries found, what came due"),
    Key(pattern="{STREAM:intake}:token:<digest>", type="string", lifetime=Lifetime.VOUCHER,
        writer="web", purpose="a validation token of rich notifications that are not judged yet"),
    Key(pattern="STREAM:dead", type="stream", lifetime=Lifetime.TRIMMED, writer="worker",
        purpose="entries that were given up, each with its reason"),
    Key(pattern="{STREAM}:layout", type="hash", lifetime=Lifetime.KEPT, writer="every role at start",
        purpose="layout version and PARTITIONS, so that a change of either is noticed"),
    Key(pattern="{STREAM}:book:<book>", type="hash", lifetime=Lifetime.KEPT, writer="keeper, `owners`",
        purpose="records by name: roster, watched owners, subscriptions, mailboxes"),
    Key(pattern="{STREAM}:counter:<book>", type="string", lifetime=Lifetime.KEPT, writer="keeper, `owners`",
        purpose="differs after every change of the book"),
    Key(pattern="{STREAM}:processes", type="hash", lifetime=Lifetime.LEASE, writer="every role",
        purpose="which processes live, and how each one does"),
    Key(pattern="{STREAM}:minute:<minute>", type="hash", lifetime=Lifetime.LEASE, writer="every role",
        purpose="what all processes counted in one minute, for the dashboard"),
    Key(pattern="{STREAM}:lease:<name>", type="string", lifetime=Lifetime.LEASE, writer="keeper, consumers",
        purpose="who holds the lease now"),
    Key(pattern="{STREAM}:fence:<name>", type="string", lifetime=Lifetime.KEPT, writer="keeper, consumers",
        purpose="the last fencing number given with the lease"),
    Key(pattern="{PARTITION}:generation", type="string", lifetime=Lifetime.KEPT, writer="keeper",
        purpose="there as long as the state is the one we wrote; scripts refuse without it"),
    Key(pattern="{PARTITION}:watermark", type="string", lifetime=Lifetime.KEPT, writer="keeper",
        purpose="rises while a keeper leads; lower than what was seen only where the state is an older one"),
    Key(pattern="{PARTITION}:newest", type="string", lifetime=Lifetime.KEPT, writer="worker: commit",
        purpose="the greatest version given to a meeting of the partition; a new epoch is greater"),
    Key(pattern="{PARTITION}:meeting:<owner>:<meeting>", type="hash", lifetime=Lifetime.MEETING,
        writer="worker: commit", purpose="joined facts, what was last said, version, epoch, sequences"),
    Key(pattern="{PARTITION}:meetings:<owner>", type="zset", lifetime=Lifetime.MEETING,
        writer="worker: commit", purpose="the owner's meetings by the time at which each is forgotten"),
    Key(pattern="{PARTITION}:event:<owner>:<event id>", type="string", lifetime=Lifetime.MEETING,
        writer="worker: commit",
        purpose="meeting and instance of an event id, or of `uid:` and what answers name"),
    Key(pattern="{PARTITION}:forgotten:<digest>", type="string", lifetime=Lifetime.LEASE, writer="keeper",
        purpose="an owner, as a digest, just taken off the roster (no commits for them) or put on it"),
    Key(pattern="{PARTITION}:gone:<digest>", type="string", lifetime=Lifetime.LEASE, writer="worker",
        purpose="an event, as a digest, that was not found: whoever holds it late looks again"),
    Key(pattern="{PARTITION}:due", type="zset", lifetime=Lifetime.DRAINED, writer="worker",
        purpose="retries, timers and looks by the time at which they come due"),
    Key(pattern="{PARTITION}:due-entries", type="hash", lifetime=Lifetime.DRAINED, writer="worker",
        purpose="the intake entry of each retry, timer and look, as JSON"),
)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNames:
    """Builds the names of one deployment.

    Attributes:
        stream: setting `STREAM`.
        partitions: setting `PARTITIONS`.

    Raises:
        ValueError: the stream's name is empty or holds a brace, or there is no partition.
    """

    stream: str
    partitions: int = 1

    def __post_init__(self) -> None:
        if not self.stream or "{" in self.stream or "}" in self.stream:
            raise ValueError("the name of the stream must not be empty and must hold no braces")
        if self.partitions < 1:
            raise ValueError("there must be at least one partition")

    # --- of the deployment ---

    @property
    def intake(self) -> str:
        return f"{self.stream}:intake"

    @property
    def dead(self) -> str:
        return f"{self.stream}:dead"

    @property
    def probe(self) -> str:
        """Name a key that is never made, in the slot of the intake stream: for finding out about writes."""
        return f"{{{self.intake}}}:probe"

    def token(self, digest: str) -> str:
        """Name a validation token, in the slot of the intake stream."""
        return f"{{{self.intake}}}:token:{encode_text(digest)}"

    @property
    def layout(self) -> str:
        return f"{{{self.stream}}}:layout"

    def book(self, book: Book) -> str:
        return f"{{{self.stream}}}:book:{encode_text(book)}"

    def counter(self, book: Book) -> str:
        return f"{{{self.stream}}}:counter:{encode_text(book)}"

    @property
    def processes(self) -> str:
        return f"{{{self.stream}}}:processes"

    def minute(self, minute: int) -> str:
        return f"{{{self.stream}}}:minute:{minute}"

    def lease(self, name: str) -> str:
        return f"{{{self.stream}}}:lease:{encode_text(name)}"

    def fence(self, name: str) -> str:
        return f"{{{self.stream}}}:fence:{encode_text(name)}"

    # --- of a partition ---

    def partition_of(self, owner: str) -> int:
        """Give the partition of an owner: the first 8 bytes of SHA-256, big-endian, modulo `partitions`."""
        return int.from_bytes(hashlib.sha256(_to_bytes(owner)).digest()[:8], "big") % self.partitions

    def updates(self, partition: int) -> str:
        return self.stream if self.partitions == 1 else f"{self.stream}-{partition}"

    def generation(self, partition: int) -> str:
        return f"{{{self.updates(partition)}}}:generation"

    def watermark(self, partition: int) -> str:
        return f"{{{self.updates(partition)}}}:watermark"

    def newest(self, partition: int) -> str:
        return f"{{{self.updates(partition)}}}:newest"

    def due(self, partition: int) -> str:
        return f"{{{self.updates(partition)}}}:due"

    def due_entries(self, partition: int) -> str:
        return f"{{{self.updates(partition)}}}:due-entries"

    def meeting_pattern(self, partition: int) -> str:
        """Give a glob pattern for SCAN that matches the state of every meeting of a partition."""
        return f"{escape_glob(f'{{{self.updates(partition)}}}:meeting:')}*"

    # --- of an owner ---

    def meeting(self, owner: OwnerKey, meeting: MeetingKey) -> str:
        return f"{self._of_owner('meeting', owner)}:{encode_text(meeting)}"

    def meetings(self, owner: OwnerKey) -> str:
        return self._of_owner("meetings", owner)

    def event(self, owner: OwnerKey, event: EventId) -> str:
        return f"{self._of_owner('event', owner)}:{encode_text(event)}"

    def forgotten(self, owner: OwnerKey) -> str:
        """Name the mark of an owner forgotten or admitted again, whom it must not name itself."""
        return self._of_digest("forgotten", owner, owner)

    def gone(self, owner: OwnerKey, event: EventId) -> str:
        """Name the mark of an event that was never read; it names neither the event nor the owner."""
        return self._of_digest("gone", owner, f"{owner}/{event}")

    def owner_patterns(self, owner: OwnerKey) -> tuple[str, ...]:
        """Give glob patterns for SCAN that together match every key whose name holds the owner."""
        names = (f"{self._of_owner(kind, owner)}:" for kind in ("meeting", "event"))
        return (*(f"{escape_glob(name)}*" for name in names), escape_glob(self.meetings(owner)))

    def _of_digest(self, kind: str, owner: OwnerKey, text: str) -> str:
        partition = self.updates(self.partition_of(owner))
        return f"{{{partition}}}:{kind}:{hashlib.sha256(_to_bytes(text)).hexdigest()}"

    def _of_owner(self, kind: str, owner: OwnerKey) -> str:
        return f"{{{self.updates(self.partition_of(owner))}}}:{kind}:{encode_text(owner)}"


# --- members of the due list ---


def name_retry(intake_id: str) -> str:
    """Name the retry of an intake entry: putting it off twice leaves one."""
    return f"retry:{intake_id}"


def name_timer(owner: OwnerKey, meeting: MeetingKey, instance: InstanceKey, attendee: Address) -> str:
    """Name a timer: setting it again replaces it."""
    return name_timers_of(owner) + ":".join(encode_text(part) for part in (meeting, instance, attendee))


def name_look(owner: OwnerKey, event: EventId) -> str:
    """Name one more reading of an event: setting it again replaces it."""
    return f"look:{encode_text(owner)}:{encode_text(event)}"


def name_timers_of(owner: OwnerKey) -> str:
    """Give what the names of all timers of an owner begin with."""
    return f"timer:{encode_text(owner)}:"


# --- foreign text ---


def encode_text(text: str) -> str:
    """Make foreign text part of a name: percent-encoded, a long one as `#` and its SHA-256 in hex.

    No encoded text begins with `#`, so a digest cannot be mistaken for a text.
    """
    encoded = quote(text, safe="", errors="surrogatepass")
    if len(encoded) <= _ENCODED_MAX:
        return encoded
    return "#" + hashlib.sha256(_to_bytes(text)).hexdigest()


def escape_glob(name: str) -> str:
    """Make a name match itself only where Redis takes a glob pattern."""
    return re.sub(r"([*?\[\]\\^-])", r"\\\1", name)


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
