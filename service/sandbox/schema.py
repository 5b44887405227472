"""Holds what a client sends against Graph's types; must never ignore an unknown member or a wrong type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from service.sandbox.moments import is_never, parse_day, parse_instant
from service.sandbox.schema_types import ENUMS, SHAPES
from service.sandbox.wire import GraphFault

Json = dict[str, Any]
NAVIGATION: Final = {"event": ("singleValueExtendedProperties", "singleValueLegacyExtendedProperty*")}


@dataclass(frozen=True, slots=True)
class Member:
    """The type of a property."""

    type: str
    is_collection: bool


@cache
def members_of(type_name: str) -> dict[str, Member]:
    """Give every property of a type, those of its base types too."""
    base, own = SHAPES[type_name]
    found = dict(members_of(base)) if base else {}
    for item in own.split():
        name, _, kind = item.partition(":")
        found[name] = Member(kind.rstrip("*"), kind.endswith("*"))
    return found


def read_body(body: Any, type_name: str) -> Json:
    """Check an entity that a client sent; gives it without annotations, enums in Graph's spelling.

    Raises:
        GraphFault: 400 at the first member that is unknown or of another type.
    """
    if not isinstance(body, dict):
        raise GraphFault(400, "BadRequest", "Empty Payload. JSON content expected.")
    return _read_members(body, type_name, path="", any_case=False)


def read_parameters(body: Any, parameters: dict[str, str]) -> Json:
    """Check the parameters of an action; their names match in any case, as do all below them.

    Args:
        parameters: name to type, `*` for a collection.

    Raises:
        GraphFault: 400 for an unknown parameter or a wrong type.
    """
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise GraphFault(400, "BadRequest", "Unable to read JSON request payload.")
    known = {name.lower(): (name, kind) for name, kind in parameters.items()}
    found: Json = {}
    for given, value in body.items():
        if "@odata." in given:
            continue
        if given.lower() not in known:
            raise GraphFault(
                400,
                "RequestBodyRead",
                f"The parameter '{given}' in the request payload is not a valid parameter.",
            )
        name, kind = known[given.lower()]
        member = Member(kind.rstrip("*"), kind.endswith("*"))
        found[name] = _read_value(value, member, path=name, any_case=True)
    return found


def _read_members(body: Json, type_name: str, *, path: str, any_case: bool) -> Json:
    known = members_of(type_name)
    if type_name in NAVIGATION and not path:
        name, kind = NAVIGATION[type_name]
        known = known | {name: Member(kind.rstrip("*"), is_collection=True)}
    folded = {name.lower(): name for name in known} if any_case else {}
    found: Json = {}
    for given, value in body.items():
        if given.startswith("@odata.") or "@odata." in given:
            continue
        name = folded.get(given.lower(), given)
        if name not in known:
            raise GraphFault(
                400,
                "RequestBodyRead",
                f"The property '{given}' does not exist on type 'microsoft.graph.{type_name}'. Make sure to "
                "only use property names that are defined by the type.",
            )
        found[name] = _read_value(value, known[name], path=f"{path}/{name}".strip("/"), any_case=any_case)
    return found


def _read_value(value: Any, member: Member, *, path: str, any_case: bool) -> Any:
    if value is None:
        return None
    if member.is_collection:
        if not isinstance(value, list):
            raise _mismatch(value, path, f"Collection({member.type})")
        single = Member(member.type, is_collection=False)
        if None in value:
            raise _mismatch(None, path, member.type)
        return [_read_value(item, single, path=path, any_case=any_case) for item in value]
    if member.type in SHAPES:
        if not isinstance(value, dict):
            raise _mismatch(value, path, member.type)
        return _read_members(value, member.type, path=path, any_case=any_case)
    if member.type in ENUMS:
        return _read_enum(value, member.type, path)
    return _read_primitive(value, member.type, path, lenient=any_case)


def _read_enum(value: Any, type_name: str, path: str) -> str:
    names = {name.lower(): name for name in ENUMS[type_name].split()}
    if not isinstance(value, str) or value.lower() not in names:
        raise GraphFault(
            400,
            "RequestBodyRead",
            f"Requested value '{value}' was not found for '{path}' of type 'microsoft.graph.{type_name}'.",
        )
    return names[value.lower()]


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_PRIMITIVES: Final[dict[str, Callable[[Any], bool]]] = {
    "String": lambda value: isinstance(value, str),
    "Binary": lambda value: isinstance(value, str),
    "Guid": lambda value: isinstance(value, str),
    "TimeOfDay": lambda value: isinstance(value, str),
    "Boolean": lambda value: isinstance(value, bool),
    "Int32": lambda value: _is_int(value) and -(2**31) <= value < 2**31,
    "Double": lambda value: _is_int(value) or isinstance(value, float),
    "Date": lambda value: isinstance(value, str),
    "DateTimeOffset": lambda value: isinstance(value, str),
}


def _read_primitive(value: Any, type_name: str, path: str, *, lenient: bool) -> Any:
    if lenient and type_name == "Boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"  # actions of Outlook take it so
    if not _PRIMITIVES[type_name](value):
        raise _mismatch(value, path, f"Edm.{type_name}")
    if is_never(str(value)):
        return value  # a client gives back what it read, such as the time of an answer that was never given
    if type_name == "Date":
        parse_day(value, path=path)
    elif type_name == "DateTimeOffset":
        parse_instant(value, path=path)
    return value


def _mismatch(value: Any, path: str, wanted: str) -> GraphFault:
    return GraphFault(
        400,
        "RequestBodyRead",
        f"Cannot convert the literal '{str(value)[:60]}' to the expected type '{wanted}' of '{path}'.",
    )
