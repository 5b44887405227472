"""The limit on open files is raised as far as the connections need."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [(100, 5000, 2200), (3000, 5000, 3000), (100, 500, 500)],
    ids=["raised", "left as it is", "raised as far as allowed"],
)
def test_the_limit_on_open_files_is_never_lowered(soft: int, hard: int, expected: int) -> None:
    program = f"""
        import resource
        from service.intake.open_files import allow_connections
        resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
        allow_connections(2000)
        print(*resource.getrlimit(resource.RLIMIT_NOFILE))
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout.splitlines()[-1] == f"{expected} {hard}"
    assert ("web.files_limited" in ended.stdout) is (expected < 2200)
