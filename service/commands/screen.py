"""What commands put on a terminal. Text from outside is data: it never reaches the markup or the cursor."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.logs import escape_controls

CELL_MAX = 160
PIPE_WIDTH = 160


def open_screen(*, is_error: bool = False) -> Console:
    """Give a console that takes text as it is: no markup, no emoji codes, no guessed colours."""
    stream = sys.stderr if is_error else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False, soft_wrap=True)


def show_text(given: object, style: str = "", *, length_max: int = CELL_MAX) -> Text:
    """Make foreign text fit for one line of a terminal: controls written out, shortened when too long."""
    line = escape_controls(str(given)).replace("\n", "\\n").replace("\t", " ")
    if len(line) > length_max:
        line = line[: length_max - 3] + "..."
    return Text(line, style=style)


def build_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Put rows into a table; a cell that is a `Text` keeps its style, all others are foreign text."""
    table = Table(title=show_text(title, "bold"), box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else show_text(cell) for cell in row))
    return table


def print_json(value: Any) -> None:
    """Write one JSON document as one line of ASCII to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, default=str) + "\n")
    sys.stdout.flush()
