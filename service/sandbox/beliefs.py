"""What nobody outside Exchange could verify, as switches. Holds no behaviour of its own.

Every belief acts somewhere in the sandbox, so that whatever is built against it can be shown to be right in
every position. The defaults are what the public texts and samples suggest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SKEW_MAX_S: Final = 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """The positions of the switches; replace the whole value to turn one.

    Attributes:
        reset_on_reschedule: a new time puts every attendee's status back to `none` at year 1. Off: Exchange
            keeps the row from before the move.
        sequence_on_agenda_change: an update that leaves the time alone raises the appointment sequence too.
        external_not_tallied: answers from outside the tenant's domains reach the organizer as mail, and the
            event never shows them.
        received_representing: delegates' copies say for whom they were received (`String 0x5D08`, kin).
        legacy_dn: answers come from an Exchange address (`/O=EXCHANGELABS/...`), and the organizer's event
            grows a second row under that address.
        clock_skew_s: how far the clocks of those who answer are ahead (behind where negative), in seconds.
            They stamp the message; Exchange copies the stamp into the status.
        extended_in_subscriptions: the resource of a subscription may expand extended properties.
        event_before_message: the organizer's event shows an answer before the message lands; off: after.
        shared_ical_uid: an occurrence shows the iCalUId of its series; off: one with its date in it.
        null_ical_uid: the organizer's own events show no iCalUId at all, and cannot be found by one.
    """

    reset_on_reschedule: bool = True
    sequence_on_agenda_change: bool = True
    external_not_tallied: bool = True
    received_representing: bool = True
    legacy_dn: bool = False
    clock_skew_s: float = 0.0
    extended_in_subscriptions: bool = True
    event_before_message: bool = True
    shared_ical_uid: bool = False
    null_ical_uid: bool = False
