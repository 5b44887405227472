"""What an outsider sends: one function per kind of attack, all of their randomness from one seed.

Nobody here knows a secret: client states are guessed, tampered with, or made for another resource. Every
item that is sent carries `FORGED`, so that any trace of it can be found afterwards.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.endtoend.test_attacks_on_the_parser import BROKEN, CHUNKS, JSON_TRICKS, PATHS
from tests.endtoend.wire import build_chunked, build_request, open_wire, open_wires

FORGED: Final = "FORGED"
TENANT: Final = "11111111-1111-1111-1111-111111111111"
LARGE_BYTES: Final = 3_900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outsider:
    """Somebody who can reach the port.

    Attributes:
        calendar_state: a client state of ours that leaked; it was made for a calendar.
    """

    port: int
    tenant: str
    calendar_state: str
    chance: random.Random

    def build_forged(self, **changes: Any) -> bytes:
        """Build a notification that looks like Graph's, with a client state that is none of ours."""
        number = self.chance.getrandbits(64)
        item = {
            "subscriptionId": "c6126aa3-0ed8-412f-a988-71e6cee627c4",
            "changeType": "created",
            "resource": f"Users/x/Messages/{FORGED}-{number}",
            "resourceData": {"@odata.type": "#Microsoft.Graph.Message", "id": f"{FORGED}-{number}"},
            "clientState": self.guess_state(),
            "tenantId": self.tenant,
        }
        return json.dumps({"value": [item | changes] * self.chance.choice([1, 1, 1, 30])}).encode()

    def guess_state(self) -> str:
        """Guess one: random bytes, or a real one with one bit changed."""
        raw = bytearray(self.chance.randbytes(33))
        if self.chance.random() < 0.5:
            padded = self.calendar_state + "=" * (-len(self.calendar_state) % 4)
            raw = bytearray(base64.urlsafe_b64decode(padded))
            raw[self.chance.randrange(len(raw))] ^= 1 << self.chance.randrange(8)
        return base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")

    async def ask(self, *pieces: bytes) -> list[int]:
        """Send pieces over a new connection; gives the statuses that came until its end."""
        async with open_wire(self.port) as wire:
            for piece in pieces:
                if not await wire.send(piece):
                    break
            return (await wire.read_to_end()).statuses


async def send_broken_requests(outsider: Outsider) -> list[int]:
    return await outsider.ask(outsider.chance.choice(list(BROKEN.values())))


async def send_changed_bytes(outsider: Outsider) -> list[int]:
    """Change some bytes of a request that would be fine, and end it."""
    raw = bytearray(build_request(outsider.build_forged()))
    for _ in range(outsider.chance.randint(1, 6)):
        at = outsider.chance.randrange(len(raw))
        raw[at : at + outsider.chance.randint(0, 3)] = outsider.chance.randbytes(
            outsider.chance.randint(0, 4)
        )
    async with open_wire(outsider.port) as wire:
        await wire.send(bytes(raw))
        return (await wire.read_head_within(1.0)).statuses


async def send_chunk_tricks(outsider: Outsider) -> list[int]:
    return await outsider.ask(build_chunked(), *[outsider.chance.choice(list(CHUNKS.values()))] * 8)


async def send_json_tricks(outsider: Outsider) -> list[int]:
    return await outsider.ask(build_request(outsider.chance.choice(list(JSON_TRICKS.values()))))


async def send_odd_paths(outsider: Outsider) -> list[int]:
    return await outsider.ask(build_request(line=f"POST {outsider.chance.choice(PATHS)} HTTP/1.1"))


async def send_guessed_states(outsider: Outsider) -> list[int]:
    return await outsider.ask(build_request(outsider.build_forged()))


async def send_state_of_another_resource(outsider: Outsider) -> list[int]:
    return await outsider.ask(build_request(outsider.build_forged(clientState=outsider.calendar_state)))


async def send_foreign_tenant(outsider: Outsider) -> list[int]:
    data = {"@odata.type": "#Microsoft.Graph.Event", "id": f"{FORGED}-tenant"}
    body = outsider.build_forged(clientState=outsider.calendar_state, tenantId=TENANT, resourceData=data)
    return await outsider.ask(build_request(body))


async def send_forged_lifecycle(outsider: Outsider) -> list[int]:
    body = outsider.build_forged(lifecycleEvent="subscriptionRemoved", changeType=None)
    return await outsider.ask(build_request(body, line="POST /graph/lifecycle HTTP/1.1"))


async def send_large_body(outsider: Outsider) -> list[int]:
    item = outsider.build_forged(encryptedContent={"data": "A" * 3000})
    count = LARGE_BYTES // len(item)
    items = b",".join([item.removeprefix(b'{"value": [').removesuffix(b"]}")] * count)
    return await outsider.ask(build_request(b'{"value":[' + items + b"]}"))


async def send_bomb(outsider: Outsider) -> list[int]:
    body = gzip.compress(b" " * 5_000_000, 1)
    return await outsider.ask(build_request(body, headers=["Content-Encoding: gzip"]))


async def send_handshakes(outsider: Outsider) -> list[int]:
    token = "".join(f"%{byte:02X}" for byte in outsider.chance.randbytes(outsider.chance.randint(1, 3000)))
    return await outsider.ask(
        build_request(b"", line=f"POST /graph/notifications?validationToken={token} HTTP/1.1")
    )


async def hold_idle_connections(outsider: Outsider) -> list[int]:
    async with open_wires(outsider.port, 200):
        await asyncio.sleep(outsider.chance.uniform(0, 2))
    return []


async def hold_slow_bodies(outsider: Outsider) -> list[int]:
    """Send a body of which a byte comes now and then."""
    request = build_request(outsider.build_forged())
    async with open_wires(outsider.port, 30) as wires:
        for wire in wires:
            await wire.send(request[:-20])
        for at in range(10):
            for wire in wires:
                await wire.send(request[-20 + at : -19 + at])
            await asyncio.sleep(0.2)
    return []


async def hold_endless_heads(outsider: Outsider) -> list[int]:
    async with open_wires(outsider.port, 30) as wires:
        for wire in wires:
            await wire.send(b"POST /graph/notifications HTTP/1.1\r\n" + b"X-A: " + b"a" * 8000 + b"\r\n")
        for _ in range(30):
            for wire in wires:
                await wire.send(b"X-A: " + b"a" * 8000 + b"\r\n")
            await asyncio.sleep(0.05)
    return []


async def leave_answers_unread(outsider: Outsider) -> list[int]:
    request = build_request(b"{}", closes=False)
    async with open_wire(outsider.port) as wire:
        for _ in range(50):
            if not await wire.send(request * 20):
                break
        await asyncio.sleep(1)
    return []


async def break_off(outsider: Outsider) -> list[int]:
    request = build_request(outsider.build_forged())
    async with open_wire(outsider.port) as wire:
        await wire.send(request[: outsider.chance.randrange(len(request))])
    return []


Attack = Callable[[Outsider], Awaitable[list[int]]]
ATTACKS: Final[Mapping[str, Attack]] = {
    attack.__name__: attack
    for attack in (
        send_broken_requests,
        send_changed_bytes,
        send_chunk_tricks,
        send_json_tricks,
        send_odd_paths,
        send_guessed_states,
        send_state_of_another_resource,
        send_foreign_tenant,
        send_forged_lifecycle,
        send_large_body,
        send_bomb,
        send_handshakes,
        hold_idle_connections,
        hold_slow_bodies,
        hold_endless_heads,
        leave_answers_unread,
        break_off,
    )
}
