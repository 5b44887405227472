"""What all histories of one process share: a server, and silence. Must play one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from service.embedded import Listener, embedded_redis
from tests.simulation.history import HistoryError, Played, play
from tests.simulation.server import open_wire
from tests.simulation.wire import Wire


class Stage:
    """Plays histories one after another."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def wire(self) -> Wire:
        """The connection of all histories."""
        return self._wire

    def play(self, seed: int) -> Played:
        """Play one.

        Raises:
            HistoryError: it did not come right.
        """
        with structlog.testing.capture_logs():
            return play(seed, self._wire)

    def try_seed(self, seed: int) -> str:
        """Play one; gives the story of what went wrong, empty where nothing did."""
        try:
            self.play(seed)
        except HistoryError as error:
            return str(error)
        return ""


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Start the server; it ends with the block."""
    with asyncio.Runner() as runner:
        server = embedded_redis(listener=Listener.UNIX, is_append_only=False)
        running = runner.run(server.__aenter__())
        wire = open_wire(running.url)
        try:
            yield Stage(wire)
        finally:
            wire.close()
            runner.run(server.__aexit__(None, None, None))
