"""How `resync` shows how far it is: a bar on a terminal, a line per change anywhere else."""

from __future__ import annotations

import io
import sys

import pytest

from service.commands.resync import _open_display


class Screen(io.StringIO):
    """Standard error, of a terminal or of a pipe."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def play(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> str:
    """Show a resync of four mailboxes; gives all that was written."""
    screen = Screen(is_terminal=is_terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with _open_display() as display:
        display.show(0, 4, "")
        display.show(1, 4, "; 2 under way: 3 pages, 120 items")
        display.show(1, 4, "; 2 under way: 5 pages, 190 items")
        display.show(4, 4, "")
    return screen.getvalue()


def test_on_a_terminal_a_bar_fills_up(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = play(monkeypatch, is_terminal=True)
    assert "━" in drawn
    assert "4/4" in drawn
    assert "\x1b[?25h" in drawn, "the cursor is shown again"


def test_in_a_pipe_there_is_one_line_per_mailbox_that_is_done_and_nothing_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert play(monkeypatch, is_terminal=False).splitlines() == [
        "0 of 4 mailboxes read in full",
        "1 of 4 mailboxes read in full; 2 under way: 3 pages, 120 items",
        "4 of 4 mailboxes read in full",
    ]
