"""nginx with the configuration of `deploy/nginx`; only names, ports and paths of the machine are changed."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.endtoend.processes import STOP_TIMEOUT_S, build_tie_to_parent
from tests.integration.waiting import wait_until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx"
_MAIN = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/main.log;
{user}
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/response-sync.conf;
}}
"""


@asynccontextmanager
async def open_front(
    directory: Path,
    *,
    port: int,
    plain_port: int,
    web_port: int,
    certificate: Path,
    key: Path,
    changes: Mapping[str, str] | None = None,
) -> AsyncIterator[None]:
    """Run nginx until the block ends, on 127.0.0.1 under the name `localhost`.

    Args:
        directory: for its files; must not be used by another.
        plain_port: in place of port 80.
        changes: texts of the configuration, each with what stands in its place.
    """
    assert NGINX is not None
    text = _place(
        port=port,
        plain_port=plain_port,
        web_port=web_port,
        certificate=certificate,
        key=key,
        directory=directory,
    )
    main = _write(directory, text, changes or {})
    process = await asyncio.create_subprocess_exec(
        NGINX, "-p", directory, "-c", main, stdout=PIPE, stderr=PIPE, preexec_fn=build_tie_to_parent()
    )
    output = asyncio.create_task(process.communicate())
    try:
        await _wait_until_it_listens(process, port)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(STOP_TIMEOUT_S):
            _, errors = await output
    assert process.returncode == 0, errors.decode()


def _write(directory: Path, text: str, changes: Mapping[str, str]) -> Path:
    """Write the configuration; gives the file with which nginx begins."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    directory.mkdir()
    (directory / "response-sync.conf").write_text(text)
    main = directory / "nginx.conf"
    main.write_text(_MAIN.format(directory=directory, user="user root;" if os.geteuid() == 0 else ""))
    return main


def _place(
    *, port: int, plain_port: int, web_port: int, certificate: Path, key: Path, directory: Path
) -> str:
    text = (CONFIGURATION / "response-sync.conf").read_text()
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    for old, new in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "server 127.0.0.1:8080": f"server 127.0.0.1:{web_port}",
        "response-sync.example.com": "localhost",
        "/etc/nginx/response-sync/fullchain.pem": str(certificate),
        "/etc/nginx/response-sync/privkey.pem": str(key),
        "/etc/nginx/response-sync/forward.conf": str(CONFIGURATION / "forward.conf"),
        "/var/log/nginx": str(directory),
        "/var/www/acme": str(directory),
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


async def _wait_until_it_listens(process: asyncio.subprocess.Process, port: int) -> None:
    async def listens() -> bool:
        assert process.returncode is None, "nginx ended; its configuration is at fault"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await wait_until(listens, poll_s=0.02)
