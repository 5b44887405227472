"""What consumers hold: the last thing said of each attendee at each source. Written by `emit.py` alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from service.reconcile.model import WHOLE, Address, AttendeeType, InstanceKey, ResponseValue, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAttendee:
    """P: what a consumer holds of one attendee at one source.

    Attributes:
        is_present: false once a removal was told.
        standing: confirmed or conflicting if that was said since the value was last told, else empty.
        proposal: span of the proposal last told, in ns; None where there is none.
        name, type: as last published, for the entry that tells of a removal.
    """

    is_present: bool
    value: ResponseValue
    standing: str = ""
    proposal: tuple[int, int] | None = None
    name: str = ""
    type: AttendeeType = AttendeeType.REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldInstance:
    """What was told of one source.

    Attributes:
        ending: `cancelled` or `deleted` once that was told; everybody was dropped with it.
        slot: where a consumer holds the meeting to be; None where nothing was said of it.
        is_detached: came back after an ending: nobody of the series is known here any more.
        is_moved: its own move was told: what was said of the series' proposals and standings is void here.
    """

    ending: str = ""
    slot: Slot | None = None
    is_detached: bool = False
    is_moved: bool = False
    attendees: dict[Address, ToldAttendee] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldMeeting:
    """What was told of a meeting, by source."""

    instances: dict[InstanceKey, ToldInstance] = field(default_factory=dict)

    def instance(self, key: InstanceKey) -> ToldInstance:
        return self.instances.get(key, ToldInstance())

    def with_instance(self, key: InstanceKey, told: ToldInstance) -> ToldMeeting:
        return replace(self, instances={**self.instances, key: told})

    def held(self, key: InstanceKey, person: Address) -> ToldAttendee | None:
        """Give what a consumer holds: the source's own entry, a removal too, else the series'."""
        instance = self.instance(key)
        own = instance.attendees.get(person)
        if own is not None or instance.is_detached or instance.ending:
            return own
        of_series = self.instance(WHOLE).attendees.get(person)
        if of_series is None or not instance.is_moved:
            return of_series
        return replace(of_series, standing="", proposal=None)
