"""Whatever is sent, Graph answers: with what was asked, or with a refusal in its own shape."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sandbox.tenant import WINDOW, Tenant, meeting, weekly

ADDRESS = "meganb@contoso.onmicrosoft.com"
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from([
        *("2026-12-01T10:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999", "1601-01-01", "Mars"),
        *("Tokyo Standard Time", "daily", "weekly", "noEnd", "endDate", "private", "true", ADDRESS),
    ]),
    st.sampled_from([[], {}, [None], [{}], {"dateTime": "1601-01-01", "timeZone": "Tokyo Standard Time"}]),
)  # fmt: skip


@st.composite
def disturbed(draw: st.DrawFn, whole: Any) -> Any:
    """Give a good body of which some parts were replaced, taken out or added."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ODD)
    if isinstance(whole, dict):
        kept = {name: draw(disturbed(value)) for name, value in whole.items() if draw(st.integers(0, 14))}
        return kept | ({draw(st.text(max_size=5)): draw(ODD)} if draw(st.integers(0, 14)) == 0 else {})
    return [draw(disturbed(one)) for one in whole] if isinstance(whole, list) else whole


GOOD = meeting(
    ADDRESS,
    body={"contentType": "html", "content": "<p>Text</p>"},
    location={"displayName": "Attic"},
    isAllDay=False,
    sensitivity="normal",
    recurrence=weekly(3),
)


@settings(max_examples=60, deadline=None)
@given(
    made=disturbed(GOOD), changed=disturbed(GOOD), answer=disturbed({"comment": "Yes", "sendResponse": True})
)
async def test_a_disturbed_body_is_taken_or_refused(made: Any, changed: Any, answer: Any) -> None:
    tenant = Tenant()
    first = await tenant.ask("alex", "POST", "/me/events", made)
    assert first.status in (201, 400)
    held = await tenant.meet("megan", recurrence=weekly(2))
    for path in (f"/me/events/{held['id']}", f"/me/events/{(await tenant.instances('alex', held))[1]['id']}"):
        # 404: without its recurrence the series has no second occurrence any more
        assert (await tenant.ask("alex", "PATCH", path, changed)).status in (200, 400, 404)
    for event in await tenant.listed("megan", "/me/events"):
        given = await tenant.ask("megan", "POST", f"/me/events/{event['id']}/decline", answer)
        assert given.status in (202, 400)
    for who, path in (
        ("alex", "/me/events?$top=50"),
        ("alex", f"/me/calendarView?{WINDOW}"),
        ("alex", f"/me/calendarView/delta?{WINDOW}"),
        ("megan", "/me/messages?$expand=microsoft.graph.eventMessage/event"),
        ("adele", "/me/mailFolders/inbox/messages/delta"),
    ):
        json.dumps(await tenant.get(who, path))


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(
        ["$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count", "$search", "x"]
    ),
    value=st.one_of(
        st.text(max_size=30),
        st.text(alphabet="()',;:/$= eqandorany\\ isReadsubject0123456789TZ", max_size=60),
    ),
    kind=st.sampled_from(["messages", "events", "mailFolders/inbox/messages/delta", "calendars"]),
)
async def test_a_disturbed_option_is_taken_or_refused(name: str, value: str, kind: str) -> None:
    tenant = Tenant()
    await tenant.answer("megan", await tenant.meet("megan"))
    request = await tenant.ask("adele", "GET", f"/me/{kind}", prefer=value.replace("\n", " "))
    assert request.status in (200, 400)
    query = ((name, value),)
    answer = await tenant.ask("adele", "GET", f"/me/{kind}", query=query)
    assert answer.status in (200, 400)
    assert answer.status == 200 or answer.body["error"]["code"]
