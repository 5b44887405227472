"""The guides in `deploy/` name settings, commands, alerts and files that there are; their links lead on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from service.cli import COMMANDS
from service.log_events import EVENTS
from service.metrics import Metrics
from service.settings import Settings, setting_name

DEPLOY = Path(__file__).parents[2] / "deploy"
GUIDES = sorted(DEPLOY.glob("*.md"))
SETTINGS = {name.upper() for name in Settings.model_fields}
FULL_SETTINGS = {setting_name(name) for name in Settings.model_fields}
each_guide = pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.stem))


def build_anchors(path: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings}


@each_guide
def test_every_link_leads_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", guide.read_text()):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (guide.parent / file).resolve() if file else guide
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in build_anchors(path), target


@each_guide
def test_every_setting_that_is_named_is_one(guide: Path) -> None:
    text = guide.read_text()
    full = re.findall(r"\bRESPONSE_SYNC_[A-Z_]+", text)
    assert {name if name in FULL_SETTINGS else name.removesuffix("_FILE") for name in full} <= FULL_SETTINGS
    short = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)[`=]", text)) - set(full)
    assert {name if name in SETTINGS else name.removesuffix("_FILE") for name in short} <= SETTINGS


@each_guide
def test_every_command_alert_metric_and_event_that_is_named_is_one(guide: Path) -> None:
    text = guide.read_text()
    commands = set(re.findall(r"(?:`|^ *|-- |keeper )response-sync ([a-z]+)\b", text, re.MULTILINE))
    assert commands - {"pod"} <= {name.split()[0] for name in COMMANDS}
    alerts = {
        rule["alert"] for rule in yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]
    }
    assert set(re.findall(r"\bResponseSync[A-Z]\w+", text)) <= alerts
    metrics = {one.name for one in Metrics().descriptions}
    assert set(re.findall(r"`(response_sync_[a-z_]+)`", text)) <= metrics
    events = set(re.findall(r"`(consumer\.[a-z_]+|generation\.[a-z_]+|mailbox\.accessed)`", text))
    assert events <= set(EVENTS)


def test_the_index_names_every_guide_and_everything_else_that_lies_there() -> None:
    index = (DEPLOY / "README.md").read_text()
    for path in DEPLOY.iterdir():
        assert path.name in index, path.name


def test_a_tenant_takes_fifteen_steps_and_the_readme_has_the_same_permissions() -> None:
    guide = (DEPLOY / "TENANT.md").read_text()
    steps = re.findall(r"^(\d+)\. ", guide.split("## The steps")[1], re.MULTILINE)
    assert steps == [str(number) for number in range(1, 16)]
    permission = re.compile(r"^\| ([A-Z]\w+(?:\.\w+)+) \|", re.MULTILINE)
    readme = (DEPLOY.parent / "README.md").read_text().split("**application permissions**")[1]
    of_the_application = readme.split("**delegated permissions**")[0]
    assert set(permission.findall(guide)) == set(permission.findall(of_the_application))
    script = (DEPLOY / "entra" / "setup.sh").read_text()
    limits = (DEPLOY / "entra" / "limit-mailboxes.ps1").read_text()
    for name in permission.findall(guide):
        assert name in script
        assert (f"Application {name}" in limits) == (name != "User.Read.All")
