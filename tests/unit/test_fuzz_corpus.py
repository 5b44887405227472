"""The corpus of the fuzzing command: every input that ever taught something is tried again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.fuzz.__main__ import NAMES
from tests.fuzz.targets import TARGETS, seal
from tests.fuzz.varied import change

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())


def test_every_target_has_a_corpus() -> None:
    assert set(NAMES) == set(TARGETS) == {path.parent.name for path in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_of_the_corpus_does_no_harm(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


def test_a_target_tells_where_something_was_believed() -> None:
    """What is encrypted for our key is opened: were it foreign, the target would say so."""
    with pytest.raises(AssertionError, match="not encrypted for our key"):
        TARGETS["decryption"](msgspec.json.encode(seal(b'{"id": "x"}')))


def test_bytes_are_put_in_and_taken_out() -> None:
    assert change(b"abcdef", [(1, 2, b"X"), (101, 0, b"Y")]) == b"aXdefY"
