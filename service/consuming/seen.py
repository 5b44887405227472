"""Which updates were seen, by source: leaves out repeats, and notices what is missing. Does no I/O."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from service.consuming.update import WHOLE, Update


class Novelty(StrEnum):
    """What an update is to who reads it."""

    NEW = "new"
    REPEATED = "repeated"
    OUTDATED = "outdated"
    """Of an epoch that a higher one has replaced."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The last update seen of a source."""

    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Updates of one source that were trimmed before they were read.

    Attributes:
        instance: the occurrence's original date where it is one's source, else empty.
        missing: how many.
    """

    source: str
    owner: str
    meeting: str
    instance: str = WHOLE
    missing: int


@dataclass(slots=True)
class Seen:
    """The last update seen of each source.

    Attributes:
        sources_max: so many are remembered; those not heard of for longest are forgotten first, and of a
            forgotten one neither a repeat nor a gap is noticed.
    """

    sources_max: int = 100_000
    _positions: OrderedDict[str, Position] = field(default_factory=OrderedDict)

    def remember(self, positions: Mapping[str, Position]) -> None:
        """Begin with what was seen in an earlier life."""
        for source, position in positions.items():
            self._put(source, position)

    def positions(self) -> dict[str, Position]:
        """Give what was seen, by source: keep it beside what you make of the updates, in one transaction."""
        return dict(self._positions)

    def judge(self, update: Update) -> Novelty:
        """Tell whether an update is new; nothing is noted."""
        last = self._positions.get(update.source)
        if last is None or update.epoch > last.epoch:
            return Novelty.NEW
        if update.epoch < last.epoch:
            return Novelty.OUTDATED
        return Novelty.NEW if update.sequence > last.sequence else Novelty.REPEATED

    def find_gap(self, update: Update) -> Gap | None:
        """Tell what is missing before a new update; of a source never seen nothing is known to be missing."""
        last = self._positions.get(update.source)
        if last is None:
            return None
        expected = last.sequence + 1 if update.epoch == last.epoch else 1
        if update.sequence <= expected:
            return None
        return Gap(
            source=update.source,
            owner=update.owner,
            meeting=update.meeting,
            instance=update.instance,
            missing=update.sequence - expected,
        )

    def note(self, update: Update) -> None:
        """Note an update that was handled."""
        self._put(update.source, Position(update.epoch, update.sequence))

    def _put(self, source: str, position: Position) -> None:
        self._positions[source] = position
        self._positions.move_to_end(source)
        while len(self._positions) > self.sources_max:
            self._positions.popitem(last=False)
