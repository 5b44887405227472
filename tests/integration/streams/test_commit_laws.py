"""Laws of committing over any history: what Redis holds is what a plain model of it holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import ConflictingVersionError, GenerationMissingError
from service.ports import Commit, OutgoingUpdate, TimerChange
from service.reconcile.model import Address, EventId, InstanceKey, MeetingKey, OwnerKey
from tests.integration.streams.conftest import NEXT_MONTH, Streams, build_commit

# Redis keeps bytes: every text that UTF-8 can say is kept as it is.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = TEXTS.filter(lambda name: not name.startswith("@"))
FEW = st.sampled_from(["", "2026-12-01", "a:b", "{x}", "é"])
OWNERS = st.sampled_from(["o", "o:p", "{o}"])
MEETINGS = st.sampled_from(["m", "p:m", "%7B"])


@dataclass
class Model:
    """What must be held of one meeting."""

    fields: dict[str, str] = field(default_factory=dict)
    version: int = 0
    epoch: int | None = None
    events: dict[str, str] = field(default_factory=dict)
    sequences: Counter[str] = field(default_factory=Counter)

    def end_epoch(self) -> None:
        """Begin anew with the next commit, as after the generation was lost and made again."""
        self.epoch = None
        self.sequences.clear()


@dataclass(frozen=True)
class Step:
    """One attempt to commit.

    Attributes:
        is_stale: derived from an older version than the last.
        is_lost: the generation is missing while it runs.
    """

    commit: Commit
    is_stale: bool
    is_lost: bool


@st.composite
def steps(draw: st.DrawFn) -> Step:
    instances = draw(st.lists(FEW, max_size=4))
    attendees = draw(st.lists(FEW, max_size=3, unique=True))
    commit = build_commit(
        owner=OwnerKey(draw(OWNERS)),
        meeting=MeetingKey(draw(MEETINGS)),
        set_fields=draw(st.dictionaries(NAMES, TEXTS, max_size=5)),
        drop_fields=draw(st.lists(NAMES, max_size=3)),
        updates=[
            OutgoingUpdate(instance=InstanceKey(instance), fields={"type": "x", "source": instance})
            for instance in instances
        ],
        timers=[
            TimerChange(
                instance=InstanceKey(""),
                attendee=Address(attendee),
                due_at=draw(st.sampled_from([NEXT_MONTH, None])),
            )
            for attendee in attendees
        ],
        event_ids={
            EventId(k): InstanceKey(v) for k, v in draw(st.dictionaries(TEXTS, FEW, max_size=3)).items()
        },
        expires_at=draw(st.sampled_from([NEXT_MONTH, None])),
    )
    return Step(
        commit, draw(st.sampled_from([False] * 4 + [True])), draw(st.sampled_from([False] * 9 + [True]))
    )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(steps(), min_size=1, max_size=12))
async def test_any_history_of_commits_leaves_what_the_model_holds(
    streams: Streams, history: list[Step]
) -> None:
    await _start_afresh(streams)
    models: dict[tuple[str, str], Model] = {}
    timers: set[tuple[str, str, str]] = set()
    published: list[dict[str, str]] = []
    for step in history:
        model = models.setdefault((step.commit.owner, step.commit.meeting), Model())
        if await _apply(streams, step, model, published):
            _set_timers(timers, step.commit)
        elif step.is_lost:
            for one in models.values():
                one.end_epoch()
    for (owner, meeting), model in models.items():
        stored = await streams.states.read(OwnerKey(owner), MeetingKey(meeting))
        assert (stored.fields, stored.version, stored.epoch) == (model.fields, model.version, model.epoch)
    for owner in {owner for owner, _ in models}:
        await _check_owner(streams, OwnerKey(owner), models)
    assert await streams.published() == published
    assert await streams.due_list.count() == len(timers)


async def _start_afresh(streams: Streams) -> None:
    for owner in ("o", "o:p", "{o}"):
        await streams.states.forget_owner(OwnerKey(owner), fence=1)
        await streams.states.admit_owner(OwnerKey(owner), fence=1)
    await streams.link.call("DEL", streams.keys.updates(0))


async def _apply(streams: Streams, step: Step, model: Model, published: list[dict[str, str]]) -> bool:
    """Try one commit on the server and on the model; tells whether it was done."""
    version = model.version - 1 if step.is_stale else model.version
    commit = build_commit(
        version,
        **{name: getattr(step.commit, name) for name in Commit.__slots__ if name != "expected_version"},
    )
    if step.is_lost:
        await streams.link.call("DEL", streams.keys.generation(0))
    try:
        committed = await streams.states.commit(commit)
    except GenerationMissingError:
        assert step.is_lost
        await streams.generation.ensure()
        return False
    except ConflictingVersionError:
        assert step.is_stale
        return False
    assert not step.is_lost
    assert not step.is_stale
    assert committed.version > model.version
    assert model.epoch in (None, committed.epoch)
    model.version, model.epoch = committed.version, committed.epoch
    for name in commit.drop_fields:
        model.fields.pop(name, None)
    model.fields.update(commit.set_fields)
    model.events.update({str(event): str(at) for event, at in commit.event_ids.items()})
    for update in commit.updates:
        model.sequences[update.instance] += 1
        number = model.sequences[update.instance]
        given = {"epoch": str(model.epoch), "sequence": f"{number:020}", "id": f"{model.epoch}-{number}"}
        published.append({**update.fields, **given})
    return True


def _set_timers(timers: set[tuple[str, str, str]], commit: Commit) -> None:
    for timer in commit.timers:
        name = (commit.owner, commit.meeting, timer.attendee)
        timers.discard(name)
        if timer.due_at is not None:
            timers.add(name)


async def _check_owner(streams: Streams, owner: OwnerKey, models: dict[tuple[str, str], Model]) -> None:
    """An event id that two meetings had belongs to the one that said so last: any of them will do here."""
    mine = {meeting: model for (of, meeting), model in models.items() if of == owner and model.version}
    assert await streams.states.list_meetings(owner) == tuple(sorted(mine))
    for event in {event for model in mine.values() for event in model.events}:
        found = await streams.states.find_event(owner, EventId(event))
        assert found is not None
        assert mine[found[0]].events[event] == found[1]
