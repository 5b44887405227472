"""How much a JSON text holds and how deep it goes, told without decoding it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.json_outline import MeasuredText, count_parts, is_deeper, measure_text, strip_strings

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
    st.text(alphabet='[]{}"\\,:a\n', max_size=6) | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet='[]{}"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=25,
)


@given(json_values, st.integers(1, 6), st.sampled_from([None, 1]))
def test_depth_is_that_of_looking_at_every_byte(value: object, depth_max: int, indent: int | None) -> None:
    text = json.dumps(value, indent=indent).encode()
    outline = measure_text(text, marks_max=PLENTY).outline
    depth, closes = depth_by_scanning(text)
    assert closes
    assert is_deeper(strip_strings(outline), depth_max) is (depth > depth_max)


def measure_pieces(text: bytes, cuts: list[int]) -> MeasuredText:
    """Measure a text that comes in pieces, and look at its outline after each."""
    measured = MeasuredText(5)
    for begin, end in itertools.pairwise([0, *sorted(min(one, len(text)) for one in cuts), len(text)]):
        measured.add(text[begin:end])
        assert len(measured.outline) <= end
    return measured


@given(
    st.lists(st.sampled_from([b"[", b"]", b'"', b"\\", b",", b"x"]), max_size=30),
    st.lists(st.integers(0, 30)),
)
def test_wherever_a_text_is_cut_its_outline_is_the_same(pieces: list[bytes], cuts: list[int]) -> None:
    text = b"".join(pieces)
    cut = measure_pieces(text, cuts)
    whole = measure_text(text, marks_max=5)
    assert (bytes(cut.text), cut.outline) == (text, whole.outline)
    assert cut.weight <= measure_text(text, marks_max=5).weight, "of a short text the most that it can weigh"
    assert (cut.weight, cut.has_too_many_marks) == (whole.weight, whole.has_too_many_marks)


@given(st.binary(max_size=20) | st.text(max_size=10).map(str.encode), st.lists(st.integers(0, 20)))
def test_wherever_a_text_is_cut_it_is_utf_8_or_is_not(text: bytes, cuts: list[int]) -> None:
    cut = measure_pieces(text, cuts)
    try:
        text.decode()
    except UnicodeDecodeError:
        assert not cut.is_utf8
    else:
        assert cut.is_utf8


@given(json_values)
def test_parts_are_lists_and_objects_or_what_is_in_lists(value: object) -> None:
    """Neither can be more than is counted from the outline, nor is more counted than both together."""
    parts = count_parts(strip_strings(measure_text(json.dumps(value).encode(), marks_max=PLENTY).outline))
    lists = [one for one in walk(value) if isinstance(one, list)]
    containers = len(lists) + sum(isinstance(one, dict) for one in walk(value))
    assert max(containers, sum(map(len, lists))) <= parts <= containers + sum(map(len, lists))


def walk(value: object) -> Iterator[object]:
    """Give a value, and all that is in it."""
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from walk(one)


@given(st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b",", b"x"]), max_size=60))
def test_of_anything_else_no_depth_is_missed(pieces: list[bytes]) -> None:
    """A backslash outside of strings is no JSON, and may be read either way."""
    text = b"".join(pieces)
    outline = measure_text(text, marks_max=PLENTY).outline
    depth, _ = depth_by_scanning(text)
    if depth > 3 and b"\\" not in text and b"]" not in text and b"}" not in text:
        assert is_deeper(strip_strings(outline), 3)


@pytest.mark.parametrize("mark", [b",", b":", b'"', b"[", b"]", b"{", b"}", b"\\"])
def test_as_many_marks_as_allowed_pass_and_one_more_does_not(mark: bytes) -> None:
    assert not measure_text(b"x".join([mark] * 10), marks_max=10).has_too_many_marks
    assert measure_text(b"x".join([mark] * 11), marks_max=10).has_too_many_marks


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
        began = time.thread_time()
        is_deeper(strip_strings(measure_text(text, marks_max=len(text)).outline), 32)
        return time.thread_time() - began

    small, large = build_hostile(500_000)[kind], build_hostile(2_000_000)[kind]
    best_small, best_large = (min(measure(text) for _ in range(4)) for text in (small, large))
    assert best_large < 8 * best_small + 0.01
