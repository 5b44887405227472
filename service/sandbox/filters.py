"""Reads `$filter` and applies it. Refuses what Graph refuses, and loudly what the sandbox does not know.

Source: https://learn.microsoft.com/graph/filter-query-parameter
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, Literal, TypeVar

from service.sandbox.extended import parse_property_id
from service.sandbox.moments import parse_instant, parse_wall
from service.sandbox.wire import GraphFault

T = TypeVar("T")
Kind = Literal["text", "exact", "bool", "int", "instant", "wall", "texts", "property", "properties"]
Test = Callable[[Any], bool]
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z_$@][\w.$@]*(?:/[A-Za-z_$@][\w.$@]*)*)"
    r"|(?P<instant>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?|\d{4}-\d\d-\d\d)|(?P<number>-?\d+)|(?P<mark>[(),:]))"
)
_TOKENS_MAX: Final = 400
_DEPTH_MAX: Final = 100
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    # what is null is neither before nor after anything
    "gt": lambda a, b: None not in (a, b) and a > b,
    "ge": lambda a, b: None not in (a, b) and a >= b,
    "lt": lambda a, b: None not in (a, b) and a < b,
    "le": lambda a, b: None not in (a, b) and a <= b,
}
# what is said of a property, where that is not every comparison
_OPERATORS: Final[dict[str, tuple[str, ...]]] = {
    "bool": ("eq", "ne"),
    "property": ("eq", "ne"),
    "texts": (),
    "properties": (),
}
_FUNCTIONS: Final[dict[str, Callable[[str, str], bool]]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": lambda whole, part: part in whole,
}


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """A property that may be filtered by.

    Attributes:
        kind: how literals are read; `text` compares in any case, `exact` does not, `wall` is the dateTime of
            a dateTimeTimeZone in UTC, `texts` a collection of strings, `properties` extended properties.
        get: the value in an item.
    """

    kind: Kind
    get: Callable[[T], Any]


@dataclass(frozen=True, slots=True)
class Filter(Generic[T]):
    """A filter that was read.

    Attributes:
        matches: applies it.
        names: the properties it names, in order; `$orderby` must begin with them.
    """

    matches: Callable[[T], bool]
    names: tuple[str, ...]


def parse_filter(text: str, fields: Mapping[str, Field[T]], *, type_name: str) -> Filter[T]:
    """Read a `$filter`.

    Raises:
        GraphFault: 400 for what cannot be read, or for a property that cannot be filtered by.
    """
    tokens = _tokens(text)
    if len(tokens) > _TOKENS_MAX:
        raise _too_complex()
    reader = _Reader(tokens, fields, type_name)
    test = reader.read_or()
    if reader.peek() is not None:
        raise _syntax(text)
    return Filter(test, tuple(reader.names))


def _too_complex() -> GraphFault:
    return GraphFault(400, "ErrorInvalidUrlQueryFilter", "The restriction is too complex for this operation.")


def _syntax(text: str) -> GraphFault:
    return GraphFault(400, "BadRequest", f"Invalid filter clause: syntax error in '{text}'.")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        token = _TOKEN.match(text, at)
        if token is None:
            raise _syntax(text)
        found.append((token.lastgroup or "", token[token.lastgroup or 0]))
        at = token.end()
    return found


class _Reader:
    """Recursive descent over the tokens; each method gives a test."""

    def __init__(
        self, tokens: list[tuple[str, str]], fields: Mapping[str, Field[Any]], type_name: str
    ) -> None:
        self._tokens = tokens
        self._fields = fields
        self._type_name = type_name
        self._at = 0
        self._depth = 0
        self.names: list[str] = []

    def peek(self) -> str | None:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else None

    def read_or(self) -> Test:
        """Read a whole clause; a part in parentheses is one, too.

        Raises:
            GraphFault: 400, also for clauses nested so deeply that reading them would exhaust the stack.
        """
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise _too_complex()
        test = self._read_alternatives()
        self._depth -= 1
        return test

    def _read_alternatives(self) -> Test:
        tests = [self._read_and()]
        while self._take("or"):
            tests.append(self._read_and())
        return tests[0] if len(tests) == 1 else lambda item: any(test(item) for test in tests)

    def _read_and(self) -> Test:
        tests = [self._read_not()]
        while self._take("and"):
            tests.append(self._read_not())
        return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)

    def _read_not(self) -> Test:
        if self._take("not"):
            test = self._read_not()
            return lambda item: not test(item)
        if self._take("("):
            test = self.read_or()
            self._need(")")
            return test
        return self._read_test()

    def _read_test(self) -> Test:
        kind, word = self._next()
        if kind != "word":
            raise _syntax(word)
        if word in _FUNCTIONS and self._take("("):
            return self._read_function(word)
        if word.endswith("/any") and self._take("("):
            return self._read_any(word.removesuffix("/any"))
        field = self._field(word)
        operator = self._next()[1]
        if operator not in _OPERATORS.get(field.kind, _COMPARE):
            raise _syntax(f"{word} {operator}")
        value, compare = self._literal(field.kind, word), _COMPARE[operator]
        return lambda item: compare(_fold(field, field.get(item)), value)

    def _read_function(self, name: str) -> Test:
        word = self._next()[1]
        field = self._field(word)
        if field.kind not in ("text", "exact"):
            raise _syntax(f"{name}({word})")
        self._need(",")
        value, apply = self._literal(field.kind, word), _FUNCTIONS[name]
        if value is None:
            raise _syntax(f"{name}({word}, null)")
        self._need(")")
        if self._take("eq") and self._next()[1] != "true":
            raise _syntax(f"{name}({word}) eq")
        return lambda item: apply(str(_fold(field, field.get(item)) or ""), value)

    def _read_any(self, word: str) -> Test:
        """Read `property/any(x: ...)`; the inside is a filter over one element."""
        field = self._field(word)
        variable = self._next()[1]
        self._need(":")
        inner = _ELEMENTS.get(field.kind)
        if inner is None:
            raise _syntax(f"{word}/any")
        mine, names = self._fields, self.names
        self._fields = {f"{variable}{path}": element for path, element in inner.items()}
        self.names = []
        test = self.read_or()
        self._fields, self.names = mine, names
        self._need(")")
        return lambda item: any(test(element) for element in field.get(item))

    def _field(self, word: str) -> Field[Any]:
        field = self._fields.get(word)
        if field is None:
            raise GraphFault(
                400,
                "ErrorInvalidUrlQueryFilter",
                f"Could not find a property named '{word}' on type 'microsoft.graph.{self._type_name}' "
                "that can be filtered by.",
            )
        self.names.append(word)
        return field

    def _literal(self, kind: Kind, word: str) -> Any:
        """Read the literal that stands against a property, as the property's kind wants it."""
        form, text = self._next()
        if text == "null" and kind != "bool":
            return None
        read = _LITERALS.get((kind, form))
        if read is None or (kind == "bool" and text not in ("true", "false")):
            raise GraphFault(
                400,
                "BadRequest",
                f"Invalid filter clause: a literal of another type was expected for '{word}'.",
            )
        return read(text[1:-1].replace("''", "'") if form == "text" else text)

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise GraphFault(400, "BadRequest", "Invalid filter clause: it ends too early.")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, word: str) -> bool:
        if self.peek() != word or self._tokens[self._at][0] == "text":
            return False
        self._at += 1
        return True

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            raise _syntax(self.peek() or "end of filter")


def _read_instant(text: str) -> datetime:
    return parse_instant(text if "T" in text else f"{text}T00:00:00Z", path="$filter")


def _read_wall(text: str) -> datetime:
    return parse_wall(text, "UTC", path="$filter")


# kind of the property and form of the literal -> how it is read
_LITERALS: Final[dict[tuple[str, str], Callable[[str], Any]]] = {
    ("bool", "word"): lambda text: text == "true",
    ("int", "number"): int,
    ("instant", "instant"): _read_instant,
    ("wall", "text"): _read_wall,
    ("wall", "instant"): _read_wall,
    ("text", "text"): str.casefold,
    ("exact", "text"): str,
    ("property", "text"): parse_property_id,
}


def _fold(field: Field[Any], value: Any) -> Any:
    if field.kind == "text" and isinstance(value, str):
        return value.casefold()
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value


_ELEMENTS: Final[dict[str, dict[str, Field[Any]]]] = {
    "properties": {
        "/id": Field("property", lambda pair: pair[0]),
        "/value": Field("text", lambda pair: pair[1]),
    },
    "texts": {"": Field("text", lambda value: value)},
}
