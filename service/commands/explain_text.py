"""Draws the story of an attendee for a terminal. What people wrote is data: `show_text` escapes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from service.commands.screen import show_text
from service.commands.update_text import STANDING_STYLES, VALUE_STYLES, format_stream_moment

Shown = Mapping[str, Any]
LABEL_WIDTH = 12
LINE_MAX = 400


def draw_story(meeting: Shown, story: Shown) -> Iterator[Text]:
    """Give the lines that tell of one attendee of a meeting."""
    name = f"{story['name']} " if story["name"] else ""
    yield show_text(f"{name}<{story['address']}>, {meeting['meeting']}", "bold", length_max=LINE_MAX)
    for alias in story["aliases"]:
        mark = ", found by display name only" if alias["byNameOnly"] else ""
        yield _line("also", f"{alias['alias']} is {alias['person']}{mark}")
    for alias in story["refutedAliases"]:
        why = "the directory knows them as two people" if alias["denied"] else "the calendar lists both"
        yield _line("not", f"{alias['alias']} for {alias['person']}: {why}")
    for instance in story["instances"]:
        yield from _draw_instance(instance)
    yield Text()


def _draw_instance(instance: Shown) -> Iterator[Text]:
    title = f"occurrence of {instance['instance']}" if instance["instance"] else "meeting"
    subject = f" “{instance['subject']}”" if instance["subject"] else ""
    yield show_text(f" {title}{subject}", "bold cyan", length_max=LINE_MAX)
    yield from _draw_now(instance["now"])
    yield from _draw_calendar(instance)
    for answer in instance["answers"]:
        yield _line(
            "message",
            f"{_answered(answer)} by {answer['address']}, to {_slot(answer['slot'])}: {answer['because']}"
            + ("; it stands opposite the calendar's row" if answer["taken"] else ""),
        )
    yield from _draw_timers(instance)
    yield from _draw_told(instance)
    yield from _draw_journal(instance["journal"])


def _draw_now(now: Shown) -> Iterator[Text]:
    if "absent" in now:
        yield _line("now", f"nothing is derived: {now['absent']}")
        return
    value, standing = now["value"], now["standing"]
    yield Text.assemble(
        _label("now"),
        show_text(value, VALUE_STYLES.get(value, "")),
        show_text(f" {standing}", STANDING_STYLES.get(standing, "")),
        show_text(f"{', overdue' if now['overdue'] else ''}{_since(now['time'])}"),
    )
    yield _line("because", f"{now['because']}; {now['rule']}")
    yield _line("whose", now["ownBecause"])


def _draw_calendar(instance: Shown) -> Iterator[Text]:
    event = instance["event"]
    if event is None:
        yield _line("calendar", "its event was not read")
    else:
        yield _line(
            "calendar",
            f"{_slot(event['slot'])}, changed {event['lastModified']}, seen {event['seen']}"
            f", version {'unknown' if event['sequence'] is None else event['sequence']}"
            f"{', cancelled' if event['isCancelled'] else ''}",
        )
    if instance["notFoundAt"]:
        yield _line("", f"looked for and not found at {instance['notFoundAt']}")
    for row in instance["rows"]:
        yield _line("row", f"{_answered(row)} at {row['address']}: {row['because']}")
    if instance["latestRecorded"]:
        yield _line("", f"latest answer that it ever showed: {instance['latestRecorded']}")


def _draw_timers(instance: Shown) -> Iterator[Text]:
    for pair in instance["due"]:
        yield _line("due", f"the grace period passed for {_pair(pair)}")
    if instance["timer"]:
        yield _line("timer", f"the grace period runs for {_pair(instance['timer'])}")


def _draw_told(instance: Shown) -> Iterator[Text]:
    told = instance["told"]
    if told is None:
        ending = instance["toldEnding"]
        yield _line("told", f"that it is {ending}" if ending else "nothing")
    else:
        where = "" if told["here"] else ", by the series"
        held = f"{told['value']}, {told['standing'] or 'no standing'}" if told["present"] else "removed"
        yield _line("told", f"consumers hold: {held}{where}")
    for one in instance["published"]:
        change = f"{one['previous'] or 'nothing'} → {one['value']}" if one["value"] else ""
        standing = f" ({one['standing']})" if one["standing"] else ""
        moment = format_stream_moment(one["entry"])
        yield _line("", f"{moment} {one['type']} {change}{standing}, id {one['id']}")


def _draw_journal(journal: Shown) -> Iterator[Text]:
    for entry in journal["answers"]:
        witnesses = [
            name for name, key in (("message", "byMessage"), ("calendar", "byCalendar")) if entry[key]
        ]
        yield _line("read", f"{_answered(entry)} from {' and '.join(witnesses)}: {entry['because']}")
    yield _line("skipped", str(journal["skipped"]))


def _line(label: str, text: str) -> Text:
    return Text.assemble(_label(label), show_text(text, length_max=LINE_MAX))


def _label(label: str) -> Text:
    return show_text(f"  {label:<{LABEL_WIDTH}}", "dim")


def _answered(answer: Shown) -> str:
    proposal = f", proposing {answer['proposal'][0]}" if answer.get("proposal") else ""
    if answer["value"] in ("none", "notResponded"):
        return f"{answer['value']}{proposal}"
    return f"{answer['value']} {answer['time'] or 'without a time'}{proposal}"


def _since(time: str | None) -> str:
    return f", answered {time}" if time else ""


def _slot(slot: Shown | None) -> str:
    if slot is None:
        return "an unknown time"
    repeats = ", repeating" if slot["recurrence"] else ""
    return f"{slot['start']} to {slot['end']}{repeats}"


def _pair(pair: Shown) -> str:
    calendar = "no answer" if pair["calendarTime"] is None else f"{pair['calendar']} {pair['calendarTime']}"
    return f"the message's {pair['message']} {pair['messageTime']} opposite {calendar}"
