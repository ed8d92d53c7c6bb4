"""The example configuration is whole, and it is loaded as it stands; so is a demo's."""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from libs.runtime.settings import (
    Account,
    Address,
    Carrier,
    Company,
    ConfigurationError,
    Limits,
    Location,
    PaymentAccount,
    Privacy,
    Server,
    Settings,
    Telemetry,
    check_secrets,
    load,
)
from services.console.demo import memory
from services.console.demo import settings as sides
from services.console.places import note_services, settings_of
from services.sandbox import config as sandbox
from services.sandbox.carrier import config as carrier
from services.sandbox.reading import read
from services.sandbox.retail.orders import ACCOUNTS
from services.sandbox.stripe import config as stripe

EXAMPLE = Path(__file__).parents[3] / "lonja.example.toml"


def sections() -> list[tuple[type[BaseModel], dict[str, Any]]]:
    written = tomllib.loads(EXAMPLE.read_text())
    (account,), (location,) = written["channels"].values(), written["locations"].values()
    (company,), (payments,) = written["companies"].values(), written["payments"].values()
    (carrier,) = written["carriers"].values()
    return [
        (Settings, written), (Server, written["server"]), (Limits, written["limits"]),
        (Privacy, written["privacy"]), (Telemetry, written["telemetry"]),
        (Account, account), (Location, location), (Company, company),
        (PaymentAccount, payments), (Address, location["address"]), (Carrier, carrier),
    ]  # fmt: skip


def test_every_key_stands_in_the_example_and_nothing_else() -> None:
    for model, written in sections():
        assert set(written) == set(model.model_fields), model.__name__


def test_every_default_of_the_example_is_the_real_one() -> None:
    own = {"rates", "provider", "webhook_secrets", "webhook_secrets_file", "tokens", "channels"}
    own |= {"payments", "api_key", "api_key_file", "api_url", "api_token", "api_token_file"}
    for model, written in sections():
        for name, value in written.items():
            default = model.model_fields[name].get_default(call_default_factory=True)
            if name not in own and not isinstance(value, dict):
                plain = list(default) if isinstance(default, tuple) else default
                assert value == plain, f"{model.__name__}.{name}"


def test_the_example_is_loaded_as_it_stands() -> None:
    settings = load(EXAMPLE, {})
    assert settings.channels["my-shop"].provider == "shopify"
    assert settings.server.tokens["replace-me-with-a-long-random-text"] == "operator"


def test_whoever_joins_running_services_knows_the_accounts_that_they_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("running", "mine"):
        (tmp_path / f"{name}.toml").write_text(f'topic_prefix = "{name}."')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LONJA_CONFIG", raising=False)
    (tmp_path / "mine.toml").rename("lonja.toml")
    assert settings_of(tmp_path).topic_prefix == "mine."
    note_services(tmp_path, "http://127.0.0.1:1", os.getpid(), Path("running.toml"))
    assert settings_of(tmp_path).topic_prefix == "running."
    older = {"url": "http://127.0.0.1:1", "pid": os.getpid()}
    (tmp_path / "run/services.json").write_text(json.dumps(older))
    assert settings_of(tmp_path).topic_prefix == "mine.", "a release that noted no file"
    note_services(tmp_path, "http://127.0.0.1:1", os.getpid(), Path("running.toml"))
    monkeypatch.setenv("LONJA_CONFIG", "lonja.toml")
    assert settings_of(tmp_path).topic_prefix == "mine."


def test_a_file_that_is_named_and_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.toml", tmp_path):
        with pytest.raises(ConfigurationError, match=str(path)):
            load(None, {"LONJA_CONFIG": str(path)})


@pytest.mark.parametrize(
    ("section", "key"),
    [("channels.shop", "webhook_secrets_file"), ("channels.shop", "api_token_file"),
     ("payments.card", "api_key_file"), ("carriers.post", "webhook_secrets_file")],
)  # fmt: skip
def test_a_file_of_secrets_that_cannot_be_read_is_named_with_its_key(
    tmp_path: Path, section: str, key: str
) -> None:
    provider = {"channels.shop": "shopify", "payments.card": "stripe", "carriers.post": "easypost"}
    config, file = tmp_path / "lonja.toml", tmp_path / "hushed"
    config.write_text(f'[{section}]\nprovider = "{provider[section]}"\n{key} = "{file}"\n')
    settings = load(config, {})
    with pytest.raises(ConfigurationError, match=rf"{section}\.{key}: .*hushed cannot be read"):
        check_secrets(settings)
    file.write_text("hush")
    check_secrets(settings)


def test_a_demo_has_three_accounts_with_secrets_of_their_own(tmp_path: Path) -> None:
    run = memory.begin(seed=None, orders=None, rate=None, rows=None)
    other = memory.begin(seed=None, orders=None, rate=None, rows=None)
    path = tmp_path / "demo.toml"
    urls = {name: f"http://127.0.0.1:{n}" for n, name in enumerate(sides.URLS, start=7001)}
    path.write_text(sides.configuration(run, urls))
    settings = load(path, {})
    assert {n: one.provider for n, one in settings.channels.items()} == {
        one.name: one.provider for one in ACCOUNTS
    }
    assert {one.shortage for one in settings.channels.values()} == {"backorder", "split", "cancel"}
    assert not set(run.secrets.values()) & set(other.secrets.values())
    assert not set(run.keys.values()) & set(other.keys.values())


def test_a_demo_and_its_outside_know_each_other(tmp_path: Path) -> None:
    run = memory.begin(seed=7, orders=3, rate=None, rows=None)
    urls = {name: f"http://127.0.0.1:{n}" for n, name in enumerate(sides.URLS, start=7001)}
    path = tmp_path / "demo.toml"
    path.write_text(sides.configuration(run, urls))
    settings = load(path, {})
    files = {name: tmp_path / f"{name}.json" for name in sides.URLS}
    for name, file in files.items():
        file.write_bytes(msgspec.json.encode(sides.asked_of(name, run)))
    shops = sandbox.read_settings(files["sandbox"])
    card, post = read(files["payments"], stripe.Settings), read(files["carrier"], carrier.Settings)
    assert {shops.seed, card.seed, post.seed} == {7}
    ours = settings.payments[card.account]
    assert (ours.api_url, ours.key().reveal()) == (urls["payments"], card.api_key)
    assert [one.reveal() for one in ours.secrets()] == [card.webhook_secret]
    theirs = settings.carriers[post.account]
    assert (theirs.api_url, theirs.key().reveal()) == (urls["carrier"], post.api_key)
    assert [one.reveal() for one in theirs.secrets()] == [post.webhook_secret]
    assert settings.locations["main"].carrier == post.account
    for name, account in settings.channels.items():
        token = account.token()
        assert token is not None
        assert token.reveal() == shops.admin.tokens[name]
        assert account.api_url == f"{urls['sandbox']}/shops/{name}"
    paid_by_us = [one.payments for one in settings.channels.values() if one.custody == "us"]
    assert (shops.store_paid_by, paid_by_us) == ("us", [card.account])


def test_a_run_is_recalled_as_it_was_kept_and_only_by_its_owner(tmp_path: Path) -> None:
    run = memory.keep(tmp_path, memory.begin(seed=4, orders=9, rate=None, rows=None))
    assert memory.recall(tmp_path) == run
    assert (tmp_path / memory.NAME).stat().st_mode & 0o777 == 0o600


def test_only_options_that_ask_for_the_same_input_go_on_with_a_run() -> None:
    run = memory.begin(seed=4, orders=9, rate=None, rows=None)
    assert memory.same_input(run, seed=None, orders=None, rows=None)
    assert memory.same_input(run, seed=4, orders=9, rows=None)
    assert not memory.same_input(run, seed=5, orders=None, rows=None)
    assert not memory.same_input(run, seed=None, orders=8, rows=None)
    assert not memory.same_input(run, seed=None, orders=None, rows=Path("other.csv"))


def test_a_place_whose_carrier_is_not_configured_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lonja.toml"
    path.write_text('[locations.main]\ncarrier = "nobody"\n')
    with pytest.raises(ConfigurationError, match="nobody"):
        load(path, {})
    path.write_text('[locations.main]\ncarrier = "post"\n[carriers.post]\napi_key = "hush"\n')
    settings = load(path, {"LONJA_CARRIERS__POST__WEBHOOK_SECRETS": "new,old"})
    assert len(settings.carriers["post"].secrets()) == 2
    assert "hush" not in repr(settings)
