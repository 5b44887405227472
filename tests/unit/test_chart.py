"""The Helm chart, rendered by Helm itself: Kubernetes' schemas take it, and it says what the service does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from service.metrics import Metrics
from service.settings import Settings, setting_name
from tests.unit.tools import find_helm, find_tool, has_helm

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "response-sync"
ROLES = ("web", "worker", "keeper")
SETTINGS = {setting_name(name) for name in Settings.model_fields}
GIVEN: dict[str, Any] = {
    "image": {"repository": "registry.example/graph-response-sync"},
    "secret": {"existingName": "mine"},
    "settings": {
        "RESPONSE_SYNC_TENANT_ID": "t",
        "RESPONSE_SYNC_CLIENT_ID": "c",
        "RESPONSE_SYNC_PUBLIC_URL": "https://who.example.com",
        "RESPONSE_SYNC_GRACE_S": 60,
    },
}
EVERYTHING: dict[str, Any] = {
    **GIVEN,
    "image": {**GIVEN["image"], "digest": "sha256:" + "a" * 64, "pullSecrets": [{"name": "pull"}]},
    "secretFiles": [{"secretName": "application", "mountPath": "/etc/response-sync/application"}],
    "serviceAccount": {"annotations": {"azure.workload.identity/client-id": "c"}},
    "podLabels": {"azure.workload.identity/use": "true"},
    "podAnnotations": {"a": "b"},
    "priorityClassName": "high",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "k", "operator": "Exists"}],
    "stream": "who",
    "worker": {"keda": {"enabled": True, "redis": {"address": "redis:6379", "passwordKey": "PASSWORD"}}},
    "ingress": {"enabled": True, "host": "who.example.com", "tlsSecretName": "tls"},
    "networkPolicy": {"redisTo": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
}
VERSIONS = ("1.29.0", "1.37.0")
UNKNOWN_KINDS = {"ScaledObject", "TriggerAuthentication", "ServiceMonitor"}
"""Kinds that others than Kubernetes define; no schema of theirs can be installed."""

Render = Callable[..., list[dict[str, Any]]]
needs_helm = pytest.mark.skipif(not has_helm(), reason="there is no Helm; `make deploy-tools` installs it")


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = find_helm(tmp_path_factory.mktemp("helm"))
    assert found is not None
    return found


def run_helm(
    helm: str, directory: Path, values: dict[str, Any], *command: str
) -> subprocess.CompletedProcess[str]:
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    environment = {"HOME": str(directory), "PATH": ""}
    return subprocess.run(
        [helm, *command, str(CHART), "--values", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


@pytest.fixture
def render(helm: str, tmp_path: Path) -> Render:
    def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
        done = run_helm(helm, tmp_path, values, "template", "rs")
        assert done.returncode == 0, done.stderr
        return [one for one in yaml.safe_load_all(done.stdout) if one]

    return rendered


def select(objects: Sequence[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Give the objects of a kind by their component, or by their name where they have none."""
    found = [one for one in objects if one["kind"] == kind]
    key = "app.kubernetes.io/component"
    return {one["metadata"]["labels"].get(key, one["metadata"]["name"]): one for one in found}


@needs_helm
@pytest.mark.parametrize("values", [GIVEN, EVERYTHING], ids=["least", "everything"])
def test_kubernetes_takes_what_is_rendered(render: Render, values: dict[str, Any], tmp_path: Path) -> None:
    objects = render(values)
    known = [one for one in objects if one["kind"] not in UNKNOWN_KINDS]
    assert len(known) >= 12
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(known))
    validate = find_tool("kubernetes-validate")
    assert validate is not None, "`make deploy-tools` installs it"
    for version in VERSIONS:
        command = [validate, "--strict", "--kubernetes-version", version, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_helm
def test_helm_finds_no_fault_in_the_chart(helm: str, tmp_path: Path) -> None:
    done = run_helm(helm, tmp_path, EVERYTHING, "lint", "--strict")
    assert done.returncode == 0, done.stdout


@needs_helm
def test_each_role_runs_hardened_with_its_probes_and_is_taken_away_one_by_one(render: Render) -> None:
    objects = render(GIVEN)
    deployments, budgets = select(objects, "Deployment"), select(objects, "PodDisruptionBudget")
    assert set(deployments) == set(budgets) == set(ROLES)
    for role, deployment in deployments.items():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["args"] == [role]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert pod["terminationGracePeriodSeconds"] > Settings.model_fields["drain_s"].default + 5
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "admin"}
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        assert ports["admin"] == Settings.model_fields["admin_port"].default
        assert ports.get("public") == (Settings.model_fields["port"].default if role == "web" else None)
        chosen = budgets[role]["spec"]["selector"]["matchLabels"]
        assert chosen == deployment["spec"]["selector"]["matchLabels"]
        assert chosen.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert "replicas" not in deployments["web"]["spec"]


@needs_helm
def test_settings_are_those_of_the_service_and_roll_the_pods_when_they_change(render: Render) -> None:
    def look(values: dict[str, Any]) -> tuple[dict[str, str], str]:
        objects = render(values)
        (config,) = select(objects, "ConfigMap").values()
        annotations = select(objects, "Deployment")["web"]["spec"]["template"]["metadata"]["annotations"]
        return config["data"], annotations["response-sync/settings"]

    data, mark = look(GIVEN)
    assert data.keys() <= SETTINGS
    assert data["RESPONSE_SYNC_GRACE_S"] == "60"
    assert data["RESPONSE_SYNC_ADMIN_HOST"] == "0.0.0.0"
    other = {**GIVEN, "settings": {**GIVEN["settings"], "RESPONSE_SYNC_GRACE_S": 61}}
    assert look(other)[1] != mark


@needs_helm
@pytest.mark.parametrize("trigger", ["redis", "prometheus"])
def test_workers_are_scaled_by_what_waits_in_the_intake_stream(render: Render, trigger: str) -> None:
    keda = {"trigger": trigger, "prometheus": {"serverAddress": "http://p:9090"}}
    keda = {**EVERYTHING["worker"]["keda"], **keda}
    objects = render({**EVERYTHING, "worker": {"keda": keda}})
    scaled = select(objects, "ScaledObject")["worker"]["spec"]
    assert "replicas" not in select(objects, "Deployment")["worker"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == select(objects, "Deployment")["worker"]["metadata"]["name"]
    assert scaled["minReplicaCount"] >= 1
    (one,) = scaled["triggers"]
    if trigger == "redis":
        assert one["metadata"]["stream"] == "who:intake"
        (secret,) = select(objects, "TriggerAuthentication").values()
        assert secret["metadata"]["name"] == one["authenticationRef"]["name"]
    else:
        names = {each.name for each in Metrics().descriptions}
        assert any(name in one["metadata"]["query"] for name in names)


@needs_helm
def test_only_the_two_public_paths_are_routed_and_pods_are_closed_but_for_their_ports(render: Render) -> None:
    objects = render(EVERYTHING)
    (ingress,) = select(objects, "Ingress").values()
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    assert [(one["path"], one["pathType"]) for one in paths] == [
        ("/graph/notifications", "Exact"),
        ("/graph/lifecycle", "Exact"),
    ]
    policies = select(objects, "NetworkPolicy")
    opened = [(one["from"], one["ports"]) for each in policies.values() for one in each["spec"]["ingress"]]
    assert all(peers for peers, _ in opened)
    assert sorted(port["port"] for _, ports in opened for port in ports) == ["admin", "public"]
    outward = [
        port["port"] for rule in policies["rs-response-sync"]["spec"]["egress"] for port in rule["ports"]
    ]
    assert set(outward) == {53, 443, 6379, 6380, 10000}


def test_values_alone_are_refused_until_what_must_be_given_is_given() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    validator.check_schema(schema)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    missing = {"/".join(map(str, one.absolute_path)) for one in validator.iter_errors(values)}
    assert missing == {
        "image/repository",
        "secret/existingName",
        "settings/RESPONSE_SYNC_TENANT_ID",
        "settings/RESPONSE_SYNC_CLIENT_ID",
        "settings/RESPONSE_SYNC_PUBLIC_URL",
    }
    assert not list(validator.iter_errors({**values, **GIVEN}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": {"repository": "x", "digest": "sha256:1"}},
        {"settings": {**GIVEN["settings"], "RESPONSE_SYNC_SECRET_KEY": "k" * 40}},
        {"settings": {**GIVEN["settings"], "RESPONSE_SYNC_PUBLIC_URL": "http://who.example.com"}},
        {"settings": {**GIVEN["settings"], "RESPONSE_SNYC_GRACE_S": 1}},
        {"stream": "{who}"},
        {"worker": {"kedda": {}}},
    ],
    ids=["digest", "secret among settings", "no TLS", "misspelt setting", "braces", "misspelt value"],
)
def test_values_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert list(jsonschema.Draft7Validator(schema).iter_errors({**GIVEN, **wrong}))


def test_the_chart_is_of_the_version_of_the_service() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == metadata.version("graph-response-sync")
