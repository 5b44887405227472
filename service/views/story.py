"""The story of an attendee as plain data, fit for JSON: `explain` draws it, the dashboard shows it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.reconcile.explain import Absence, AnswerStory, AttendeeStory, InstanceStory, RowStory
from service.reconcile.facts import Alias
from service.reconcile.instant import Instant
from service.reconcile.journal import Journal, JournalEntry
from service.reconcile.model import WHOLE, Pair, Proposal, Slot
from service.reconcile.rules import TABLE
from service.reconcile.wording import FATES, OWNS, SITUATIONS, VERDICTS, describe_rule
from service.views.published import Published

Shown = dict[str, Any]


def describe_story(story: AttendeeStory, published: Sequence[Published]) -> Shown:
    """Give the story with what was published of the attendee and of the meeting, oldest first."""
    return {
        "address": story.person,
        "name": story.name,
        "aliases": [_alias(each) for each in story.aliases],
        "refutedAliases": [_alias(each) for each in story.refuted],
        "instances": [
            {
                **_instance(each),
                "published": [
                    _published(one) for one in published if (one.instance or WHOLE) == each.instance
                ],
            }
            for each in story.instances
        ],
    }


def _instance(story: InstanceStory) -> Shown:
    head = story.facts.head
    return {
        "instance": story.instance or None,
        "subject": None if head is None else head.details.subject,
        "event": None
        if head is None
        else {
            "slot": _slot(head.slot),
            "sequence": head.sequence,
            "lastModified": head.last_modified.text,
            "changeKey": head.change_key,
            "seen": _text(story.facts.seen),
            "isCancelled": head.is_cancelled,
        },
        "notFoundAt": _text(story.facts.gone_at),
        "now": _now(story),
        "rows": [_row(each, story) for each in story.rows],
        "answers": [_answer(each) for each in story.answers],
        "latestRecorded": _of_ns(story.answered_ns),
        "recordedInSeries": [_of_ns(each) for each in story.row_times_ns],
        "due": [_pair(each) for each in story.due],
        "timer": None if story.timer is None else _pair(story.timer),
        "told": _told(story),
        "toldEnding": story.told_ending or None,
        "journal": _journal(story.journal),
    }


def _now(story: InstanceStory) -> Shown:
    derived = story.derived
    if derived is None:
        return {"absent": str(story.absence)}
    return {
        "value": str(derived.value),
        "time": _text(derived.at),
        "standing": str(derived.standing),
        "overdue": derived.is_overdue,
        "situation": str(derived.situation),
        "because": SITUATIONS[derived.situation],
        "rule": describe_rule(TABLE[derived.situation]),
        "own": derived.is_own,
        "ownRule": str(derived.own_by),
        "ownBecause": OWNS[derived.own_by],
    }


def _is_inherited(story: InstanceStory) -> bool:
    return story.derived is not None and not story.derived.is_own


def _row(story: RowStory, instance: InstanceStory) -> Shown:
    row = story.row
    return {
        "address": row.address,
        "value": str(row.value),
        "time": _text(row.at),
        "proposal": _proposal(row.proposal),
        "counts": story.speaks and row.value.is_answer and not story.is_stale,
        "because": _why_row(story, instance),
    }


def _why_row(story: RowStory, instance: InstanceStory) -> str:
    if instance.absence in (Absence.CANCELLED, Absence.DELETED):
        return "does not matter any more: it is over"
    if not story.speaks and _is_inherited(instance):
        return "it is no answer of this occurrence's own: the series' row stands"
    if not story.speaks:
        return "another row stands for this attendee here"
    if story.is_stale:
        return "counts as none: the calendar kept it from before the meeting moved"
    return "counts" if story.row.value.is_answer else "shows no answer"


def _answer(story: AnswerStory) -> Shown:
    answer = story.answer
    return {
        "address": story.address,
        "value": str(answer.value),
        "time": answer.at.text,
        "slot": _slot(answer.slot),
        "sequence": answer.sequence,
        "proposal": _proposal(answer.proposal),
        "message": {
            "mailbox": answer.witness.mailbox,
            "internetMessageId": answer.witness.internet_message_id,
            "sent": answer.witness.sent,
        },
        "counts": story.verdict is not None and story.verdict.counts and not story.is_recorded_before,
        "verdict": None if story.verdict is None else str(story.verdict),
        "because": _why_answer(story),
        "taken": story.is_taken,
    }


def _why_answer(story: AnswerStory) -> str:
    if story.verdict is None:
        return "waits for the event that it answers"
    if story.is_recorded_before:
        return "does not count: the calendar has shown an answer as late as this one, and shows none now"
    return VERDICTS[story.verdict]


def _told(story: InstanceStory) -> Shown | None:
    told = story.told
    if told is None:
        return None
    return {
        "present": told.is_present,
        "value": str(told.value),
        "standing": told.standing or None,
        "proposal": None if told.proposal is None else [_of_ns(each) for each in told.proposal],
        "here": story.is_told_here,
    }


def _journal(journal: Journal) -> Shown:
    return {
        "skipped": journal.skipped,
        "forgottenUpTo": _of_ns(journal.forgotten_ns),
        "answers": [_noted(each) for each in journal.entries],
    }


def _noted(entry: JournalEntry) -> Shown:
    return {
        "value": str(entry.value),
        "time": _text(entry.at),
        "byMessage": entry.by_message,
        "byCalendar": entry.by_calendar,
        "slot": _slot(entry.slot),
        "fate": str(entry.fate),
        "because": FATES[entry.fate],
    }


def _published(one: Published) -> Shown:
    return {
        "entry": one.id,
        "id": one.event_id,
        "type": one.type,
        "value": one.value,
        "previous": one.previous,
        "standing": one.standing,
        "time": one.time,
    }


def _alias(alias: Alias) -> Shown:
    return {
        "alias": alias.alias,
        "person": alias.person,
        "byNameOnly": alias.is_by_name,
        "denied": alias.is_denied,
    }


def _pair(pair: Pair) -> Shown:
    return {
        "message": pair.message,
        "messageTime": _of_ns(pair.message_ns),
        "calendar": pair.calendar,
        "calendarTime": _of_ns(pair.calendar_ns) if pair.calendar_ns else None,
    }


def _slot(slot: Slot) -> Shown | None:
    if slot.is_unknown:
        return None
    return {
        "start": _of_ns(slot.start),
        "end": _of_ns(slot.end),
        "isAllDay": slot.is_all_day,
        "recurrence": slot.recurrence or None,
    }


def _proposal(proposal: Proposal | None) -> list[str] | None:
    return None if proposal is None else [proposal.start.to_utc_text(), proposal.end.to_utc_text()]


def _text(instant: Instant | None) -> str | None:
    return None if instant is None else instant.text


def _of_ns(ns: int | None) -> str | None:
    return None if ns is None else Instant(ns=ns, text="").to_utc_text()
