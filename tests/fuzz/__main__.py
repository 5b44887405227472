"""Fuzzes what reads foreign bytes, guided by coverage; exit code 1 where a target failed.

    python -m tests.fuzz [TARGET ...] [--seconds 60]

Each target runs in a process of its own, from its corpus in `tests/fuzz/corpus`. Atheris guides it where it
is installed (`pip install .[fuzz]`), else Hypothesis varies the corpus. An input that fails is kept in
`tests/fuzz/failed`; put into the corpus, it is tried by every run of the suite.

Source: https://github.com/google/atheris
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

NAMES: Final = ("notification", "payload", "token", "decryption")
PLACE: Final = Path(__file__).parent
INPUT_BYTES_MAX: Final = 16_384


def run_target(name: str, seconds: int) -> bool:
    """Fuzz one target for a while; tells whether nothing failed."""
    failed = PLACE / "failed"
    failed.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as found:
        words = [sys.executable, "-m", "tests.fuzz.guided", name, found, str(PLACE / "corpus" / name)]
        words += [
            f"-max_total_time={seconds}",
            f"-max_len={INPUT_BYTES_MAX}",
            f"-artifact_prefix={failed}/{name}-",
        ]
        words += ["-print_final_stats=1", "-verbosity=0"]
        if importlib.util.find_spec("atheris") is None:
            words = [
                sys.executable,
                "-m",
                "tests.fuzz.varied",
                name,
                str(PLACE / "corpus" / name),
                str(seconds),
            ]
        return subprocess.run(words, check=False).returncode == 0


def main() -> int:
    """Read the command line and fuzz; gives the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    given = parser.parse_args()
    names = given.names or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(NAMES)}")
    broken = [name for name in names if not run_target(name, given.seconds)]
    sys.stdout.write(f"{len(names)} targets, failed: {', '.join(broken) or 'none'}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
