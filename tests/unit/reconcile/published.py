"""Commits facts and publishes what is said as entries of the stream, read back as a consumer reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from service.cloud_events import Redactor, build_fields
from service.reconcile.attendee import DerivedAttendee
from service.reconcile.decide import Decision, DecisionLimits, decide
from service.reconcile.derive import DerivedInstance, DerivedMeeting
from service.reconcile.journal import Journal
from service.reconcile.model import WHOLE, Address, Fact, InstanceKey, MailboxKey
from service.reconcile.state import MeetingState, decode_state, encode_state
from service.roster import WatchedOwner
from tests.reference.builders import MEETING, OWNER
from tests.reference.consumer import Fold, Said
from tests.reference.derived import Answer, Derived, Ending, Standing, State
from tests.reference.histories import TOLERANCE_S
from tests.reference.promises import assert_fold_is_derived, assert_stream_is_sound

NOW = datetime(2026, 3, 9, tzinfo=UTC)
LIMITS = DecisionLimits(tolerance_s=TOLERANCE_S)
ENDINGS = {"": None, "cancelled": Ending.CANCELLED, "deleted": Ending.GONE}
ALEX = WatchedOwner(
    key=OWNER,
    roster_address=Address("alex@example.com"),
    address="alex@example.com",
    name="Alex",
    aliases=(Address("alex@example.com"),),
    inboxes=(MailboxKey("adele"),),
    is_baselined=True,
)


class Stream:
    """One meeting as it is committed and published.

    Attributes:
        entries: the flat fields of every entry, in order.
    """

    def __init__(self, limits: DecisionLimits = LIMITS) -> None:
        self.entries: list[dict[str, str]] = []
        self.state = MeetingState()
        self._limits = limits
        self._sequences: dict[InstanceKey, int] = defaultdict(int)

    def commit(
        self, facts: Sequence[Fact], *, is_baseline: bool = False, with_snapshot: bool = False
    ) -> Decision:
        """Commit once, through the stored form of the state; promise (a) is asserted each time."""
        stored = decode_state(encode_state(self.state))
        decision = decide(
            stored,
            facts,
            now=NOW,
            limits=self._limits,
            is_baseline=is_baseline,
            with_snapshot=with_snapshot,
        )
        self.state = decision.state
        for said in decision.said:
            fields = build_fields(
                said,
                decision.derived.instances[said.instance],
                owner=ALEX,
                meeting=MEETING,
                traceparent="",
                redactor=Redactor(),
            )
            self._sequences[said.instance] += 1
            number = self._sequences[said.instance]
            self.entries.append({**fields, "epoch": "1", "sequence": f"{number:020d}", "id": f"1-{number}"})
        assert_fold_is_derived(Fold(self.told), as_reference(decision.derived))
        return decision

    def commit_all(self, batches: Iterable[Sequence[Fact]], *, is_baseline: bool = False) -> None:
        """Commit batch after batch; a commit without news must say nothing."""
        for number, batch in enumerate(batches):
            self.commit(batch, is_baseline=is_baseline and number == 0)
            assert self.commit(()).said == ()

    @property
    def told(self) -> list[Said]:
        """Give what a consumer reads."""
        return [entry.said for entry in assert_stream_is_sound(self.entries)]

    def journal(self, instance: InstanceKey, person: Address) -> Journal:
        return self.state.journals.get((instance, person), Journal())


def as_reference(derived: DerivedMeeting) -> Derived:
    """Give what is so in the reference's words; of an ended meeting its occurrences have ended too."""
    whole = derived.instances.get(WHOLE)
    states: Mapping[InstanceKey, State] = {
        key: _state(instance) for key, instance in derived.instances.items()
    }
    return Derived(at={WHOLE: states[WHOLE]} if whole is not None and whole.ending else states)


def _state(instance: DerivedInstance) -> State:
    return State(
        ending=ENDINGS[instance.ending],
        slot=instance.slot,
        place=instance.place,
        people={person: _answer(each) for person, each in instance.attendees.items()},
    )


def _answer(attendee: DerivedAttendee) -> Answer:
    return Answer(
        value=attendee.value,
        at_ns=None if attendee.at is None else attendee.at.ns,
        standing=Standing(attendee.standing),
        overdue=attendee.is_overdue,
        proposal=None if attendee.proposal is None else attendee.proposal.span,
        own=attendee.is_own,
        type=attendee.row.type,
        message=None,
        row=attendee.row,
        decided_by=None,
        waits=attendee.open_pair,
    )
