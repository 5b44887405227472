"""The metrics: names and labels as Prometheus wants them, and tallies that show what was counted."""

from __future__ import annotations

import re

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.metrics import Metrics

UNITS = ("_seconds", "_bytes", "_total", "_info")


def show(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_every_metric_has_our_prefix_a_text_and_a_fitting_name() -> None:
    shown = show(Metrics())
    ours = [one for one in text_string_to_metric_families(shown) if one.name.startswith("response_sync_")]
    assert len(ours) > 20
    for family in ours:
        assert re.fullmatch(r"[a-z][a-z0-9_]+", family.name)
        assert len(family.documentation) > 15
        assert family.documentation.endswith("."), family.name
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_requests")), family.name


def test_what_is_described_is_what_is_scraped() -> None:
    metrics = Metrics()
    collected = metrics.registry.collect()
    families = {one.name + ("_total" if one.type == "counter" else "") for one in collected}
    ours = {name for name in families if name.startswith("response_sync_")}
    assert ours == {one.name for one in metrics.descriptions}


def test_two_processes_worth_of_metrics_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.web_requests.labels("notifications", "202").number += 1
    assert 'status="202"' in show(one)
    assert 'status="202"' not in show(other)


def test_a_tally_shows_each_number_under_its_labels() -> None:
    metrics = Metrics()
    held = metrics.notification_items.labels("refused", "malformed item")
    held.number += 2
    metrics.notification_items.labels("refused", "malformed item").number += 1
    metrics.notification_items.labels("stored", "").number += 5
    shown = show(metrics)
    assert 'response_sync_notification_items_total{outcome="refused",reason="malformed item"} 3.0' in shown
    assert 'response_sync_notification_items_total{outcome="stored",reason=""} 5.0' in shown


def test_a_measure_shows_its_last_measurement_as_a_whole_and_nothing_once_it_is_hidden() -> None:
    metrics = Metrics()
    assert "\nresponse_sync_mailboxes{" not in show(metrics)
    metrics.mailboxes.show({("watched",): 3, ("faulty",): 1})
    metrics.mailboxes.show({("watched",): 4})
    assert 'response_sync_mailboxes{state="watched"} 4.0' in show(metrics)
    assert "faulty" not in show(metrics).split("response_sync_mailboxes{", 1)[1]
    metrics.mailboxes.hide()
    assert "\nresponse_sync_mailboxes{" not in show(metrics)
