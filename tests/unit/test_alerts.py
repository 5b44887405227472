"""Alerts, Grafana and runbook name metrics that there are; each alert fires when it should, and only then."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.dashboard import troubles
from service.gauges import MailboxState, SubscriptionState
from service.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]
ALERTS = {rule["alert"]: rule for rule in RULES}
BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana.json").read_text())
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text()
METRICS = {one.name: set(one.labels) for one in Metrics().descriptions}
CLOSED: dict[tuple[str, str], set[str]] = {
    ("response_sync_mailboxes", "state"): set(map(str, MailboxState)),
    ("response_sync_subscriptions", "state"): set(map(str, SubscriptionState)),
    ("response_sync_processes", "role"): {"web", "worker", "keeper"},
    ("response_sync_notification_items_total", "outcome"): {"stored", "refused", "not_stored"},
    ("response_sync_intake_append_failures_total", "fault"): {
        "away",
        "crowded",
        "full",
        "refused",
        "not_durable",
    },
    ("response_sync_tokens_acquired_total", "outcome"): {"got", "refused", "away"},
}
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool on this machine")


def list_queries() -> Iterator[tuple[str, str]]:
    for name, rule in ALERTS.items():
        yield name, rule["expr"]
    for panel in BOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in BOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


QUERIES = list(list_queries())


def find_metrics(query: str) -> Iterator[tuple[str, str]]:
    """Give each metric that a query names, without histogram parts, and its selector."""
    for match in re.finditer(r"(response_sync_\w+)(?:\{([^}]*)\})?", query):
        name = match[1]
        if name not in METRICS:
            name = re.sub(r"_(bucket|sum|count)$", "", name)
        yield name, match[2] or ""


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[one[0] for one in QUERIES])
def test_every_query_names_metrics_and_labels_that_there_are(title: str, query: str) -> None:
    named = list(find_metrics(query))
    assert named, title
    known = {"le", "instance"} | {label for name, _ in named for label in METRICS[name]}
    for name, selector in named:
        for label, operator, value in re.findall(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"", selector):
            assert label in METRICS[name]
            if operator in ("=", "!=") and (name, label) in CLOSED:
                assert value in CLOSED[name, label]
    for group in re.findall(r"\bby \(([^)]*)\)", query):
        assert {label.strip() for label in group.split(",")} <= known


def test_every_legend_uses_labels_that_its_query_keeps() -> None:
    for panel in BOARD["panels"]:
        for target in panel.get("targets", []):
            kept = {
                one.strip()
                for group in re.findall(r"\bby \(([^)]*)\)", target["expr"])
                for one in group.split(",")
            }
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, panel["title"]


def test_the_board_holds_together() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["description"].endswith(".")


def read_runbook() -> dict[str, str]:
    parts = re.split(r"^## (\w+)\n", RUNBOOK, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_alert_has_its_entry_in_the_runbook_and_links_to_it() -> None:
    entries = read_runbook()
    assert list(entries) == list(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"RUNBOOK.md#{name.lower()}"
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert "**Means**" in entries[name]
        assert "**Do**" in entries[name]


def test_every_link_within_the_runbook_leads_somewhere() -> None:
    anchors = {name.lower() for name in read_runbook()}
    assert set(re.findall(r"\]\(#(\w+)\)", RUNBOOK)) <= anchors


def test_the_dashboard_names_entries_of_the_runbook() -> None:
    named = set(re.findall(r'"(ResponseSync\w+)"', Path(troubles.__file__).read_text()))
    assert named <= set(ALERTS)
    assert len(named) > 15


# --- Against Prometheus' own tool ---

M = "response_sync_"
FIRES: dict[str, dict[str, str]] = {
    "ResponseSyncNoWeb": {M + 'processes{role="web"}': "0x60"},
    "ResponseSyncNoWorker": {M + 'processes{role="worker"}': "0x60"},
    "ResponseSyncNoKeeper": {M + 'processes{role="keeper"}': "0x60"},
    "ResponseSyncNoLeader": {M + "keeper_is_leader": "0x60"},
    "ResponseSyncRedisAway": {M + 'intake_entries{state="waiting"}': "_x60"},
    "ResponseSyncRedisFull": {M + 'intake_append_failures_total{fault="full"}': "0+2x60"},
    "ResponseSyncNotStored": {M + 'intake_append_failures_total{fault="away"}': "0+2x60"},
    "ResponseSyncRedisMemory": {M + "redis_memory_bytes": "90x60", M + "redis_memory_limit_bytes": "100x60"},
    "ResponseSyncStateLost": {M + "generation_missing": "1x60"},
    "ResponseSyncIntakeLag": {M + "intake_oldest_seconds": "130x60"},
    "ResponseSyncUpdatesLate": {
        M + 'update_delay_seconds_bucket{le="15"}': "0+1x60",
        M + 'update_delay_seconds_bucket{le="60"}': "0+9x60",
        M + 'update_delay_seconds_bucket{le="+Inf"}': "0+9x60",
    },
    "ResponseSyncDueOverdue": {M + "due_overdue_seconds": "130x60"},
    "ResponseSyncRetries": {
        M + 'entry_retries_total{error="UnavailableError"}': "0+30x60",
        M + 'entries_processed_total{kind="event",outcome="done"}': "0+100x60",
    },
    "ResponseSyncDeadLetters": {M + "dead_letters": "1x60"},
    "ResponseSyncConsumerBehind": {M + 'consumer_headroom_ratio{stream="s",group="g"}': "0.1x60"},
    "ResponseSyncConsumerLost": {M + 'consumer_trimmed_entries{stream="s",group="g"}': "3x60"},
    "ResponseSyncNotificationsRefused": {
        M + 'notification_items_total{outcome="refused",reason="malformed item"}': "0+20x60"
    },
    "ResponseSyncNotificationsMissed": {M + 'missed_notifications_total{kind="event"}': "0+1x60"},
    "ResponseSyncGraphThrottles": {
        M + 'graph_throttled_total{request="event"}': "0+10x60",
        M + 'graph_requests_total{request="event",status="200"}': "0+100x60",
    },
    "ResponseSyncGraphAway": {
        M + 'graph_requests_total{request="event",status="0"}': "0+40x60",
        M + 'graph_requests_total{request="event",status="503"}': "0+40x60",
        M + 'graph_requests_total{request="event",status="200"}': "0+40x60",
    },
    "ResponseSyncTokenRefused": {M + 'tokens_acquired_total{outcome="refused"}': "0+1x60"},
    "ResponseSyncMailboxFaulty": {M + 'mailboxes{state="faulty"}': "1x60"},
    "ResponseSyncMailboxSilent": {M + 'mailboxes{state="silent"}': "1x60"},
    "ResponseSyncMailboxStale": {M + "mailbox_staleness_max_seconds": "2500x60"},
    "ResponseSyncSubscriptionMissing": {M + 'subscriptions{resource="inbox",state="missing"}': "1x60"},
    "ResponseSyncSubscriptionEnds": {M + "subscription_next_expiry_timestamp_seconds": "3300x60"},
    "ResponseSyncSignInEnding": {M + 'sign_ins{state="ending"}': "1x60"},
    "ResponseSyncClockSkew": {M + 'clock_ahead_seconds{clock="redis",instance="a"}': "-6x60"},
}
WELL = {
    M + 'processes{role="web"}': "1x60",
    M + 'processes{role="worker"}': "1x60",
    M + 'processes{role="keeper"}': "1x60",
    M + 'keeper_is_leader{instance="a"}': "1x60",
    M + 'keeper_is_leader{instance="b"}': "0x60",
    M + 'intake_entries{state="waiting"}': "0x60",
    M + "redis_memory_bytes": "50x60",
    M + "redis_memory_limit_bytes": "100x60",
    M + "generation_missing": "0x60",
    M + "intake_oldest_seconds": "1x60",
    M + 'update_delay_seconds_bucket{le="15"}': "0+100x60",
    M + 'update_delay_seconds_bucket{le="60"}': "0+101x60",
    M + 'update_delay_seconds_bucket{le="+Inf"}': "0+101x60",
    M + "due_overdue_seconds": "0x60",
    M + 'entry_retries_total{error="UnavailableError"}': "0+3x60",
    M + 'entries_processed_total{kind="event",outcome="done"}': "0+100x60",
    M + "dead_letters": "0x60",
    M + 'consumer_headroom_ratio{stream="s",group="g"}': "0.9x60",
    M + 'consumer_trimmed_entries{stream="s",group="g"}': "0x60",
    M + 'graph_throttled_total{request="event"}': "0+1x60",
    M + 'graph_requests_total{request="event",status="200"}': "0+100x60",
    M + 'graph_requests_total{request="event",status="503"}': "0+4x60",
    M + 'tokens_acquired_total{outcome="got"}': "0+1x60",
    M + 'mailboxes{state="faulty"}': "0x60",
    M + 'mailboxes{state="watched"}': "9x60",
    M + "mailbox_staleness_max_seconds": "900x60",
    M + 'subscriptions{resource="inbox",state="missing"}': "0x60",
    M + "subscription_next_expiry_timestamp_seconds": "90000x60",
    M + 'clock_ahead_seconds{clock="graph",instance="a"}': "-0.5x60",
}


def promtool(*arguments: str) -> None:
    assert PROMTOOL is not None
    result = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def build_case(series: dict[str, str], expected: list[str]) -> dict[str, Any]:
    """Give a case for promtool: these alerts, and no others, fire after fifty minutes."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "50m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in expected],
            }
        ],
    }


@needs_promtool
def test_each_alert_fires_for_its_own_fault_and_none_where_all_is_well(tmp_path: Path) -> None:
    assert set(FIRES) == set(ALERTS)
    cases = [build_case(WELL, [])]
    for name, series in FIRES.items():
        gone = {one.partition("{")[0] for one in series}
        rest = {key: values for key, values in WELL.items() if key.partition("{")[0] not in gone}
        kept = {
            key: values
            for key, values in WELL.items()
            if key.partition("{")[0] == M + "processes" and key not in series
        }
        cases.append(build_case({**rest, **kept, **series}, [name]))
    test = {"rule_files": [str(DEPLOY / "alerts.yaml")], "evaluation_interval": "1m", "tests": cases}
    path = tmp_path / "alerts.test.yaml"
    path.write_text(yaml.safe_dump(test))
    promtool("test", "rules", str(path))


@needs_promtool
def test_promtool_finds_no_fault_in_alerts_and_queries(tmp_path: Path) -> None:
    promtool("check", "rules", str(DEPLOY / "alerts.yaml"))
    rules = [
        {"record": f"test:{at}", "expr": query.replace("$__rate_interval", "5m")}
        for at, (_, query) in enumerate(QUERIES)
    ]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", str(path))
