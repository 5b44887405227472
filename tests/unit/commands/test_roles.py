"""The key of an embedded server's data: made once, and found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.commands.roles import keep_secret_key


def test_a_key_is_made_once_for_nobody_else_to_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    key = keep_secret_key(data)
    assert len(key) == 64
    assert keep_secret_key(data) == key
    assert [file.stat().st_mode & 0o077 for file in (data, *data.iterdir())] == [0, 0]


@pytest.mark.parametrize("left", ["", "\n"])
def test_a_file_that_a_crash_left_empty_gets_its_key(tmp_path: Path, left: str) -> None:
    (tmp_path / "secret-key").write_text(left)
    key = keep_secret_key(tmp_path)
    assert len(key) == 64
    assert keep_secret_key(tmp_path) == key
