"""The control API: people, mail, faults, the clock, beliefs, and a look at what happened. No I/O.

Must never ignore a member that it does not know.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from service.sandbox.assembly import Parts
from service.sandbox.beliefs import SKEW_MAX_S
from service.sandbox.credentials import CredentialDesk
from service.sandbox.faults import read_faults
from service.sandbox.items import DELEGATE_ROLES
from service.sandbox.json_text import read_json
from service.sandbox.members import check_addresses, check_members
from service.sandbox.moments import need_zone
from service.sandbox.notifications import spell_instant
from service.sandbox.subscription_book import Subscription
from service.sandbox.subscriptions import describe
from service.sandbox.wire import GraphFault

_USER_MEMBERS: Final[dict[str, type | tuple[type, ...]]] = {
    "name": str,
    "address": str,
    "aliases": list,
    "delegates": list,
    "delivery": str,
    "delegate_role": str,
    "purpose": str,
    "members": list,
    "auto_answer": str,
    "has_mailbox": bool,
    "keeps_deleted_copy": bool,
    "answers_folder": str,
    "processes_updates": bool,
    "time_zone": str,
}
_USER_CHOICES: Final = {
    "delegate_role": DELEGATE_ROLES,
    "purpose": ("user", "room", "equipment", "list"),
    "auto_answer": ("accepted", "tentativelyAccepted", "declined"),
}
_MAIL_MEMBERS: Final[dict[str, type | tuple[type, ...]]] = {
    "to": (str, list),
    "from": str,
    "subject": str,
    "body": str,
}
_YEAR_S: Final = 365 * 86_400
ADVANCE_MAX_S: Final = 10 * _YEAR_S
LAST_YEAR: Final = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRequest:
    """A request below the control URL.

    Attributes:
        path: without a leading slash.
        raw: the body as it came.
        origin: where the caller reached the sandbox.
    """

    method: str
    path: str
    raw: bytes
    origin: str


class ControlFault(Exception):  # noqa: N818 - it is an answer, not an error of the sandbox
    """The control API refuses."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


Handler = Callable[[Any, str], Any]


class Control:
    """Answers requests to the control API."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        desk = CredentialDesk(parts)
        self._routes: dict[str, dict[str, Handler]] = {
            "users": {"POST": self._add_user},
            "mail": {"POST": self._send_mail},
            "faults": {"POST": self._set_faults, "GET": self._show_faults},
            "clock": {"POST": self._advance, "GET": self._show_clock},
            "beliefs": {"POST": self._set_beliefs, "GET": self._show_beliefs},
            "requests": {"GET": self._list_requests},
            "subscriptions": {"GET": self._list_subscriptions},
            "deliveries": {"GET": self._count_deliveries},
            **{path: {"POST": handler} for path, handler in desk.handlers.items()},
        }

    def answer(self, request: ControlRequest) -> tuple[int, Any]:
        """Give the status and the JSON of the answer."""
        try:
            handler = self._find(request)
            return 200, handler(_read_json(request), request.origin)
        except ControlFault as fault:
            return fault.status, {"error": {"message": fault.message}}
        except GraphFault as fault:
            return fault.status, {"error": {"code": fault.code, "message": fault.message}}
        except (ValueError, TypeError) as error:
            return 400, {"error": {"message": str(error)}}

    def _find(self, request: ControlRequest) -> Handler:
        methods = self._routes.get(request.path.rstrip("/"))
        if methods is None:
            raise ControlFault(404, f"there is no '{request.path[:64]}'; known are {', '.join(self._routes)}")
        if request.method not in methods:
            raise ControlFault(405, f"'{request.path}' takes {' and '.join(methods)}")
        return methods[request.method]

    # --- people and mail ---

    def _add_user(self, body: Any, origin: str) -> dict[str, Any]:
        members = check_members(body, _USER_MEMBERS, needed=("name", "address"))
        _check_user(members)
        user = self._parts.tenant.world.add_user(members.pop("name"), members.pop("address"), **members)
        return {
            "id": user.id,
            "name": user.name,
            "address": user.address,
            "token": self._parts.tenant.issue_persona_token(user, origin),
        }

    def _send_mail(self, body: Any, origin: str) -> dict[str, Any]:
        members = check_members(body, _MAIL_MEMBERS, needed=("to", "from"))
        to = [members["to"]] if isinstance(members["to"], str) else members["to"]
        check_addresses("to", to)
        world = self._parts.tenant.world
        for address in to:  # to everybody or to nobody
            world.mailbox(world.find_user(address).id)
        sent = [
            world.send_mail(address, members["from"], members.get("subject", ""), members.get("body", ""))
            for address in to
        ]
        return {"ids": [message.id for message in sent]}

    # --- faults, time, beliefs ---

    def _set_faults(self, body: Any, origin: str) -> dict[str, Any]:
        faults, mishaps = read_faults(body)
        self._parts.deliveries.faults.active = faults
        done = {
            "expire_delta": self._parts.tenant.world.expire_delta_tokens(mishaps.expire_delta),
            "remove_subscriptions": self._parts.deliveries.lifecycle.remove_at_random(
                mishaps.remove_subscriptions
            ),
            "missed": self._parts.deliveries.lifecycle.report_missed_at_random(mishaps.missed),
        }
        return self._show_faults(None, origin) | {"done": done}

    def _show_faults(self, body: Any, origin: str) -> dict[str, Any]:
        return {"faults": asdict(self._parts.deliveries.faults.active)}

    def _advance(self, body: Any, origin: str) -> dict[str, Any]:
        """`{"advance_s"}` moves time; `{"date_ahead_s"}` lets the `Date` of answers differ, 0 ends it."""
        members = check_members(body, {"advance_s": (int, float), "date_ahead_s": (int, float)})
        if not members:
            raise ValueError("'advance_s' is missing")
        seconds, ahead_s = members.get("advance_s", 0), members.get("date_ahead_s")
        if not math.isfinite(seconds) or not 0 <= seconds <= ADVANCE_MAX_S:
            raise ValueError(f"'advance_s' must be from 0 to {ADVANCE_MAX_S}: the clock never goes back")
        if ahead_s is not None and not (math.isfinite(ahead_s) and abs(ahead_s) <= SKEW_MAX_S):
            raise ValueError(f"'date_ahead_s' must be from -{SKEW_MAX_S} to {SKEW_MAX_S}")
        clock = self._parts.tenant.clock
        if clock.now().year + seconds / _YEAR_S > LAST_YEAR:
            raise ValueError(f"'advance_s' must not lead beyond the year {LAST_YEAR}")
        clock.advance(seconds)
        clock.date_ahead_s = clock.date_ahead_s if ahead_s is None else float(ahead_s)
        self._parts.deliveries.delivery.wake()
        return self._show_clock(None, origin)

    def _show_clock(self, body: Any, origin: str) -> dict[str, Any]:
        clock = self._parts.tenant.clock
        return {"now": spell_instant(clock.now()), "date_ahead_s": clock.date_ahead_s}

    def _set_beliefs(self, body: Any, origin: str) -> dict[str, Any]:
        if not isinstance(body, Mapping):
            raise TypeError("expected an object")
        self._parts.tenant.world.replace_beliefs(**body)
        return self._show_beliefs(None, origin)

    def _show_beliefs(self, body: Any, origin: str) -> dict[str, Any]:
        return asdict(self._parts.tenant.world.beliefs)

    # --- what happened ---

    def _list_requests(self, body: Any, origin: str) -> list[dict[str, Any]]:
        return self._parts.requests.list_entries()

    def _list_subscriptions(self, body: Any, origin: str) -> list[dict[str, Any]]:
        self._parts.deliveries.book.drop_expired(self._parts.tenant.clock.now())
        return [_describe_openly(held) for held in self._parts.deliveries.book.list_all()]

    def _count_deliveries(self, body: Any, origin: str) -> dict[str, int]:
        deliveries = self._parts.deliveries
        return {"waiting": len(deliveries.outbox), "sending": deliveries.delivery.sending}


def _check_user(members: Mapping[str, Any]) -> None:
    """Check what a person is said to be.

    Raises:
        ValueError: something that there is not; says which.
        GraphFault: a time zone that there is not.
    """
    check_addresses("address", [members["address"]])
    for name in ("aliases", "delegates", "members"):
        check_addresses(name, members.get(name, []))
    for name, known in _USER_CHOICES.items():
        if members.get(name, known[0]) not in known:
            raise ValueError(f"'{name}' must be one of {', '.join(known)}")
    need_zone(members.get("time_zone", "UTC"))


def _read_json(request: ControlRequest) -> Any:
    try:
        return read_json(request.raw) if request.raw else {}
    except (ValueError, RecursionError) as error:
        raise ControlFault(400, "the body is not JSON") from error


def _describe_openly(subscription: Subscription) -> dict[str, Any]:
    """Show a subscription with its client state, which Graph never does."""
    return describe(subscription) | {"clientState": subscription.client_state}
