"""What is told of one process, as a value and as the text in which it is kept. No I/O.

Must never hold what names a person: readers show it to whoever may see the dashboard.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """How a process does.

    Attributes:
        roles: web, worker, keeper; several where they run in one process.
        started_at: UTC.
        interval_s: how often it tells of itself.
        unready: role -> why it cannot do its work, in words; roles that can are not in it.
        in_flight: entries taken and not done.
        graph_in_flight: requests to Graph that wait for an answer.
        is_leader: it holds the keeper's lease.
        clocks: how far other clocks are ahead of its own, in seconds, by whose: graph, redis.
        token_expires_at_s: when its access token ends, Unix time; 0 where it has none.
    """

    roles: tuple[str, ...]
    started_at: datetime
    version: str = ""
    interval_s: float = 5.0
    unready: dict[str, str] = field(default_factory=dict)
    in_flight: int = 0
    graph_in_flight: int = 0
    is_leader: bool = False
    clocks: dict[str, float] = field(default_factory=dict)
    token_expires_at_s: float = 0.0


_PROCESS: Final = msgspec.json.Decoder(ProcessRecord)


def encode_process(record: ProcessRecord) -> str:
    """Give the JSON text in which a record is kept."""
    return msgspec.json.encode(record).decode()


def decode_process(text: str) -> ProcessRecord:
    """Read a record back.

    Raises:
        msgspec.DecodeError: the text is none.
    """
    return _PROCESS.decode(text)
