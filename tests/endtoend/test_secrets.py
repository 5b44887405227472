"""Secrets of a running service: nowhere but in its environment and files; changed without a loss."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.endtoend import judging
from tests.endtoend.deeds import Given, Meeting, Play
from tests.endtoend.processes import run_to_end
from tests.endtoend.settling import settle
from tests.endtoend.stage import ROLES, SECRET_KEY, Stage, open_stage
from tests.endtoend.test_ordinary_mail import read_all_keys
from tests.integration.waiting import wait_until
from tests.leaks import find_leaks

ADMIN_TOKEN = "admin-token-of-this-test-alone"
FORMER_KEY = "former-secret-key-of-this-test-alone"
WRONG_SECRET = "wrong-client-secret-of-this-test"


async def play_answer(stage: Stage, how: str) -> tuple[Play, Meeting]:
    """Let somebody answer a meeting, and wait until that is told."""
    people = stage.tenant.people
    play = Play(stage.tenant, 11)
    play.guests = [people["megan"], people["christie"]]
    meeting = await play.make_meeting(people["alex"], people["adele"], size=2, answers=0)
    for invited in meeting.invited:
        invited.plan = [Given(how=how)]
    await play.play_round()
    await settle(stage, play.meetings)
    return play, meeting


async def read_admin(stage: Stage, role: str) -> dict[str, str]:
    """Give what the admin listener shows to one who has the token."""
    found = {}
    for path in ("/healthz", "/readyz", "/metrics", "/"):
        url = f"http://127.0.0.1:{stage.ports[role]}{path}"
        async with stage.session.get(url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}) as answer:
            found[f"{role} {path}"] = await answer.text()
    return found


def read_titles(stage: Stage) -> dict[str, str]:
    """Give command line and name of each process, as anybody on the machine sees them."""
    found = {}
    for name, running in stage.running.items():
        for file in ("cmdline", "comm", "status"):
            path = Path(f"/proc/{running.process.pid}/{file}")
            found[f"{file} of {name}"] = path.read_bytes().decode(errors="replace")
    return found


async def run_commands(stage: Stage, uid: str) -> dict[str, str]:
    """Give what commands print, those that fail too."""
    owner = stage.tenant.people["alex"].address
    wrong = {"RESPONSE_SYNC_CLIENT_SECRET": WRONG_SECRET}
    runs: dict[str, tuple[list[str], dict[str, str]]] = {
        "check": (["check"], {}),
        "check with a wrong credential": (["check"], wrong),
        "web with settings that cannot be used": (
            ["web"],
            wrong | {"REDIS_URL": f"http://u:{WRONG_SECRET}@x"},
        ),
        "explain": (["explain", owner, uid], {}),
        "a command with a wrong option": (["web", "--no-such-option"], {}),
    }
    ended = await asyncio.gather(*(stage.run(*arguments, **changes) for arguments, changes in runs.values()))
    assert [one.code for one in ended] == [0, 1, 2, 0, 2]
    return {name: one.output + one.errors for name, one in zip(runs, ended, strict=True)}


async def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    secret_file = tmp_path / "admin-token"
    secret_file.write_text(ADMIN_TOKEN + "\n")
    more = {
        "RESPONSE_SYNC_ADMIN_TOKEN_FILE": str(secret_file),
        "RESPONSE_SYNC_FORMER_SECRET_KEYS": FORMER_KEY,
    }
    async with open_stage(tmp_path, **more) as stage:
        await stage.start_ready(*ROLES)
        _, meeting = await play_answer(stage, "accept")
        subscriptions = await stage.tenant.control("subscriptions")
        client_secret = stage.settings["RESPONSE_SYNC_CLIENT_SECRET"]
        password = urlsplit(stage.settings["REDIS_URL"]).password
        assert password
        secrets = {ADMIN_TOKEN, FORMER_KEY, WRONG_SECRET, SECRET_KEY, client_secret, password}
        secrets |= {one["clientState"] for one in subscriptions}
        assert len(secrets) > 7

        places = read_titles(stage) | await run_commands(stage, meeting.uid)
        for role in ROLES:
            places |= await read_admin(stage, role)
        places |= await read_all_keys(stage.redis)
        places["requests to Graph"] = json.dumps(await stage.tenant.control("requests"))
        assert (await stage.running["web"].terminate())[0] == 0
        places |= {f"log of {name}": text for name, text in stage.read_logs().items()}
        assert find_leaks(places, secrets) == []


async def test_the_secret_key_is_changed_without_a_notification_being_refused(tmp_path: Path) -> None:
    """Web first, so that it believes both; then the keeper, which makes every subscription anew."""
    new_key = "the-new-secret-key-of-this-test-alone"
    changes = {"RESPONSE_SYNC_SECRET_KEY": new_key, "RESPONSE_SYNC_FORMER_SECRET_KEYS": SECRET_KEY}
    async with open_stage(tmp_path) as stage:
        await stage.start_ready(*ROLES)
        await play_answer(stage, "accept")
        before = {one["clientState"] for one in await stage.tenant.control("subscriptions")}

        await restart(stage, "web", changes)
        play, meeting = await play_answer(stage, "tentativelyAccept")
        await restart(stage, "keeper", changes)

        async def is_made_anew() -> bool:
            states = {one["clientState"] for one in await stage.tenant.control("subscriptions")}
            return len(states) == len(before) and not states & before

        await wait_until(is_made_anew)
        for invited in meeting.invited:
            invited.plan = [Given(how="decline")]
        await play.play_round()
        await settle(stage, play.meetings)
        told = judging.select(await stage.read_stream(), meeting)
        assert set(judging.fold(told).values()) == {"declined"}
        status, metrics = await stage.ask_admin("web", "/metrics")
        assert status == 200
        assert 'outcome="refused"' not in metrics.partition("response_sync_notification_items_total")[2]


async def test_the_client_secret_is_replaced_without_a_restart_or_a_loss(tmp_path: Path) -> None:
    file = tmp_path / "client-secret"
    async with open_stage(tmp_path) as stage:
        file.write_text(stage.settings.pop("RESPONSE_SYNC_CLIENT_SECRET"))
        stage.settings["RESPONSE_SYNC_CLIENT_SECRET_FILE"] = str(file)
        await stage.start_ready(*ROLES)
        play, meeting = await play_answer(stage, "accept")

        file.write_text("the-new-client-secret\n")
        await stage.tenant.control("application", {"client_secret": "the-new-client-secret"})
        await stage.tenant.control("revocations", {"user": "app"})  # what was issued before is refused too
        for invited in meeting.invited:
            invited.plan = [Given(how="decline")]
        await play.play_round()
        await settle(stage, play.meetings)
        told = judging.select(await stage.read_stream(), meeting)
        assert set(judging.fold(told).values()) == {"declined"}
        assert await stage.count_dead() == 0
        assert "the-new-client-secret" not in json.dumps(stage.read_logs())


async def restart(stage: Stage, role: str, changes: dict[str, str]) -> None:
    """End a role, and start it with other settings."""
    assert (await stage.running[role].terminate())[0] == 0
    await stage.start(role, **changes)
    await stage.wait_until_ready(role)


@pytest.mark.parametrize("name", ["RESPONSE_SYNC_SECRET_KEY", "RESPONSE_SYNC_CLIENT_SECRET", "REDIS_URL"])
async def test_a_secret_from_a_file_that_cannot_be_read_is_a_fault_without_its_content(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe" + WRONG_SECRET.encode("utf-16"))
    ended = await run_to_end(["web"], settings={f"{name}_FILE": str(file)}, directory=tmp_path)
    assert ended.code == 2
    assert f"{name} cannot be read" in ended.output + ended.errors
    assert WRONG_SECRET not in ended.output + ended.errors
