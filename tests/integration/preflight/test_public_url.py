"""What stands between Graph and us, and does not let through what it should."""

from __future__ import annotations

import ssl

from aiohttp import web

from service.preflight.finding import Finding, State
from service.preflight.public_url import PublicUrl, check_public_url
from tests.integration.serving import serving
from tests.ports import choose_port


async def look(url: str) -> dict[str, Finding]:
    public = PublicUrl(url=url, trust=ssl.create_default_context(), is_local=True, timeout_s=20)
    return {one.subject: one async for one in check_public_url(public)}


async def test_a_page_that_asks_to_sign_in_is_no_way_to_us() -> None:
    async def sign_in(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/login"})

    async with serving(sign_in) as url:
        found = await look(url)
    assert found["public URL"].detail == "the handshake was answered with 302"
    assert "without sign-in" in found["public URL"].remedy
    assert "public URL, lifecycle" not in found


async def test_who_answers_the_handshake_in_our_place_is_noticed() -> None:
    async def answer_all(request: web.Request) -> web.Response:
        return web.Response(text="<html>welcome</html>", content_type="text/html")

    async with serving(answer_all) as url:
        assert (await look(url))["public URL"].detail == "the handshake was answered, but not by us"


async def test_one_route_that_leads_elsewhere_and_a_firewall_before_bodies_are_told_each() -> None:
    async def filter_all(request: web.Request) -> web.Response:
        token = request.query.get("validationToken")
        if token is None:
            return web.Response(status=403)
        return web.Response(text=token, status=404 if "lifecycle" in request.path else 200)

    async with serving(filter_all) as url:
        found = await look(url)
    assert {subject: one.state for subject, one in found.items()} == {
        "DNS of public URL": State.OK,
        "public URL": State.OK,
        "public URL, lifecycle": State.FAULT,
        "public URL, notification": State.FAULT,
    }
    assert "JSON body" in found["public URL, notification"].remedy


async def test_an_address_where_nobody_listens_is_told() -> None:
    found = await look(f"http://127.0.0.1:{choose_port()}")
    assert "cannot be reached" in found["public URL"].detail
    assert "Start the role web" in found["public URL"].remedy
