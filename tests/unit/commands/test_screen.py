"""What reaches a terminal: foreign text as text, updates as one line, attendees as folded from updates."""

from __future__ import annotations

import json

import pytest

from service.commands.screen import build_table, open_screen, show_text
from service.commands.update_text import Attendance, describe_update, format_stream_time
from tests.unit.test_schema import EXAMPLE


def update(**changes: object) -> dict[str, str]:
    """Give the published example as an entry, its data changed as given."""
    return {**EXAMPLE["headers"], "data": json.dumps({**EXAMPLE["payload"], **changes})}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain", "plain"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\u202eevil", "\\u202eevil"),
        ("x" * 200, "x" * 157 + "..."),
        (None, "None"),
    ],
)
def test_foreign_text_is_one_harmless_line(given: object, expected: str) -> None:
    assert show_text(given).plain == expected


def test_a_table_takes_markup_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    open_screen().print(build_table("[red]title", ("a",), [("[blink]cell[/blink]",)]))

    printed = capsys.readouterr().out
    assert "[red]title" in printed
    assert "[blink]cell[/blink]" in printed


def test_an_update_is_one_line() -> None:
    line = describe_update("1766000000000-0", update()).plain

    assert line.startswith("19:33:20.000  response.changed")
    assert "none → tentativelyAccepted (reported)" in line
    assert "“I will probably be able to make it.”" in line
    assert "\n" not in line


@pytest.mark.parametrize("data", ["", "[]", "{", '{"attendee": 3, "response": null}'])
def test_an_update_that_cannot_be_read_is_shown_all_the_same(data: str) -> None:
    assert "response.changed" in describe_update("x", {**EXAMPLE["headers"], "data": data}).plain


def test_a_stream_id_that_holds_no_time_is_shown_without() -> None:
    assert format_stream_time("never") == "--:--:--.---"


def test_attendance_follows_the_updates() -> None:
    seen = Attendance()
    seen.apply(update())
    assert seen.find_answer("christiec@CONTOSO.onmicrosoft.com") == ("tentativelyAccepted", "reported")

    seen.apply({**update(), "type": "responsesync.attendee.removed"})
    assert seen.find_answer("christiec@contoso.onmicrosoft.com") is None


def test_meeting_level_updates_name_no_attendee() -> None:
    seen = Attendance()
    seen.apply(
        {**update(attendee=None, response=None, standing=None), "type": "responsesync.event.cancelled"}
    )

    assert seen.rows == {}
    assert seen.subject == "Let's go for lunch"
