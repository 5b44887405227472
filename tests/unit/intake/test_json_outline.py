"""How much a JSON text holds and how deep it goes, told without decoding it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.json_outline import draw_outline, is_deeper

PLENTY = 10_000


def depth_by_scanning(text: bytes) -> tuple[int, bool]:
    """Give the greatest depth, and whether every bracket closes, by looking at one byte after another."""
    depth = greatest = 0
    is_in_string = is_escaped = False
    for byte in text.decode("latin-1"):
        if is_in_string:
            is_in_string = is_escaped or byte != '"'
            is_escaped = not is_escaped and byte == "\\"
        elif byte == '"':
            is_in_string = True
        elif byte in "[{":
            depth += 1
            greatest = max(greatest, depth)
        elif byte in "]}":
            depth -= 1
    return greatest, depth == 0 and not is_in_string


json_values = st.recursive(
    st.text(alphabet='[]{}"\\,a\n', max_size=6) | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet='[]{}"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=25,
)


@given(json_values, st.integers(1, 6), st.sampled_from([None, 1]))
def test_depth_is_that_of_looking_at_every_byte(value: object, depth_max: int, indent: int | None) -> None:
    text = json.dumps(value, indent=indent).encode()
    outline = draw_outline(text, marks_max=PLENTY)
    assert outline is not None
    depth, closes = depth_by_scanning(text)
    assert closes
    assert is_deeper(outline, depth_max) is (depth > depth_max)


@given(st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b",", b"x"]), max_size=60))
def test_of_anything_else_no_depth_is_missed(pieces: list[bytes]) -> None:
    """A backslash outside of strings is no JSON, and may be read either way."""
    text = b"".join(pieces)
    outline = draw_outline(text, marks_max=PLENTY)
    assert outline is not None
    depth, _ = depth_by_scanning(text)
    if depth > 3 and b"\\" not in text and b"]" not in text and b"}" not in text:
        assert is_deeper(outline, 3)


@pytest.mark.parametrize("mark", [b",", b'"', b"[", b"]", b"{", b"}", b"\\"])
def test_as_many_marks_as_allowed_pass_and_one_more_does_not(mark: bytes) -> None:
    assert draw_outline(b"x".join([mark] * 10), marks_max=10) is not None
    assert draw_outline(b"x".join([mark] * 11), marks_max=10) is None


def build_hostile(size: int) -> dict[str, bytes]:
    """Give texts of about this many bytes, each of another kind of too much."""
    return {
        "string": b'{"value":["' + b"x" * size + b'"]}',
        "blanks": b'{"value":[' + b" " * size + b"]}",
        "escaped quotes": b'{"value":["' + b'\\"' * (size // 2) + b'"]}',
        "backslashes": b'{"value":["' + b"\\\\" * (size // 2) + b'"]}',
        "openers": b"[" * size,
        "pairs": b'{"value":[' + b"[]," * (size // 3) + b"[]]}",
        "numbers": b'{"value":[' + b"1," * (size // 2) + b"1]}",
        "quotes": b'"' * size,
        "towers": b'{"value":[' + (b"[" * 30 + b"]" * 30) * (size // 60) + b"]}",
    }


@pytest.mark.parametrize("kind", sorted(build_hostile(10)))
def test_work_grows_no_faster_than_the_text(kind: str) -> None:
    """Four times the text may take eight times as long; what is quadratic takes sixteen times."""

    def measure(text: bytes) -> float:
        began = time.process_time()
        outline = draw_outline(text, marks_max=len(text))
        if outline is not None:
            is_deeper(outline, 32)
        return time.process_time() - began

    small, large = build_hostile(500_000)[kind], build_hostile(2_000_000)[kind]
    best_small, best_large = (min(measure(text) for _ in range(4)) for text in (small, large))
    assert best_large < 8 * best_small + 0.01
