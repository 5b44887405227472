"""The keys that this process can decrypt with, and the one that subscriptions are to name.

Follows its files: a key that is put beside the others is known within seconds, without a restart. Must never
forget a key whose file is still there, nor stop over a file that cannot be read while it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from service.clock import Clock
from service.errors import ConfigError
from service.rich.keys import EncryptionKey, list_key_files, read_key_file

_log = structlog.get_logger("rich")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    """What tells whether a file changed."""

    changed_ns: int
    size: int


class KeyRing:
    """Keys by id. The first of the first place is the current one; of a directory, the newest."""

    def __init__(self, places: Sequence[Path], *, clock: Clock, look_again_s: float = 10.0) -> None:
        """Read all keys.

        Args:
            places: files, and directories whose `*.pem` are taken.
            look_again_s: how long what was read is believed in.

        Raises:
            ConfigError: there is no key, or a file cannot be used; every fault at once.
        """
        self._places = tuple(places)
        self._clock = clock
        self._look_again_s = look_again_s
        self._read: dict[Path, tuple[_Version, EncryptionKey | None]] = {}
        self._keys: dict[str, EncryptionKey] = {}
        self._looked_at = clock.monotonic()
        if faults := self._look():
            raise ConfigError(faults)

    @property
    def keys(self) -> tuple[EncryptionKey, ...]:
        """Give all keys, the current one first."""
        self._follow()
        return tuple(self._keys.values())

    @property
    def current(self) -> EncryptionKey:
        """Give the key that subscriptions are to name."""
        return self.keys[0]

    def find(self, certificate_id: str, thumbprint: str = "") -> EncryptionKey | None:
        """Give the key of a certificate: by its id, else by its thumbprint."""
        self._follow()
        found = self._keys.get(certificate_id)
        if found is None and thumbprint:
            wanted = thumbprint.upper()
            found = next((key for key in self._keys.values() if key.thumbprint == wanted), None)
        return found

    def _follow(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked_at >= self._look_again_s:
            self._looked_at = now
            for fault in self._look():
                _log.warning("key.refused", fault=fault)

    def _look(self) -> list[str]:
        """Read what is new or has changed; gives what cannot be used, a sentence each."""
        faults: list[str] = []
        found: dict[str, EncryptionKey] = {}
        for place in self._places:
            of_place: list[EncryptionKey] = []
            for file in list_key_files([place]):
                try:
                    key = self._read_file(file)
                except ConfigError as error:
                    faults += error.faults
                    continue
                if key is not None:
                    of_place.append(key)
            found |= {key.id: key for key in sorted(of_place, key=_newest_first) if key.id not in found}
        if not found and not faults:
            places = ", ".join(map(str, self._places))
            faults.append(
                f"RESPONSE_SYNC_ENCRYPTION_KEY_FILE: there is no key in {places}: `response-sync keys new`."
            )
        self._keys = found or self._keys
        return faults

    def _read_file(self, file: Path) -> EncryptionKey | None:
        """Give the key of a file; None where it was refused before and has not changed since."""
        version = _stat(file)
        known = self._read.get(file)
        if known is not None and known[0] == version:
            return known[1]
        self._read[file] = (version, None)
        key = read_key_file(file)
        self._read[file] = (version, key)
        return key


def _stat(file: Path) -> _Version:
    try:
        status = file.stat()
    except OSError:
        return _Version(changed_ns=0, size=-1)
    return _Version(changed_ns=status.st_mtime_ns, size=status.st_size)


def _newest_first(key: EncryptionKey) -> tuple[float, str]:
    return (-key.made_at.timestamp(), key.id)
