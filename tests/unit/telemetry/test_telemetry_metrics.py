"""Metrics: names by Prometheus' rules, measures only of what a read model has."""

import re
import shutil
import subprocess
from typing import Any

import pytest
from prometheus_client import Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from libs.telemetry import metrics
from libs.telemetry.measures import Measure
from services.console.composition import SERVICES
from services.orders.read_model import ORDERS

PROMTOOL = shutil.which("promtool")
UNITS = ("_milliseconds", "_ms", "_minutes", "_hours", "_kilobytes", "_percent")


def families() -> list[Metric]:
    return list(metrics.REGISTRY.collect())


def declared() -> list[Any]:
    return [
        one
        for one in vars(metrics).values()
        if hasattr(one, "describe") and not isinstance(one, type)
    ]


def test_names_follow_the_rules() -> None:
    assert len(declared()) == len({one._name for one in declared()})
    for family in families():
        name = family.name
        assert re.fullmatch(r"lonja_[a-z][a-z0-9_]*[a-z0-9]", name), name
        assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_info", *UNITS)), name
        assert family.documentation.endswith("."), name
        assert family.type in {"counter", "gauge", "histogram"}, name


def test_labels_are_named_and_never_personal() -> None:
    known = {"service", "type", "account", "answer", "consumer", "code", "state", "reason",
             "currency", "projection"}  # fmt: skip
    assert {label for one in declared() for label in one._labelnames} <= known


def with_a_sample_of_each() -> str:
    """What a scrape would say if every metric had been set."""
    for one in declared():
        labelled = one.labels(*("x" for _ in one._labelnames)) if one._labelnames else one
        match one:
            case Gauge():
                labelled.set(0)
            case Histogram():
                labelled.observe(0)
            case _:
                labelled.inc(0)
    text = generate_latest(metrics.REGISTRY).decode()
    for one in declared():
        if one._labelnames:
            one.remove(*("x" for _ in one._labelnames))
    return text


def test_a_scrape_is_read_back_as_it_was_meant() -> None:
    found = {
        family.name: family.type
        for family in text_string_to_metric_families(with_a_sample_of_each())
    }
    assert {family.name: family.type for family in families()}.items() <= found.items()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed here")
def test_promtool_has_nothing_to_say() -> None:
    told = subprocess.run(
        [str(PROMTOOL), "check", "metrics"], input=with_a_sample_of_each(), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    lines = [line for line in (told.stdout + told.stderr).splitlines() if "_created" not in line]
    assert (told.returncode, lines) == (0, [])


def test_a_measure_of_no_such_column_is_refused_when_it_is_declared() -> None:
    gauge = Gauge("lonja_test", "A test.", registry=None)
    for wrong in (
        {"by": ("colour",)}, {"among": {"colour": ("red",)}}, {"take": "oldest", "of": "colour"},
        {"take": "oldest"}, {"of": "since"}, {"by": ("state", "reason", "currency", "account")},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="cannot be measured"):
            Measure(gauge, ORDERS, **wrong)


def test_every_measure_has_as_many_columns_as_its_gauge_has_labels() -> None:
    for service in SERVICES.values():
        for measure in service.measures:
            assert len((*measure.named, *measure.by)) == len(measure.gauge._labelnames)
            assert measure.projection in service.projections


def test_no_value_of_a_measure_ends_its_quotes() -> None:
    gauge = Gauge("lonja_test", "A test.", registry=None)
    query = Measure(gauge, ORDERS, among={"state": ("it's",)}).select(0)
    assert "'it''s'" in query
