"""`serve`, `web`, `worker`, `keeper`: run until SIGTERM, then finish what was taken and end."""

from __future__ import annotations

import gc
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer

from service.bootstrap.roles import RoleName, open_roles
from service.commands.running import run
from service.embedded import embedded_redis
from service.errors import ConfigError
from service.logs import configure_logs
from service.roles.running import run_roles
from service.settings import Scope, Settings, find_unknown_names, list_secret_texts, read_settings

_LOG: Final = structlog.get_logger(__name__)
_KEY_FILE_NAME: Final = "secret-key"


def web() -> None:
    """Take notifications from Graph and store them."""
    _run([RoleName.WEB])


def worker() -> None:
    """Read what notifications point to, reconcile, and publish updates."""
    _run([RoleName.WORKER])


def keeper() -> None:
    """Keep subscriptions alive, and find by delta queries what notifications left out."""
    _run([RoleName.KEEPER])


def serve(
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Bring a Redis-compatible server and a SECRET_KEY of our own.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="With --embedded: keep data and key there; without it they go at the end."),
    ] = None,
) -> None:
    """Run web, worker and keeper in one process."""
    names = list(RoleName)
    if not embedded:
        _run(names)
        return
    configure_logs_for(read_settings(Scope.EMBEDDED))
    run(_serve_embedded(names, data.absolute() if data else None))


def _run(names: Sequence[RoleName]) -> None:
    settings = read_settings(Scope.SERVICE)
    configure_logs_for(settings)
    run(_serve(settings, names))


def configure_logs_for(settings: Settings) -> None:
    """Set up logging for a role, and say which variables look like settings and are none."""
    configure_logs(level=settings.log_level, format=settings.log_format, secrets=list_secret_texts(settings))
    for name in find_unknown_names():
        _LOG.warning("setting.not_known", name=name)


async def _serve(settings: Settings, names: Sequence[RoleName]) -> None:
    async with open_roles(settings, names) as roles:
        # All modules are there now, and stay. Looked through for garbage, they would hold up everyone for a
        # twentieth of a second each time that thousands of connections have come and gone.
        gc.collect()
        gc.freeze()
        await run_roles(roles, drain_s=settings.drain_s)


async def _serve_embedded(names: Sequence[RoleName], data: Path | None) -> None:
    async with _open_embedded(data) as made:
        await _serve(read_settings(Scope.EMBEDDED, **made), names)


@asynccontextmanager
async def _open_embedded(data: Path | None) -> AsyncIterator[dict[str, Any]]:
    """Start the server; gives the settings that go with it.

    Raises:
        ConfigError: the directory cannot be used, or there is no server to start.
    """
    key = secrets.token_hex(32)
    if data is not None:
        key = keep_secret_key(data)
    async with embedded_redis(directory=data) as server:
        made = {"redis_url": server.url}
        if not read_settings(Scope.EMBEDDED).secret_key.is_set:
            made["secret_key"] = key
        yield made


def keep_secret_key(data: Path) -> str:
    """Give the key that lies with the data; made the first time."""
    path = data / _KEY_FILE_NAME
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        key = path.read_text().strip()
        if not key:  # the first time, or it was cut short by a crash
            key = secrets.token_hex(32)
            path.write_text(key)
    except OSError as error:
        raise ConfigError([f"--data {data} cannot be used: {error}."]) from error
    return key
