"""`keys`: the keys of rich notifications. Never prints a private one, and deletes none that is in use."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from service.bootstrap.graph_side import open_graph
from service.bootstrap.keeper import build_destination
from service.bootstrap.redis_side import Streams, open_streams
from service.bootstrap.rich_side import build_key_ring
from service.commands.running import prepare, run
from service.commands.screen import build_table, open_screen, print_json, show_text
from service.errors import CommandError
from service.metrics import Metrics
from service.ports import Book
from service.rich.keys import EncryptionKey, make_key_file, split_places
from service.settings import Scope, Settings, setting_name
from service.streams.contents import count_contents
from service.subscriptions.ledger import decode_book
from service.subscriptions.records import decode_subscription

SETTING: Final = setting_name("encryption_key_file")
ID_CHARS_MIN: Final = 6
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

keys = typer.Typer(no_args_is_help=True, help="Keys and certificates for rich notifications.")


@keys.command("new", epilog="Example: response-sync keys new /etc/response-sync/keys")
def make_key(
    directory: Annotated[
        Path | None, typer.Argument(help="Where to put it; else the first directory of ENCRYPTION_KEY_FILE.")
    ] = None,
    bits: Annotated[int, typer.Option(min=2048, max=4096, help="Length of the RSA key.")] = 3072,
    days: Annotated[
        int, typer.Option(min=1, max=36_500, help="Validity of the certificate; Graph does not look at it.")
    ] = 3650,
    as_json: Json = False,
) -> None:
    """Make an RSA key with a self-signed certificate, in a file that only you may read."""
    settings = prepare(Scope.FILES)
    place = directory or _find_directory(settings)
    try:
        key = make_key_file(place, now=datetime.now(UTC), bits=bits, days=days)
    except OSError as error:
        raise CommandError(f"{place} cannot be written to: {error.strerror}.") from error
    if as_json:
        print_json({"id": key.id, "file": str(key.file), "bits": key.bits})
        return
    screen = open_screen()
    screen.print(show_text(f"{key.id} is in {key.file}."))
    if place not in split_places(settings.encryption_key_file):
        screen.print(show_text(f"Put {place} first into {SETTING} of every worker and keeper."))


@keys.command("list", epilog="Example: response-sync keys list --json")
def list_keys(as_json: Json = False) -> None:
    """List the keys, newest first, and how many subscriptions in Graph name each."""
    rows = run(_list(_prepare_rich()))
    if as_json:
        print_json(rows)
        return
    columns = ("id", "state", "made", "bits", "subscriptions", "waiting", "file")
    table = [tuple("" if row[name] is None else str(row[name]) for name in columns) for row in rows]
    open_screen().print(build_table("Keys", columns, table))


@keys.command("retire", epilog="Example: response-sync keys retire 5f0c2b9a")
def retire_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the key, or its first characters.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a former key; refused while a subscription names it, or an entry waits for it."""
    settings = _prepare_rich()
    key = run(_check_retirement(settings, key_id))
    if not yes and not typer.confirm(f"Delete {key.file} for good?", err=True):
        raise CommandError("Nothing was changed.")
    try:
        key.file.unlink()
    except OSError as error:
        raise CommandError(f"{key.file} cannot be deleted: {error.strerror}.") from error
    if as_json:
        print_json({"retired": key.id})
    else:
        open_screen().print(show_text(f"{key.id} is gone; what Graph still sends for it is fetched."))


def _find_directory(settings: Settings) -> Path:
    places = split_places(settings.encryption_key_file)
    if not places:
        raise CommandError(f"Name a directory, or set {SETTING} to one.")
    return next((place for place in places if place.is_dir()), places[0].parent)


def _prepare_rich() -> Settings:
    settings = prepare(Scope.SERVICE)
    if not settings.is_rich:
        raise CommandError(
            f"{SETTING} is not set: there are no keys. Make one with `response-sync keys new`."
        )
    return settings


async def _list(settings: Settings) -> list[dict[str, Any]]:
    """Give a row per key, then one per certificate that subscriptions name and whose key is not here.

    Raises:
        ConfigError: a key cannot be used.
        GraphError, TokenError, StreamError: one side cannot be read.
    """
    held = build_key_ring(settings).keys
    async with open_streams(settings) as streams:
        named = await _count_subscriptions(settings, streams)
        waiting = {key.id: await count_contents(streams.link, streams.keys, key.id) for key in held}
    rows = [
        _describe(key, is_current=at == 0, named=named[key.id], waiting=waiting[key.id])
        for at, key in enumerate(held)
    ]
    strangers = sorted(set(named) - {key.id for key in held})
    return [*rows, *(_describe_missing(one, named[one]) for one in strangers)]


async def _check_retirement(settings: Settings, key_id: str) -> EncryptionKey:
    """Give the key that may be deleted.

    Raises:
        CommandError: it may not, or there is no such key; says why and what to do.
    """
    ring = build_key_ring(settings).keys
    key = _find(ring, key_id)
    if key is ring[0]:
        raise CommandError(f"{key.id} is the current key: make another first, with `response-sync keys new`.")
    async with open_streams(settings) as streams:
        named = (await _count_subscriptions(settings, streams))[key.id]
        waiting = await count_contents(streams.link, streams.keys, key.id)
    if named:
        raise CommandError(
            f"{named} subscriptions name {key.id}: the keeper gives them the current certificate at its next "
            "comparison (COMPARE_INTERVAL_S); try again then."
        )
    if waiting:
        raise CommandError(f"{waiting} notifications wait to be decrypted with {key.id}: try again later.")
    return key


def _find(ring: tuple[EncryptionKey, ...], key_id: str) -> EncryptionKey:
    found = [
        key for key in ring if key.id == key_id or (len(key_id) >= ID_CHARS_MIN and key.id.startswith(key_id))
    ]
    if len(found) != 1:
        raise CommandError(f"{len(found)} keys begin with that id: `response-sync keys list` shows them.")
    return found[0]


async def _count_subscriptions(settings: Settings, streams: Streams) -> Counter[str]:
    """Count the subscriptions that name each certificate; where Graph does not tell, our records do."""
    destination = build_destination(settings)
    async with open_graph(settings, Metrics(), streams) as graph:
        in_graph = {one.id: one for one in await graph.subscriptions.list_subscriptions()}
    records = decode_book(await streams.records.read_all(Book.SUBSCRIPTIONS), decode_subscription)
    named = {one.id: one.certificate_id for one in in_graph.values() if destination.is_ours(one)}
    for record in records.values():
        if record.id in named:
            named[record.id] = named[record.id] or record.certificate_id
    return Counter(certificate_id for certificate_id in named.values() if certificate_id)


def _describe(key: EncryptionKey, *, is_current: bool, named: int, waiting: int) -> dict[str, Any]:
    return {
        "id": key.id,
        "state": "current" if is_current else "former",
        "made": key.made_at.isoformat(),
        "bits": key.bits,
        "thumbprint": key.thumbprint,
        "subscriptions": named,
        "waiting": waiting,
        "file": str(key.file),
    }


def _describe_missing(certificate_id: str, named: int) -> dict[str, Any]:
    return {
        "id": certificate_id,
        "state": "missing",
        "made": None,
        "bits": None,
        "thumbprint": None,
        "subscriptions": named,
        "waiting": None,
        "file": None,
    }
