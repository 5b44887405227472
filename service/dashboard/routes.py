"""The paths of the dashboard. Every one is guarded by the admin listener before it comes here.

| path | answer |
| --- | --- |
| `GET /`, `/meetings`, `/dead-letters` | the pages |
| `GET /login`, `POST /login`, `POST /logout` | signing in with ADMIN_TOKEN, and out |
| `GET /assets/{file}` | what the pages load |
| `GET /api/now`, `GET /api/live` | the picture of the moment, once and as server-sent events |
| `GET /api/meetings?q=`, `GET /api/meetings/{owner}/{meeting}` | meetings found; one with its stories |
| `GET /api/dead-letters`, `POST /api/dead-letters/requeue`, `POST /api/dead-letters/drop` | dead letters |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final

from aiohttp import web

from service.dashboard.letters import Letters, answer
from service.dashboard.live import LiveFeed
from service.dashboard.meetings import Meetings
from service.dashboard.observing import Observer
from service.dashboard.pages import OPEN_ASSETS, PATHS, Pages
from service.dashboard.sessions import Sessions, read_token
from service.errors import CommandError, StreamError

OPEN_PATHS: Final = ("/login", *OPEN_ASSETS)
_WORDS_MAX: Final = 500
_WRONG: Final = "That is not the token."
_BARRED: Final = "Too many wrong tokens: wait a minute."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dashboard:
    """Answers what browsers ask of the admin listener."""

    def __init__(
        self,
        *,
        pages: Pages,
        sessions: Sessions,
        observer: Observer,
        feed: LiveFeed,
        meetings: Meetings,
        letters: Letters,
    ) -> None:
        self._pages = pages
        self.sessions = sessions
        self._observer = observer
        self._feed = feed
        self._meetings = meetings
        self._letters = letters

    def list_routes(self) -> list[web.AbstractRouteDef]:
        """Give all paths."""
        return [
            *(web.get(path, self._build_page(name)) for name, path in PATHS.items()),
            web.get("/assets/{name}", self._show_asset),
            web.get("/login", self._show_login),
            web.post("/login", self._sign_in),
            web.post("/logout", self._sign_out),
            web.get("/api/now", _told(self._tell_now)),
            web.get("/api/live", self._feed.serve),
            web.get("/api/meetings", _told(self._find_meetings)),
            web.get("/api/meetings/{owner}/{meeting}", _told(self._tell_meeting)),
            web.get("/api/dead-letters", _told(self._letters.list_page)),
            web.post("/api/dead-letters/requeue", _told(self._letters.requeue)),
            web.post("/api/dead-letters/drop", _told(self._letters.drop)),
        ]

    async def close(self) -> None:
        """Let open pages go, so that the listener can end."""
        await self._feed.close()

    # --- pages ---

    def _build_page(self, name: str) -> Handler:
        async def show(_: web.Request) -> web.Response:
            return self._pages.show(name)

        return show

    async def _show_asset(self, request: web.Request) -> web.Response:
        return self._pages.show_asset(request.match_info["name"])

    # --- signing in ---

    async def _show_login(self, request: web.Request) -> web.Response:
        if not self.sessions.is_needed or self.sessions.holds(request):
            return _go_to("/")
        return self._pages.show_login()

    async def _sign_in(self, request: web.Request) -> web.Response:
        if self.sessions.is_barred:
            return self._pages.show_login(_BARRED, status=429)
        if not self.sessions.is_right(await read_token(request)):
            return self._pages.show_login(_WRONG, status=403)
        response = _go_to("/")
        self.sessions.open(request, response)
        return response

    async def _sign_out(self, _: web.Request) -> web.Response:
        response = _go_to("/login")
        self.sessions.close(response)
        return response

    # --- data ---

    async def _tell_now(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._observer.look(), content_type="application/json")

    async def _find_meetings(self, request: web.Request) -> web.Response:
        words = request.query.get("q", "")
        if len(words) > _WORDS_MAX:
            return answer({"error": f"at most {_WORDS_MAX} characters"}, status=400)
        return answer(await self._meetings.search(words))

    async def _tell_meeting(self, request: web.Request) -> web.Response:
        found = request.match_info
        return answer(await self._meetings.describe(found["owner"], found["meeting"]))


def _told(handler: Handler) -> Handler:
    """Tell errors in words: 404 for what is not there, 503 while Redis is away."""

    @wraps(handler)
    async def answer_or_tell(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except CommandError as error:
            return answer({"error": str(error)}, status=404)
        except StreamError as error:
            return answer({"error": str(error)}, status=503)

    return answer_or_tell


def _go_to(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})
