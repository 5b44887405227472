"""Takes facts to the state of one meeting and its updates to the stream, in one atomic step.

A lost race is joined again, never overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from service.clock import Clock
from service.cloud_events import Redactor, build_fields
from service.errors import ConflictingVersionError, StreamError
from service.ports import Commit, OutgoingUpdate, StateStore, StoredMeeting, TimerChange
from service.reconcile.decide import Decision, DecisionLimits, Timer, decide
from service.reconcile.emit import Said
from service.reconcile.model import (
    WHOLE,
    EventFact,
    EventId,
    Fact,
    InstanceKey,
    MeetingKey,
    OwnerKey,
    Pair,
)
from service.reconcile.state import MeetingState, decode_state, encode_state
from service.reconcile.told import ToldMeeting
from service.roster import WatchedOwner
from service.tracing.spans import UNTRACED, SpanName, Tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitLimits:
    """Bounds of committing.

    Attributes:
        races_max: how often a lost race is joined again before the entry is retried later.
        look_again_s: when an event is read once more of which only an answer told; by then two sweeps of its
            calendar have begun, so whatever happens later is told by them.
    """

    races_max: int = 20
    look_again_s: float = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a commit did.

    Attributes:
        before: the state that the facts joined.
        decision: what was decided from it.
        stream_ids: of the updates, in order; empty where nothing was said.
    """

    before: MeetingState
    decision: Decision
    stream_ids: tuple[str, ...]

    @property
    def said(self) -> tuple[Said, ...]:
        return self.decision.said


class Committer:
    """Joins, derives, and commits; used by the worker and by the commands that publish."""

    def __init__(
        self,
        states: StateStore,
        clock: Clock,
        *,
        decision_limits: DecisionLimits,
        commit_limits: CommitLimits | None = None,
        redactor: Redactor | None = None,
        tracing: Tracing = UNTRACED,
        on_conflict: Callable[[], None] = lambda: None,
    ) -> None:
        self._states = states
        self._clock = clock
        self._decision_limits = decision_limits
        self._limits = commit_limits or CommitLimits()
        self._redactor = redactor or Redactor()
        self._tracing = tracing
        self._on_conflict = on_conflict

    async def commit(
        self,
        owner: WatchedOwner,
        meeting: MeetingKey,
        facts: Iterable[Fact] = (),
        *,
        is_baseline: bool = False,
        with_snapshot: bool = False,
        look_again: Collection[EventId] = (),
        traceparent: str = "",
        stored: StoredMeeting | None = None,
    ) -> Outcome:
        """Join facts with what is held of the meeting and publish what consumers do not hold yet.

        Args:
            facts: all of this owner and meeting.
            with_snapshot: say everything once more.
            look_again: events to be read once more, later.
            traceparent: of the step before; updates carry the commit's, which follows it.
            stored: what was just read of the meeting; it is read again where somebody committed since.

        Raises:
            StreamError: Redis refused, or every race was lost.
        """
        facts = tuple(facts)
        for _ in range(self._limits.races_max):
            with self._tracing.span(SpanName.DERIVE, parent=traceparent) as span:
                stored = stored or await self._states.read(owner.key, meeting)
                before = decode_state(stored.fields)
                is_untold = _is_of_older_state(stored)
                now = self._clock.now()
                decision = decide(
                    replace(before, told=ToldMeeting()) if is_untold else before,
                    facts,
                    now=now,
                    limits=self._decision_limits,
                    is_baseline=is_baseline or is_untold,
                    with_snapshot=with_snapshot,
                )
                span.tell({"response_sync.facts": len(facts)})
            try:
                with self._tracing.span(SpanName.COMMIT, parent=traceparent) as span:
                    commit = self._build_commit(
                        owner=owner,
                        meeting=meeting,
                        stored=stored,
                        decision=decision,
                        facts=facts,
                        look_again=look_again,
                        trace=span.traceparent,
                        now=now,
                    )
                    span.tell({"response_sync.updates": len(decision.said)})
                    stream_ids = () if commit is None else (await self._states.commit(commit)).stream_ids
            except ConflictingVersionError:
                self._on_conflict()
                stored = None
                continue
            return Outcome(before=before, decision=decision, stream_ids=stream_ids)
        raise StreamError(f"lost {self._limits.races_max} races for one meeting")

    def _build_commit(
        self,
        *,
        owner: WatchedOwner,
        meeting: MeetingKey,
        stored: StoredMeeting,
        decision: Decision,
        facts: tuple[Fact, ...],
        look_again: Collection[EventId],
        trace: str,
        now: datetime,
    ) -> Commit | None:
        """Give the commit that brings the stored state to the decided one; None where nothing changes."""
        after = encode_state(decision.state)
        changed = {name: text for name, text in after.items() if stored.fields.get(name) != text}
        dropped = tuple(name for name in stored.fields if name not in after)
        if not (changed or dropped or decision.said or decision.timers):
            return None
        looked_at = now + timedelta(seconds=self._limits.look_again_s)
        return Commit(
            owner=owner.key,
            meeting=meeting,
            expected_version=stored.version,
            set_fields=changed,
            drop_fields=dropped,
            updates=[self._outgoing(said, decision, owner, meeting, trace) for said in decision.said],
            timers=[self._timer_change(timer, now) for timer in decision.timers],
            looks=dict.fromkeys(look_again, looked_at),
            event_ids=_event_ids(facts),
            expires_at=decision.expires_at,
        )

    def _outgoing(
        self, said: Said, decision: Decision, owner: WatchedOwner, meeting: MeetingKey, trace: str
    ) -> OutgoingUpdate:
        fields = build_fields(
            said,
            decision.derived.instances[said.instance],
            owner=owner,
            meeting=meeting,
            traceparent=trace,
            redactor=self._redactor,
        )
        return OutgoingUpdate(instance=said.instance, fields=fields)

    def _timer_change(self, timer: Timer, now: datetime) -> TimerChange:
        if timer.pair is None:
            return TimerChange(instance=timer.instance, attendee=timer.attendee, due_at=None)
        due_at = now + timedelta(seconds=self._decision_limits.grace_s)
        return TimerChange(
            instance=timer.instance, attendee=timer.attendee, due_at=due_at, pair=encode_pair(timer.pair)
        )


def _is_of_older_state(stored: StoredMeeting) -> bool:
    """Tell whether the epoch ended although facts stand: of the next one, nobody has been told anything."""
    return bool(stored.fields) and stored.epoch is None


_PAIR: Final = msgspec.json.Decoder(Pair)


def encode_pair(pair: Pair) -> str:
    """Give the text in which a timer carries its pair."""
    return msgspec.json.encode(pair).decode()


def decode_pair(text: str) -> Pair:
    """Read a pair back.

    Raises:
        msgspec.DecodeError: the text is none.
    """
    return _PAIR.decode(text)


async def read_state(states: StateStore, owner: OwnerKey, meeting: MeetingKey) -> MeetingState:
    """Give what is held of a meeting; an empty state where there is nothing."""
    return decode_state((await states.read(owner, meeting)).fields)


def name_answered(meeting: MeetingKey) -> EventId:
    """Give the name under which it is noted which meeting answers with this global object id are for.

    It stands among the event ids of the meeting and lives as long as they do.
    """
    return EventId(f"uid:{meeting}")


def _event_ids(facts: tuple[Fact, ...]) -> Mapping[EventId, InstanceKey]:
    """Give the ids of the events, and what answers name where that is not the key of the meeting."""
    events = [fact for fact in facts if isinstance(fact, EventFact)]
    return {
        **{fact.details.id: fact.instance for fact in events},
        **{name_answered(fact.answered_as): WHOLE for fact in events if fact.answered_as is not None},
    }
