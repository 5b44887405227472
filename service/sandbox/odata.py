"""Reads query options and Prefer headers, pages collections. Whatever is not known is refused, never ignored.

Source: https://learn.microsoft.com/graph/query-parameters
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

from service.sandbox.extended import PropertyId, parse_property_id
from service.sandbox.moments import need_zone
from service.sandbox.schema import members_of
from service.sandbox.schema_types import SHAPES
from service.sandbox.wire import GraphFault, GraphRequest

T = TypeVar("T")
TOP_MAX: Final = 1000
PAGE: Final = 10
_DIGITS_MAX: Final = 20
_CAST: Final = re.compile(r"^(?:microsoft\.)?graph\.(\w+)$", re.IGNORECASE)
_SPELLED: Final = {shape.lower(): shape for shape in SHAPES}
_PREFERENCE: Final = re.compile(r'\s*([\w.-]+)\s*(?:=\s*("([^"]*)"|[^\s,;]+))?\s*(?:[,;]|$)')
_ONE_ID: Final = re.compile(r"^\s*\(?\s*id\s+eq\s+'((?:[^']|'')*)'\s*\)?\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What `Prefer` asked for, and of that what was applied.

    Attributes:
        zone: name of a time zone; None where none was asked for.
        page: `odata.maxpagesize`; None where none was asked for.
        applied: for `Preference-Applied`.
    """

    zone: str | None = None
    is_immutable: bool = False
    is_text: bool = False
    page: int | None = None
    applied: tuple[str, ...] = ()


def parse_preferences(header: str) -> Preferences:
    """Read a `Prefer` header; preferences that mean nothing to Graph are not applied.

    Raises:
        GraphFault: 400 for a time zone that there is not, or a page size that is no number.
    """
    zone, immutable, text, page, applied = None, False, False, None, []
    for name, raw, quoted in _PREFERENCE.findall(header):
        value = quoted or raw
        match name.lower():
            case "outlook.timezone":
                need_zone(value)
                zone = value
            case "idtype":
                immutable = value.lower() == "immutableid"
                if not immutable:
                    continue
            case "outlook.body-content-type":
                text = value.lower() == "text"
            case "odata.maxpagesize":
                page = read_number(value, "odata.maxpagesize", minimum=1)
            case _:
                continue
        applied.append(f"{name}={raw}")
    return Preferences(zone=zone, is_immutable=immutable, is_text=text, page=page, applied=tuple(applied))


def read_number(text: str, name: str, *, minimum: int, maximum: int = 2**31) -> int:
    """Read a whole number of an option.

    Raises:
        GraphFault: 400 for what is none, or is out of range.
    """
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    if not is_number or not minimum <= int(text) <= maximum:
        raise GraphFault(
            400,
            "ErrorInvalidUrlQuery",
            f"The value '{text[:64]}' of '{name}' must be a number from {minimum} to {maximum}.",
        )
    return int(text)


@dataclass(frozen=True, slots=True)
class Expanded:
    """A part of `$expand`: a navigation property, with a cast before it where it is of a derived type."""

    name: str
    cast: str
    options: Mapping[str, str]


class Options:
    """The query options of one request."""

    def __init__(self, request: GraphRequest, allowed: Collection[str]) -> None:
        """Read them.

        Args:
            allowed: names that this resource takes, system options with their `$`.

        Raises:
            GraphFault: 400 for any other, for a repeated one, and for numbers out of range.
        """
        known = {name.lower(): name for name in allowed}
        self.values: dict[str, str] = {}
        for name, value in request.query:
            if name.lower() not in known:
                raise GraphFault(
                    400, "BadRequest", f"The query parameter '{name}' is not supported on this resource."
                )
            if known[name.lower()] in self.values:
                raise GraphFault(400, "BadRequest", f"Query option '{name}' was specified more than once.")
            self.values[known[name.lower()]] = value
        self._request = request
        self.top = self._read_number("$top", 1, TOP_MAX)
        self.skip = self._read_number("$skip", 0, 2**31) or 0

    def text(self, name: str) -> str | None:
        """Give an option as it came; None where it is absent."""
        return self.values.get(name)

    def need(self, name: str) -> str:
        """Give an option.

        Raises:
            GraphFault: 400 where it is absent.
        """
        value = self.values.get(name)
        if not value:
            raise GraphFault(
                400,
                "ErrorInvalidParameter",
                "This request requires a time window specified by the query string parameters. "
                f"'{name}' is missing.",
            )
        return value

    @property
    def wants_count(self) -> bool:
        value = self.values.get("$count", "false").lower()
        if value not in ("true", "false"):
            raise GraphFault(400, "BadRequest", f"'{value}' is not a valid value for '$count'.")
        return value == "true"

    def _read_number(self, name: str, minimum: int, maximum: int) -> int | None:
        value = self.values.get(name)
        return None if value is None else read_number(value, name, minimum=minimum, maximum=maximum)

    def page(self, items: Sequence[T], *, size: int) -> tuple[Sequence[T], str | None]:
        """Give one page and the link to the next; None where this is the last."""
        size = self.top or size
        page = items[self.skip : self.skip + size]
        if self.skip + size >= len(items):
            return page, None
        pairs = [(name, value) for name, value in self._request.query if name.lower() != "$skip"]
        return page, link(self._request, [*pairs, ("$skip", str(self.skip + size))])


def link(request: GraphRequest, query: Iterable[tuple[str, str]]) -> str:
    """Give the URL of the same resource with another query, on the origin that the caller used."""
    path = "/".join(quote(segment, safe="$()'.!*@-_~") for segment in request.segments)
    return f"{request.base_url}/{path}?{urlencode(list(query), quote_via=quote, safe='$()')}"


@lru_cache(maxsize=256)
def split_list(text: str, mark: str = ",") -> tuple[str, ...]:
    """Split at a mark outside of parentheses and quotes; parts are stripped, empty ones dropped."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, sign in enumerate(text):
        if sign == "'":
            quoted = not quoted
        elif not quoted and sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == mark and not quoted and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    if depth or quoted:
        raise GraphFault(400, "BadRequest", f"Syntax error: unbalanced parentheses or quotes in '{text}'.")
    return tuple(part.strip() for part in [*parts, text[start:]] if part.strip())


@lru_cache(maxsize=256)
def parse_select(text: str | None, type_name: str) -> tuple[str, ...] | None:
    """Read `$select`; members of a derived type need its name before them, as a cast.

    Returns:
        Names without their casts; None where everything is wanted.

    Raises:
        GraphFault: 400 for a property that the type does not have.
    """
    if text is None:
        return None
    names: list[str] = []
    for part in split_list(text):
        cast, name = split_cast(part)
        owner = cast or type_name
        if name == "*":
            return None
        if not _is_of(owner, type_name) or name not in members_of(owner):
            raise _bad_select(part, type_name)
        names.append(name)
    if not names:
        raise _bad_select(text, type_name)
    return tuple(names)


def _is_of(cast: str, type_name: str) -> bool:
    """Tell whether a cast leads from a type to itself or to one that is derived from it."""
    while cast in SHAPES and cast != type_name:
        cast = SHAPES[cast][0]
    return cast == type_name


def split_cast(text: str) -> tuple[str, str]:
    """Split `microsoft.graph.eventMessage/event` into type and name; the type is empty without a cast."""
    before, slash, name = text.rpartition("/")
    if not slash:
        return "", text
    cast = _CAST.match(before)
    if cast is None:
        return "?", name
    return _SPELLED.get(cast[1].lower(), "?"), name


def parse_cast(segment: str) -> str | None:
    """Give the type that a path segment casts to; None where the segment is no cast."""
    cast = _CAST.match(segment)
    return cast[1] if cast else None


def _bad_select(name: str, type_name: str) -> GraphFault:
    return GraphFault(
        400,
        "BadRequest",
        f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type "
        f"'microsoft.graph.{type_name}'.",
    )


def parse_expand(text: str | None, allowed: Collection[str], type_name: str) -> dict[str, Expanded]:
    """Read `$expand`.

    Args:
        allowed: navigation properties, with their cast where they are of a derived type, such as
            `eventMessage/event`.

    Returns:
        By name.

    Raises:
        GraphFault: 400 for one that the type does not have, or an option inside that is not known.
    """
    found: dict[str, Expanded] = {}
    for part in split_list(text or ""):
        name, _, inside = part.partition("(")
        cast, plain = split_cast(name.strip())
        if (f"{cast}/{plain}" if cast else plain) not in allowed:
            raise _bad_select(name, type_name)
        options = dict(_inner_option(option) for option in split_list(inside.removesuffix(")"), ";"))
        found[plain] = Expanded(plain, cast, options)
    return found


def _inner_option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name.strip() not in ("$filter", "$select"):
        raise GraphFault(400, "BadRequest", f"Parsing OData Select and Expand failed: '{text}'.")
    return name.strip(), value.strip()


def parse_property_filter(expanded: Expanded) -> tuple[PropertyId, ...]:
    """Read which extended properties are to come along.

    Raises:
        GraphFault: 400 where there is no filter, or one that does more than name ids.
    """
    text = expanded.options.get("$filter", "").strip()
    found = [_ONE_ID.match(part) for part in re.split(r"\s+or\s+", text)]
    ids = [one[1].replace("''", "'") for one in found if one is not None]
    if len(ids) < len(found) or "$select" in expanded.options:
        raise GraphFault(
            400,
            "ErrorInvalidUrlQueryFilter",
            "Extended properties are expanded by a filter on their ids: $filter=id eq '...' or id eq '...'.",
        )
    return tuple(dict.fromkeys(parse_property_id(id_) for id_ in ids))


def parse_order(
    text: str | None, sortable: Collection[str], filtered: Sequence[str]
) -> tuple[tuple[str, bool], ...]:
    """Read `$orderby`: names and whether descending.

    Args:
        filtered: properties named by `$filter`: it must begin with those of the order, in their order.

    Raises:
        GraphFault: 400 for one that cannot be sorted by, and for an order that Exchange finds inefficient.
    """
    order = []
    for part in split_list(text or ""):
        name, _, direction = part.partition(" ")
        if name not in sortable or direction.strip().lower() not in ("", "asc", "desc"):
            raise GraphFault(400, "ErrorInvalidUrlQuery", f"The property '{name}' does not support sorting.")
        order.append((name, direction.strip().lower() == "desc"))
    wanted = list(dict.fromkeys(filtered))
    if order and wanted and wanted[: len(order)] != [name for name, _ in order]:
        raise GraphFault(
            400, "InefficientFilter", "The restriction or sort order is too complex for this operation."
        )
    return tuple(order)
