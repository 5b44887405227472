"""The one Redis-compatible server of all histories, and the line by which a process reaches it.

Commands are sent in this thread and answered before anything else happens, so that nothing but the seed
decides on the order. What Redis' own clock would do is done at the virtual time instead: see `Server`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import redis
from redis.exceptions import ConnectionError as RedisConnectionError

import service.streams
from service.streams.keys import GROUP, KEEPER, KeyNames
from service.streams.link import load_script, to_ms
from tests.simulation.chance import Chance
from tests.simulation.vitals import Vitals
from tests.simulation.wire import Wire

_SCRIPTS: Final = Path(service.streams.__file__).parent / "scripts"
_TAKE_LEASE: Final = load_script("acquire_lease").sha
_GIVE_LEASE: Final = load_script("release_lease").sha
_CLAIM: Final = load_script("claim").sha
_GIVE_BACK: Final = load_script("give_back").sha
_ACKNOWLEDGE: Final = load_script("acknowledge").sha
_BACKUP: Final = "backup:"
_COMMIT: Final = load_script("commit").sha
IDLE_STEP_S: Final = 10.0
IDLE_LIMIT_S: Final = 1200.0
_NEVER_FEED: Final = frozenset({_CLAIM, _GIVE_BACK, _ACKNOWLEDGE})


def open_wire(url: str) -> Wire:
    """Open the connection of all histories; the server knows the scripts then."""
    wire = Wire(url)
    for path in sorted(_SCRIPTS.glob("*.lua")):
        wire.ask("SCRIPT LOAD", path.read_text(encoding="utf-8"))
    return wire


class Server:
    """One history's part of the server: all keys begin with its stream's name.

    Redis knows the machine's time alone. Three things follow its clock: how long an entry is pending, when a
    lease ends, when a meeting is forgotten. Here each is told the virtual time, by plain commands, before the
    scripts run, which are the service's own.

    Attributes:
        grew: set whenever something may have come onto the intake stream.
        on_commit: called with what the script `commit` gave back.
        on_generation: called when a keeper has begun the state anew.
        breaches: commits that were taken and must not have been; empty as long as all is well.
    """

    def __init__(self, wire: Wire, keys: KeyNames, now: Callable[[], datetime]) -> None:
        self.keys = keys
        self.grew = asyncio.Event()
        self.on_commit: Callable[[Any], None] = lambda reply: None
        self.on_generation: Callable[[], None] = lambda: None
        self.breaches: list[str] = []
        self._wire = wire
        self._now = now
        self._handed_out: dict[str, datetime] = {}
        self._lease_ends: datetime | None = None

    def ask(self, *command: Any, **parsing: Any) -> Any:
        """Send a command and give its reply, at once."""
        return self._wire.ask(*command, **parsing)

    def ask_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands together, and give the raw reply of each; an error is given like a reply."""
        return self._wire.ask_all(commands)

    def read_stream(self, name: str) -> list[tuple[str, dict[str, str]]]:
        """Give every entry of a stream."""
        entries: list[tuple[str, dict[str, str]]] = self.ask("XRANGE", name, "-", "+")
        return entries

    def read_updates(self, since: Sequence[int] = ()) -> list[dict[str, str]]:
        """Give every update, partition by partition.

        Args:
            since: how many to leave out of each partition's; none where it is empty.
        """
        streams = [self.read_stream(self.keys.updates(each)) for each in range(self.keys.partitions)]
        skipped = since or [0] * self.keys.partitions
        return [
            fields for stream, count in zip(streams, skipped, strict=True) for _, fields in stream[count:]
        ]

    def count_updates(self) -> list[int]:
        """Give how many updates each partition's stream has."""
        return self.ask_all([("XLEN", self.keys.updates(each)) for each in range(self.keys.partitions)])

    async def wait_until_idle(self) -> None:
        """Wait until all work that is there is done, at most `IDLE_LIMIT_S`: then the judge will say so."""
        for _ in range(round(IDLE_LIMIT_S / IDLE_STEP_S)):
            if not self.ask("XLEN", self.keys.intake):
                return
            await asyncio.sleep(IDLE_STEP_S)

    def list_keys(self) -> list[str]:
        """Give the names of all keys of this history, in order."""
        stream = self.keys.stream
        return sorted([*self.ask("KEYS", f"{stream}*"), *self.ask("KEYS", f"{{{stream}*")])

    def flush(self) -> None:
        """Lose everything, as FLUSHALL does."""
        if names := self.list_keys():
            self.ask("DEL", *names)
        self._handed_out.clear()
        self._lease_ends = None
        self.grew.set()

    def back_up(self) -> None:
        """Keep a copy of everything, as a snapshot on disk does; it replaces the one before."""
        self.drop_backup()
        for name in self.list_keys():
            self.ask("COPY", name, f"{_BACKUP}{name}")

    def restore(self) -> None:
        """Put everything back to the copy, but for the lease, which has run out meanwhile."""
        self.flush()
        for name in self._list_backup():
            self.ask("COPY", name, name.removeprefix(_BACKUP))
        self.end_lease()
        self._handed_out = {pending["message_id"]: self._now() for pending in self._list_pending()}
        self.grew.set()

    def drop_backup(self) -> None:
        if names := self._list_backup():
            self.ask("DEL", *names)

    def _list_backup(self) -> list[str]:
        stream = self.keys.stream
        patterns = (f"{_BACKUP}{stream}*", f"{_BACKUP}{{{stream}*")
        return sorted(name for pattern in patterns for name in self.ask("KEYS", pattern))

    def expire(self) -> None:
        """Let go what ends before the virtual present."""
        now_ms = to_ms(self._now())
        for name in self.list_keys():
            if 0 < self.ask("PEXPIRETIME", name) <= now_ms:
                self.ask("DEL", name)
            elif ":meetings:" in name:
                self.ask("ZREMRANGEBYSCORE", name, "-inf", now_ms)

    def end_lease(self) -> None:
        """Let the keeper's lease run out."""
        self.ask("DEL", self.keys.lease(KEEPER))
        self._lease_ends = None

    # --- commands of the service, at the virtual time ---

    def serve(self, *command: Any) -> Any:
        """Answer a command of the service."""
        script = command[1] if command[0] == "EVALSHA" else ""
        if script == _CLAIM and self._handed_out:
            self._age_pending(int(command[6]))
        if script in (_TAKE_LEASE, _GIVE_LEASE):
            return self._serve_lease(script, command)
        if script == _COMMIT:
            return self._serve_commit(command)
        reply = self.ask(*command)
        if command[0] == "XREADGROUP":
            self._note_handed_out(reply)
        elif script == _CLAIM and reply:
            self._handed_out.update({entry_id: self._now() for entry_id, *_ in reply[1:]})
        elif script == _GIVE_BACK:
            self._handed_out.update({entry_id: self._now() for entry_id in command[6::2]})
        elif script == _ACKNOWLEDGE:
            for entry_id in command[5:]:
                self._handed_out.pop(entry_id, None)
        elif command[:2] == ("SET", self.keys.generation(0)) and reply:
            self.on_generation()
        if self.keys.intake in command and script not in _NEVER_FEED and command[0] != "XREADGROUP":
            self.grew.set()
        return reply

    def _serve_lease(self, script: str, command: tuple[Any, ...]) -> Any:
        if self._lease_ends is not None and self._lease_ends <= self._now():
            self.end_lease()
        reply = self.ask(*command)
        if script == _TAKE_LEASE and reply is not None:
            self._lease_ends = self._now() + timedelta(milliseconds=int(command[-1]))
        return reply

    def _serve_commit(self, command: tuple[Any, ...]) -> Any:
        """Commit, and see that nothing is taken without a generation or over a state that moved on."""
        generation, meeting, expected = command[3], command[4], command[3 + int(command[2])]
        looks = (("EXISTS", generation), ("HGET", meeting, "@version"))
        is_there, version, reply = self.ask_all([*looks, command])
        if isinstance(reply, Exception):
            raise reply
        if not is_there or int(version or 0) != int(expected):
            self.breaches.append(f"{meeting}: {expected} over {version}, generation there: {is_there}")
        self.on_commit(reply)
        return reply

    def _note_handed_out(self, reply: Any) -> None:
        for _, page in reply or ():
            for entry_id, _ in page:
                self._handed_out[entry_id] = self._now()

    def _age_pending(self, enough_ms: int) -> None:
        """Tell Redis which entries have been pending long enough; XCLAIM with JUSTID does no more.

        Those that have not get no age at all, for the machine's time goes on until they are claimed.
        """
        now = self._now()
        claims: list[tuple[Any, ...]] = []
        for pending in self._list_pending():
            entry_id, consumer = pending["message_id"], pending["consumer"]
            since = self._handed_out.setdefault(entry_id, now)
            idle_ms = round((now - since).total_seconds() * 1000)
            claim = ("XCLAIM", self.keys.intake, GROUP, consumer, 0, entry_id)
            claims.append((*claim, "IDLE", idle_ms if idle_ms >= enough_ms else 0, "JUSTID"))
        self.ask_all(claims)

    def _list_pending(self) -> list[dict[str, Any]]:
        try:
            listed = self.ask("XPENDING", self.keys.intake, GROUP, "-", "+", 1000, parse_detail=True)
        except redis.ResponseError:  # the group was lost
            return []
        return cast(list[dict[str, Any]], listed)


class Line:
    """A process' connection to the server: the client that the service's own link takes.

    Attributes:
        breaks: how likely a command finds the connection broken, before the server got it or after.
    """

    def __init__(self, server: Server, chance: Chance, vitals: Vitals) -> None:
        self.breaks = 0.0
        self._server = server
        self._chance = chance
        self._vitals = vitals

    async def execute_command(self, *command: Any) -> Any:
        await self._vitals.step()
        self._break()
        reply = self._server.serve(*_without_block(command))
        if not reply and "BLOCK" in command:
            reply = await self._wait(command)
        await self._vitals.step()
        self._break()
        return reply

    async def _wait(self, command: tuple[Any, ...]) -> Any:
        """Read again once the stream grew, or when the time is over."""
        wait_s = command[command.index("BLOCK") + 1] / 1000
        self._server.grew.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._server.grew.wait()
        except TimeoutError:
            return None
        await self._vitals.step()
        return self._server.serve(*_without_block(command))

    def _break(self) -> None:
        if self._chance.happens(self.breaks):
            raise RedisConnectionError("the connection broke")

    async def initialize(self) -> Any:
        return self

    def get_node_from_key(self, key: str) -> Line:
        return self

    async def aclose(self) -> None: ...


def _without_block(command: tuple[Any, ...]) -> tuple[Any, ...]:
    if "BLOCK" not in command:
        return command
    at = command.index("BLOCK")
    return (*command[:at], *command[at + 2 :])
