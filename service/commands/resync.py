"""`resync`: has the mailboxes of one owner, or of all, read again in full, and shows how far that is."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from service.bootstrap.keeper import build_status_reader
from service.bootstrap.redis_side import open_streams
from service.clock import SystemClock
from service.commands.group import EXIT_FAULT
from service.commands.requests import Target, ask_keeper, find_target, report
from service.commands.running import prepare, run
from service.commands.screen import open_screen, show_text
from service.settings import Scope, Settings
from service.subscriptions.records import Request, RequestKind
from service.subscriptions.status import ResourceStatus
from service.subscriptions.status_reader import StatusReader


def resync(
    owner: Annotated[
        str | None, typer.Argument(help="Address or object id; every owner if not given.", show_default=False)
    ] = None,
    wait_s: Annotated[
        float, typer.Option("--wait-s", min=0, help="How long to wait for the end; 0 does not wait.")
    ] = 3600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Read all mailboxes of an owner again from the beginning, with progress; the keeper does it."""
    request, target = run(_resync(prepare(Scope.REDIS), owner, wait_s))
    if not report(request, target, did="mailboxes were read in full", wait_s=wait_s, as_json=as_json):
        raise typer.Exit(EXIT_FAULT)


async def _resync(settings: Settings, given: str | None, wait_s: float) -> tuple[Request, Target]:
    async with open_streams(settings) as streams:
        status = build_status_reader(settings, streams, SystemClock())
        target = await find_target(streams, await status.read(), given)
        with _open_display() as display:
            watching = _Watching(status, target, display)
            request = await ask_keeper(
                streams, RequestKind.RESYNC, target, wait_s=wait_s, on_progress=watching.show
            )
        return request, target


class _Lines:
    """Tells progress in plain lines, one per change."""

    def __init__(self) -> None:
        self._last = ""

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, done: int, count: int, under_way: str) -> None:
        line = f"{done} of {count} mailboxes read in full"
        if line != self._last:
            open_screen(is_error=True).print(show_text(f"{line}{under_way}"))
        self._last = line


class _Bar:
    """Draws a progress bar."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("mailboxes read in full"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[under_way]}", markup=False),
            console=open_screen(is_error=True),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, done: int, count: int, under_way: str) -> None:
        if self._task is None:
            self._task = self._progress.add_task("", total=count, under_way="")
        self._progress.update(self._task, completed=done, total=count, under_way=under_way)


def _open_display() -> _Lines | _Bar:
    """Give a bar on a terminal, plain lines otherwise; both on standard error."""
    return _Bar() if sys.stderr.isatty() else _Lines()


class _Watching:
    """Reads how far the mailboxes of a request are."""

    def __init__(self, status: StatusReader, target: Target, display: _Lines | _Bar) -> None:
        self._status = status
        self._target = target
        self._display = display

    async def show(self, request: Request) -> None:
        """Show how far a request is; nothing before it was taken up."""
        if request.taken_at is None:
            return
        resources = [one for one in (await self._status.read()).resources if self._is_meant(one)]
        done = [one for one in resources if one.full_at is not None and one.full_at >= request.taken_at]
        reading = [one for one in resources if one.is_full_round]
        pages, items = sum(one.pages for one in reading), sum(one.items for one in reading)
        under_way = f"; {len(reading)} under way: {pages} pages, {items} items" if reading else ""
        count = request.count
        self._display.show(count if request.ended_at is not None else min(len(done), count), count, under_way)

    def _is_meant(self, one: ResourceStatus) -> bool:
        return not self._target.address or self._target.address in one.owners
