"""Alerts, dashboard and runbooks speak of what exists, and every alert has its runbook and test."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from libs.telemetry import metrics
from services.console.cli.main import Verbs

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = (DEPLOY / "prometheus/rules.yml").read_text()
TESTS = (DEPLOY / "prometheus/rules_test.yml").read_text()
DASHBOARD = (DEPLOY / "grafana/lonja.json").read_text()
ALERTS = re.findall(r"- alert: (\w+)", RULES)
PROMTOOL = shutil.which("promtool")


def exposed() -> set[str]:
    """Every name that a scrape can show."""
    names = set()
    for family in metrics.REGISTRY.collect():
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        names |= {family.name + end for end in ends.get(family.type, [""])}
    return names


@pytest.mark.parametrize("text", [RULES, TESTS, DASHBOARD], ids=["rules", "tests", "dashboard"])
def test_every_metric_that_is_used_exists(text: str) -> None:
    used = set(re.findall(r"\blonja_[a-z0-9_]+", text))
    assert used
    assert used <= exposed()


def test_every_metric_is_on_the_dashboard() -> None:
    shown = set(re.findall(r"\blonja_[a-z0-9_]+", DASHBOARD))
    missing = {
        one.name
        for one in metrics.REGISTRY.collect()
        if not any(n.startswith(one.name) for n in shown)
    }
    assert missing == set()


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    assert len(ALERTS) == len(set(ALERTS)) >= 6
    assert re.findall(r"runbook: (\S+)", RULES) == [f"deploy/runbooks/{name}.md" for name in ALERTS]
    assert {path.stem for path in (DEPLOY / "runbooks").glob("*.md")} == set(ALERTS)
    for name in ALERTS:
        text = (DEPLOY / "runbooks" / f"{name}.md").read_text()
        assert text.startswith(f"# {name}\n")
        assert "## Look" in text
        assert "## Mend" in text


def test_every_alert_is_tested_both_ways() -> None:
    for name in ALERTS:
        assert f"{{alertname: {name}, eval_time: 30m}}" in TESTS, (
            "it does not fire when all is well"
        )
        assert f"- alertname: {name}\n" in TESTS, "it fires on what it is for"


def test_every_verb_that_a_runbook_names_exists() -> None:
    named = set()
    for path in (DEPLOY / "runbooks").glob("*.md"):
        named |= set(re.findall(r"`lonja ([a-z]+)", path.read_text()))
    assert named <= set(Verbs.verbs), named - set(Verbs.verbs)


def test_panels_have_their_own_ids_and_places() -> None:
    panels = json.loads(DASHBOARD)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed here")
@pytest.mark.parametrize(
    "words", [("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")]
)
def test_promtool_agrees(words: tuple[str, ...]) -> None:
    told = subprocess.run(
        [str(PROMTOOL), *words],
        cwd=DEPLOY / "prometheus",
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
