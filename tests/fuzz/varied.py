"""One target under Hypothesis, where there is no Atheris: its corpus with bytes put in and taken out."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

_EXAMPLES: int = 500
_changes = st.lists(
    st.tuples(st.integers(0, 2**16), st.integers(0, 4), st.binary(max_size=8)), min_size=1, max_size=6
)


def change(seed: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Take out some bytes and put in others, at each of these places."""
    for place, taken_out, put_in in changes:
        at = place % (len(seed) + 1)
        seed = seed[:at] + put_in + seed[at + taken_out :]
    return seed


def main() -> None:
    """Read the arguments (target, corpus, seconds) and vary until the time is over."""
    name, corpus, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    seeds = [file.read_bytes() for file in sorted(corpus.iterdir())]

    @settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.binary(max_size=2000) | st.builds(change, st.sampled_from(seeds), _changes))
    def try_one(data: bytes) -> None:
        TARGETS[name](data)

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try_one()


if __name__ == "__main__":
    main()
