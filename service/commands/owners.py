"""`owners`: the roster. Writes what the operator asks for; the keeper makes it so. Never asks Graph."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from service.bootstrap.redis_side import Streams, open_streams
from service.commands.finding import read_owners
from service.commands.running import prepare, run
from service.commands.screen import build_table, open_screen, print_json, show_text
from service.errors import CommandError, ConfigError
from service.ports import Book
from service.reconcile.model import Address
from service.roster import RosterEntry, WatchedOwner, decode_roster_entry, encode_record
from service.roster_file import RosterDiff, build_entry, diff_roster, parse_address, parse_roster
from service.settings import Scope, Settings
from service.subscriptions.ledger import decode_book, decode_mailboxes_book
from service.subscriptions.records import OwnerProgress

POLL_S = 0.2
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
WaitS = Annotated[
    float, typer.Option("--wait-s", min=0, help="How long to wait for the keeper to do it; 0 does not wait.")
]

owners = typer.Typer(no_args_is_help=True, help="The roster: whose calendars are watched.")


@owners.command("list", epilog="Example: response-sync owners list --json")
def list_owners(as_json: Json = False) -> None:
    """List the roster, and what the keeper made of each entry."""
    rows = run(_list(prepare(Scope.REDIS)))
    if as_json:
        print_json(rows)
        return
    table = [
        (
            row["address"],
            row["name"],
            row["state"],
            ", ".join(row["delegates"] or ["(discovered)"]),
            row["fault"],
        )
        for row in rows
    ]
    open_screen().print(build_table("Owners", ("address", "name", "state", "delegates", "fault"), table))


@owners.command(
    "add", epilog="Example: response-sync owners add alex@contoso.com --delegate adele@contoso.com"
)
def add_owner(
    address: Annotated[str, typer.Argument(help="Address of the owner.")],
    delegate: Annotated[
        list[str] | None,
        typer.Option("--delegate", help="A delegate's address; repeatable. Discovered if none is named."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Watch an owner's calendar; a running service follows within seconds."""
    entry = _build(address, delegate)
    run(_write(prepare(Scope.REDIS), {entry.address: entry}))
    if as_json:
        print_json({"added": entry.address})
    else:
        open_screen().print(show_text(f"{entry.address} is on the roster."))


@owners.command("remove", epilog="Example: response-sync owners remove alex@contoso.com")
def remove_owner(
    address: Annotated[str, typer.Argument(help="Address of the owner, as on the roster.")],
    wait_s: WaitS = 30.0,
    as_json: Json = False,
) -> None:
    """Stop watching an owner: deletes the subscriptions and every key that names them."""
    try:
        wanted = parse_address(address)
    except ValueError as error:
        raise CommandError(f"{error}.") from error
    is_done = run(_remove(prepare(Scope.REDIS), [wanted], wait_s))
    _report_removal([wanted], is_done=is_done, as_json=as_json)


@owners.command("apply", epilog="Example: response-sync owners apply owners.toml --yes")
def apply_owners(
    file: Annotated[Path, typer.Argument(help="TOML with [[owners]], each with address and delegates.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait_s: WaitS = 30.0,
    as_json: Json = False,
) -> None:
    """Make the roster what a file says; shows the difference first."""
    settings = prepare(Scope.REDIS)
    diff = run(_compare(settings, _read_file(file)))
    if not as_json:
        _show_diff(diff)
    if not diff.is_empty and not yes and not typer.confirm("Apply?", err=True):
        raise CommandError("Nothing was changed.")
    is_done = run(_apply(settings, diff, wait_s))
    if as_json:
        print_json(_describe_diff(diff))
    elif diff.removed:
        _report_removal(diff.removed, is_done=is_done, as_json=False)


async def _list(settings: Settings) -> list[dict[str, Any]]:
    async with open_streams(settings) as streams:
        roster = await _read_roster(streams)
        watched = {owner.roster_address: owner for owner in await read_owners(streams.records)}
        progress = await _read_progress(streams)
    return [
        _describe(entry, watched.get(address), progress.get(address))
        for address, entry in sorted(roster.items())
    ]


def _describe(
    entry: RosterEntry, owner: WatchedOwner | None, progress: OwnerProgress | None
) -> dict[str, Any]:
    state = "waiting" if owner is None else "watched" if owner.is_baselined else "baseline"
    fault = (owner.fault if owner else "") or (progress.fault.words if progress and progress.fault else "")
    return {
        "address": entry.address,
        "delegates": None if entry.delegates is None else list(entry.delegates),
        "id": owner.key if owner else None,
        "name": owner.name if owner else "",
        "inboxes": list(owner.inboxes) if owner else [],
        "state": "faulty" if fault else state,
        "fault": fault,
    }


async def _read_roster(streams: Streams) -> dict[Address, RosterEntry]:
    entries = decode_book(await streams.records.read_all(Book.ROSTER), decode_roster_entry)
    return {Address(name): entry for name, entry in entries.items()}


async def _read_progress(streams: Streams) -> dict[Address, OwnerProgress]:
    """Give what the keeper notes of each entry; it drops the note when a removed owner is purged."""
    return decode_mailboxes_book(await streams.records.read_all(Book.MAILBOXES))[1]


async def _write(settings: Settings, entries: dict[Address, RosterEntry]) -> None:
    async with open_streams(settings) as streams:
        await streams.records.write(
            Book.ROSTER, {name: encode_record(entry) for name, entry in entries.items()}
        )


async def _remove(settings: Settings, addresses: list[Address], wait_s: float) -> bool:
    """Take addresses off the roster and wait for the keeper; tells whether it is done.

    Raises:
        CommandError: one of them is not on the roster.
    """
    async with open_streams(settings) as streams:
        roster = await _read_roster(streams)
        for address in addresses:
            if address not in roster:
                raise CommandError(f"{address} is not on the roster; `response-sync owners list` shows it.")
        await streams.records.drop(Book.ROSTER, addresses)
        return await _wait_until_gone(streams, addresses, wait_s)


async def _wait_until_gone(streams: Streams, addresses: list[Address], wait_s: float) -> bool:
    try:
        async with asyncio.timeout(wait_s):
            while True:
                if (await _read_progress(streams)).keys().isdisjoint(addresses):
                    return True
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False


async def _compare(settings: Settings, wanted: tuple[RosterEntry, ...]) -> RosterDiff:
    async with open_streams(settings) as streams:
        return diff_roster(wanted, await _read_roster(streams))


async def _apply(settings: Settings, diff: RosterDiff, wait_s: float) -> bool:
    if written := {entry.address: entry for entry in (*diff.added, *diff.changed)}:
        await _write(settings, written)
    return await _remove(settings, list(diff.removed), wait_s) if diff.removed else True


def _build(address: str, delegates: list[str] | None) -> RosterEntry:
    try:
        return build_entry(address, delegates or None)
    except ValueError as error:
        raise CommandError(f"{error}.") from error


def _read_file(file: Path) -> tuple[RosterEntry, ...]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file} cannot be read: {error}."]) from error
    return parse_roster(text, file.name)


def _describe_diff(diff: RosterDiff) -> dict[str, list[str]]:
    return {
        "added": [entry.address for entry in diff.added],
        "changed": [entry.address for entry in diff.changed],
        "removed": list(diff.removed),
    }


def _show_diff(diff: RosterDiff) -> None:
    screen = open_screen()
    for line in _list_changes(diff):
        screen.print(line)
    if diff.is_empty:
        screen.print(show_text("The roster is as the file says."))


def _list_changes(diff: RosterDiff) -> Iterator[Any]:
    for sign, style, entries in (("+", "green", diff.added), ("~", "yellow", diff.changed)):
        for entry in entries:
            named = "discovered" if entry.delegates is None else ", ".join(entry.delegates) or "none"
            yield show_text(f"{sign} {entry.address}  delegates: {named}", style)
    for address in diff.removed:
        yield show_text(f"- {address}", "red")


def _report_removal(addresses: list[Address] | tuple[Address, ...], *, is_done: bool, as_json: bool) -> None:
    if as_json:
        print_json({"removed": list(addresses), "purged": is_done})
    elif is_done:
        open_screen().print(show_text(f"{', '.join(addresses)}: removed, with all that was held."))
    else:
        open_screen().print(
            show_text(f"{', '.join(addresses)}: off the roster; no keeper has purged it yet.")
        )
