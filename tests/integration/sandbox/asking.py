"""Asks a running sandbox over HTTPS, as any client would."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from yarl import URL

from service.sandbox.command import Sandbox

SCOPE = "https://graph.microsoft.com/.default"


def trust(sandbox: Sandbox) -> aiohttp.TCPConnector:
    """Give a connector that trusts the sandbox's authority and nobody else."""
    return aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=sandbox.ready.ca_bundle))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers and JSON; `body` is None where there was no body."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        """Graph's or Entra's error code."""
        error = self.body["error"]
        return str(error["code"] if isinstance(error, dict) else error)

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Requests to Graph, Entra ID and the control API of one sandbox.

    Attributes:
        app_token: the application's, got with its secret.
    """

    sandbox: Sandbox
    session: aiohttp.ClientSession
    app_token: str

    @classmethod
    async def prepare(
        cls, sandbox: Sandbox, session: aiohttp.ClientSession, *, proxy: str | None = None
    ) -> Asking:
        """Get the application's token, as if through a proxy if one is named."""
        bare = cls(sandbox=sandbox, session=session, app_token="")
        form = {
            "grant_type": "client_credentials",
            "client_id": sandbox.ready.client_id,
            "client_secret": sandbox.ready.client_secret,
            "scope": SCOPE,
        }
        url = f"{sandbox.ready.authority_url}/oauth2/v2.0/token"
        headers = {"X-Forwarded-Host": proxy} if proxy else {}
        answer = await bare.send("POST", url, data=form, headers=headers)
        return cls(sandbox=sandbox, session=session, app_token=answer.body["access_token"])

    def token_of(self, persona: str) -> str:
        return self.sandbox.ready.personas[persona].token

    def id_of(self, persona: str) -> str:
        return self.sandbox.ready.personas[persona].id

    async def graph(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask Graph; the path is below the version, and encoded already. As the application unless told."""
        told = {"Authorization": f"Bearer {token or self.app_token}", **(headers or {})}
        return await self.send(method, self.sandbox.ready.graph_url + path, json=body, headers=told)

    async def control(self, path: str, body: Any = None) -> Any:
        """Ask the control API for something that it must grant; POST if there is a body."""
        answer = await self.ask_control(path, body)
        assert answer.status == 200, answer.body
        return answer.body

    async def ask_control(self, path: str, body: Any = None) -> Answer:
        method = "GET" if body is None else "POST"
        return await self.send(method, f"{self.sandbox.ready.control_url}{path}", json=body)

    async def token(self, **form: str) -> Answer:
        """Ask the token endpoint, for everything by default unless the form says otherwise."""
        known = {"client_id": self.sandbox.ready.client_id, "scope": SCOPE}
        url = f"{self.sandbox.ready.authority_url}/oauth2/v2.0/token"
        return await self.send("POST", url, data=known | form)

    async def send(self, method: str, url: str, **more: Any) -> Answer:
        if more.get("json") is None:
            more.pop("json", None)
        async with self.session.request(
            method, URL(url, encoded=True), allow_redirects=False, **more
        ) as response:
            raw = await response.read()
            return Answer(
                status=response.status,
                headers=dict(response.headers),
                body=await response.json(content_type=None) if raw else None,
            )

    def subscription(self, url: str, **members: Any) -> dict[str, Any]:
        """Give the body of a good subscription to Adele's inbox; members replace those of the same name."""
        good = {
            "changeType": "created,updated",
            "notificationUrl": url,
            "resource": f"users/{self.id_of('adele')}/mailFolders('inbox')/messages",
            "expirationDateTime": in_minutes(60, self.sandbox),
            "clientState": "a state of ours",
        }
        return {name: value for name, value in (good | members).items() if value is not None}

    async def subscribe(self, url: str, **members: Any) -> Answer:
        """Ask for a subscription as the application."""
        return await self.graph("POST", "/subscriptions", self.subscription(url, **members))


def in_minutes(minutes: float, sandbox: Sandbox) -> str:
    """Give an instant by the sandbox's clock."""
    at: datetime = sandbox.clock.now() + timedelta(minutes=minutes)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
