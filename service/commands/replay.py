"""`replay`: the dead letters. Only what is on the intake stream again, or was to be dropped, leaves them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from service.bootstrap.redis_side import Streams, open_streams
from service.commands.finding import find_owner, read_owners
from service.commands.running import prepare, run
from service.commands.screen import build_table, open_screen, print_json, show_text
from service.entries import Kind
from service.errors import CommandError
from service.pipeline.retry import Reason
from service.reconcile.matching import normalize_address
from service.replay.desk import DeadLetterDesk
from service.replay.letter import Shown, describe_letter
from service.replay.reasons import explain_reason
from service.replay.selection import Selection, parse_moment
from service.roster import name_mailboxes
from service.settings import Scope, Settings
from service.streams.dead_letters import DeadLetter

LINE_MAX: Final = 1_000
_ID: Final = re.compile(r"\d{1,20}-\d{1,20}")

replay = typer.Typer(no_args_is_help=True, help="Dead letters: entries that were given up.")

Ids = Annotated[
    list[str] | None, typer.Argument(help="Ids of dead letters, as `list` shows them.", show_default=False)
]
Reasons = Annotated[
    list[Reason] | None, typer.Option("--reason", help="Only of this reason; repeatable.", show_default=False)
]
Kinds = Annotated[
    list[Kind] | None, typer.Option("--kind", help="Only of this kind; repeatable.", show_default=False)
]
Mailboxes = Annotated[
    list[str] | None,
    typer.Option(
        "--mailbox",
        help="Only about this mailbox: its address or key, or the name of a watched owner; repeatable.",
        show_default=False,
    ),
]
Since = Annotated[
    str | None, typer.Option(help="Given up at or after: RFC 3339, or an age as 12h.", show_default=False)
]
Until = Annotated[
    str | None, typer.Option(help="Given up before: RFC 3339, or an age as 12h.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All that there are.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many; REPLAY_ENTRIES_MAX is the most.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What was given on the command line, before names are looked up."""

    reasons: Sequence[Reason] | None
    kinds: Sequence[Kind] | None
    mailboxes: Sequence[str] | None
    since: str | None
    until: str | None

    @property
    def is_empty(self) -> bool:
        return not (self.reasons or self.kinds or self.mailboxes or self.since or self.until)


@replay.command("list", epilog="Example: response-sync replay list --reason no_access --since 12h")
def list_letters(
    *,
    reason: Reasons = None,
    kind: Kinds = None,
    mailbox: Mailboxes = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, the newest first, each with its reason."""
    filters = Filters(reasons=reason, kinds=kind, mailboxes=mailbox, since=since, until=until)
    found, held = run(_list(prepare(Scope.REDIS), filters, limit))
    if as_json:
        print_json(found)
        return
    screen = open_screen()
    columns = ("id", "given up", "reason", "kind", "about", "detail")
    rows = [_as_cells(one) for one in found]
    screen.print(build_table(f"Dead letters: {len(found)} of {held}", columns, rows))
    for word in sorted({one["reason"] for one in found}):
        meaning = explain_reason(word)
        screen.print(show_text(f"{word}: {meaning.words}. {meaning.remedy}", length_max=LINE_MAX))


@replay.command("show", epilog="Example: response-sync replay show 1766000000000-0")
def show_letter(
    letter: Annotated[str, typer.Argument(metavar="ID", help="Id of a dead letter.")], as_json: Json = False
) -> None:
    """Show one dead letter: the entry, why it was given up, and what to do."""
    shown = run(_show(prepare(Scope.REDIS), letter))
    if as_json:
        print_json(shown)
        return
    screen = open_screen()
    for name in (
        "id",
        "diedAt",
        "reason",
        "meaning",
        "remedy",
        "about",
        "detail",
        "deliveries",
        "intakeEntry",
    ):
        screen.print(show_text(f"{name:<12} {shown[name]}", length_max=LINE_MAX))
    for name, text in shown["entry"].items():
        screen.print(show_text(f"  {name:<10} {text}", length_max=LINE_MAX))


@replay.command("requeue", epilog="Example: response-sync replay requeue --reason no_access")
def requeue_letters(
    ids: Ids = None,
    *,
    reason: Reasons = None,
    kind: Kinds = None,
    mailbox: Mailboxes = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """Give dead letters another try: those named, or the oldest that the filters let pass."""
    filters = Filters(reasons=reason, kinds=kind, mailboxes=mailbox, since=since, until=until)
    _check_choice(ids, filters, everything=everything)
    result = run(_requeue(prepare(Scope.REDIS), ids or (), filters, limit))
    if as_json:
        print_json(result)
    else:
        line = f"{result['requeued']} requeued, {result['left']} dead letters left."
        open_screen().print(show_text(line))
    if result["unfit"]:
        raise CommandError(
            f"{len(result['unfit'])} are no intake entries and were left: {', '.join(result['unfit'][:5])}. "
            "`replay drop` takes them away."
        )


@replay.command("drop", epilog="Example: response-sync replay drop --reason malformed --until 2d")
def drop_letters(
    ids: Ids = None,
    *,
    reason: Reasons = None,
    kind: Kinds = None,
    mailbox: Mailboxes = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """Delete dead letters for good: those named, or the oldest that the filters let pass."""
    filters = Filters(reasons=reason, kinds=kind, mailboxes=mailbox, since=since, until=until)
    _check_choice(ids, filters, everything=everything)
    result = run(_drop(prepare(Scope.REDIS), ids or (), filters, limit))
    if as_json:
        print_json(result)
    else:
        open_screen().print(show_text(f"{result['dropped']} dropped, {result['left']} dead letters left."))


def _check_choice(ids: Sequence[str] | None, filters: Filters, *, everything: bool) -> None:
    """Refuse to guess what is meant.

    Raises:
        CommandError: nothing was named, or more than one way of naming was used.
    """
    ways = sum((bool(ids), not filters.is_empty, everything))
    if ways != 1:
        raise CommandError("Name ids, or filters such as --reason, or --all: one of the three.")


def _as_cells(shown: Shown) -> tuple[object, ...]:
    return (
        shown["id"],
        shown["diedAt"],
        show_text(shown["reason"], "bold red"),
        shown["entry"].get("kind", ""),
        shown["about"],
        shown["detail"],
    )


# --- Against Redis ---


@asynccontextmanager
async def _open_desk(settings: Settings) -> AsyncIterator[tuple[Streams, DeadLetterDesk]]:
    async with open_streams(settings) as streams:
        yield streams, DeadLetterDesk(streams.dead_letters, streams.intake)


async def _list(settings: Settings, filters: Filters, limit: int) -> tuple[list[Shown], int]:
    async with _open_desk(settings) as (streams, desk):
        selection = await _select(streams, filters)
        found = await desk.list_newest(selection, limit=_bound(settings, limit))
        addresses = name_mailboxes(await read_owners(streams.records))
        return [describe_letter(one, addresses) for one in found], await desk.count()


async def _show(settings: Settings, given: str) -> Shown:
    async with _open_desk(settings) as (streams, desk):
        (letter,) = await _find(desk, [given])
        return describe_letter(letter, name_mailboxes(await read_owners(streams.records)))


async def _requeue(settings: Settings, ids: Sequence[str], filters: Filters, limit: int) -> dict[str, Any]:
    async with _open_desk(settings) as at:
        letters = await _choose(settings, at, ids, filters, limit)
        desk = at[1]
        requeued = await desk.requeue(letters)
        return {"requeued": requeued.done, "unfit": list(requeued.unfit), "left": await desk.count()}


async def _drop(settings: Settings, ids: Sequence[str], filters: Filters, limit: int) -> dict[str, Any]:
    async with _open_desk(settings) as at:
        letters = await _choose(settings, at, ids, filters, limit)
        desk = at[1]
        dropped = await desk.drop([one.id for one in letters])
        return {"dropped": dropped, "left": await desk.count()}


async def _choose(
    settings: Settings,
    at: tuple[Streams, DeadLetterDesk],
    ids: Sequence[str],
    filters: Filters,
    limit: int,
) -> Sequence[DeadLetter]:
    streams, desk = at
    if ids:
        return await _find(desk, ids)
    return await desk.list_oldest(await _select(streams, filters), limit=_bound(settings, limit))


async def _find(desk: DeadLetterDesk, ids: Sequence[str]) -> Sequence[DeadLetter]:
    """Give the dead letters that were named, each once.

    Raises:
        CommandError: one of them is not there; nothing was done.
    """
    wanted = list(dict.fromkeys(ids))
    found = await desk.find([one for one in wanted if _ID.fullmatch(one)])
    missing = [one for one in wanted if one not in {letter.id for letter in found}]
    if missing:
        raise CommandError(
            f"No dead letter {', '.join(missing[:5])}: `response-sync replay list` shows them."
        )
    return found


async def _select(streams: Streams, filters: Filters) -> Selection:
    now = datetime.now(UTC)
    try:
        since = parse_moment(filters.since, now) if filters.since else None
        until = parse_moment(filters.until, now) if filters.until else None
    except ValueError as error:
        raise CommandError(str(error)) from error
    return Selection(
        reasons=frozenset(filters.reasons or ()),
        kinds=frozenset(filters.kinds or ()),
        names=frozenset([await _find_key(streams, given) for given in filters.mailboxes or ()]),
        since=since,
        until=until,
    )


async def _find_key(streams: Streams, given: str) -> str:
    """Give the key of a mailbox that is read, by its address or its owner's name; else what was given."""
    wanted = normalize_address(given)
    for key, address in name_mailboxes(await read_owners(streams.records)).items():
        if normalize_address(address) == wanted:
            return key
    try:
        return (await find_owner(streams.records, given)).key
    except CommandError:
        return given


def _bound(settings: Settings, limit: int) -> int:
    return min(limit, settings.replay_entries_max)
