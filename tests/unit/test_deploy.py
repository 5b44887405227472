"""What lies in `deploy/` names commands, settings, paths and ports that there are."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from service.cli import COMMANDS
from service.settings import Settings, setting_name

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = {setting_name(name) for name in Settings.model_fields}
ROLES = {"web", "worker", "keeper"}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def read_manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def list_deployments() -> list[Any]:
    return [one for one in read_manifests() if one["kind"] == "Deployment"]


def read_yaml(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def list_named_settings(text: str) -> set[str]:
    """Give every setting that a text names; secrets may come from a file."""
    named = re.findall(r"\bRESPONSE_SYNC_[A-Z_]+|\bREDIS_URL\b", text)
    return {name.removesuffix("_FILE") if name not in SETTINGS else name for name in named}


def test_the_cluster_runs_each_role_once() -> None:
    containers = [one["spec"]["template"]["spec"]["containers"] for one in list_deployments()]
    assert [[container["args"] for container in group] for group in containers] == [
        [["web"]],
        [["worker"]],
        [["keeper"]],
    ]


@pytest.mark.parametrize("deployment", list_deployments(), ids=lambda one: str(one["metadata"]["name"]))
def test_probes_ask_the_admin_listener_which_answers_them_without_a_token(deployment: Any) -> None:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["admin"] == Settings.model_fields["admin_port"].default
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: get["path"] for kind, get in asked.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {get["port"] for get in asked.values()} == {"admin"}


@pytest.mark.parametrize("deployment", list_deployments(), ids=lambda one: str(one["metadata"]["name"]))
def test_a_pod_is_given_the_time_that_a_role_takes_to_stop(deployment: Any) -> None:
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 20 + 5
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels


def test_beyond_loopback_the_admin_listener_has_a_token() -> None:
    (config,) = [one for one in read_manifests() if one["kind"] == "ConfigMap"]
    assert config["data"]["RESPONSE_SYNC_ADMIN_HOST"] == "0.0.0.0"
    assert config["data"].keys() <= SETTINGS
    assert "--from-literal=RESPONSE_SYNC_ADMIN_TOKEN=" in (DEPLOY / "kubernetes.yaml").read_text()


def test_compose_runs_commands_that_there_are_and_all_roles() -> None:
    services = read_yaml("compose.yaml")["services"]
    commands = {name: one["command"][0] for name, one in services.items() if name != "valkey"}
    assert commands == {name: name for name in (*ROLES, "sandbox")}
    assert commands.keys() <= COMMANDS.keys()


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: str(path.stem))
def test_a_unit_runs_its_role_again_whatever_ends_it(unit: Path) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.read_text())
    role = unit.stem.removeprefix("response-sync-")
    assert parser["Service"]["ExecStart"].split()[1:] == [role]
    assert parser["Service"]["Restart"] == "always"
    assert parser["Service"]["DynamicUser"] == "yes"
    assert int(parser["Service"]["TimeoutStopSec"]) > 20 + 5


def test_there_is_a_unit_per_role() -> None:
    assert {unit.stem.removeprefix("response-sync-") for unit in UNITS} == ROLES


@pytest.mark.parametrize(
    "path",
    [DEPLOY / "kubernetes.yaml", DEPLOY / "compose.yaml", DEPLOY / "Dockerfile", *UNITS],
    ids=lambda path: str(path.name),
)
def test_every_setting_that_is_named_is_one(path: Path) -> None:
    assert list_named_settings(path.read_text()) <= SETTINGS


def test_the_image_exposes_the_ports_that_are_the_default() -> None:
    exposed = re.search(r"^EXPOSE (.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert exposed is not None
    ports = {str(Settings.model_fields[name].default) for name in ("port", "admin_port")}
    assert set(exposed[1].split()) == ports


def test_the_schema_of_an_update_is_a_schema() -> None:
    schema = json.loads((DEPLOY / "update.schema.json").read_text())
    jsonschema.validators.validator_for(schema).check_schema(schema)


def test_the_asyncapi_document_holds_together() -> None:
    document = read_yaml("asyncapi.yaml")
    assert document["asyncapi"].startswith("3.")
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"].removeprefix("#/channels/")
        assert channel in document["channels"]
    for reference in list_references(document):
        assert is_resolved(document, reference), reference


def list_references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for one in node for found in list_references(one)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if "$ref" in node else []
    return own + [found for one in node.values() for found in list_references(one)]


def is_resolved(document: Any, reference: str) -> bool:
    """Tell whether a reference leads somewhere, in the document or in a file beside it."""
    file, _, pointer = reference.partition("#")
    node = json.loads((DEPLOY / file).read_text()) if file else document
    for part in filter(None, pointer.split("/")):
        if part not in node:
            return False
        node = node[part]
    return True
