"""Names of subjects, blind indexes, the master key, and what a nonce and the bound names protect."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from libs.runtime.errors import ConfigurationError
from libs.security.vault.masterkey import MasterKey, load_master_key
from libs.security.vault.memory import MemoryVault
from libs.security.vault.sealing import Key, Unreadable, seal
from libs.security.vault.vault import blind, inbox_day

KEY = base64.b64encode(bytes(range(32))).decode()

VAULT = MemoryVault()


def test_subjects_are_opaque_and_stable() -> None:
    name = VAULT.subject("shop", "buyer@example.invalid")
    assert name == VAULT.subject("shop", "buyer@example.invalid")
    assert len(name) == 36
    assert name.startswith("sub_")
    assert "buyer" not in name


def test_a_subject_cannot_be_found_by_trying_customer_ids() -> None:
    """A customer id may be an e-mail: without the key nobody can tell whose name this is."""
    other = MemoryVault(master=MasterKey(os.urandom(32)))
    assert other.subject("shop", "1") != VAULT.subject("shop", "1")
    assert other.guest("shop", "1") != VAULT.guest("shop", "1")


def test_accounts_customers_and_guests_never_share_a_subject() -> None:
    names = [
        VAULT.subject("a", "1"),
        VAULT.subject("b", "1"),
        VAULT.guest("a", "1"),
        VAULT.subject("a", "2"),
    ]
    assert len({*names, VAULT.subject("a1", ""), VAULT.subject("", "a1")}) == 6


def test_a_customer_id_that_is_no_proper_text_has_a_subject_too() -> None:
    assert VAULT.subject("shop", "\ud800") != VAULT.subject("shop", "\ud801")


def test_the_inbox_day_is_the_day_in_utc() -> None:
    assert inbox_day("shop", 0) == inbox_day("shop", 86_399_999_999) == "inbox:shop:1970-01-01"
    assert inbox_day("shop", 86_400_000_000) == "inbox:shop:1970-01-02"


def test_equal_addresses_and_numbers_have_equal_indexes() -> None:
    key = MasterKey(bytes(32)).index_key
    assert blind(key, "email", " Ann@Example.invalid ") == blind(
        key, "email", "ann@example.INVALID"
    )
    assert blind(key, "phone", "+44 (20) 7946-0000") == blind(key, "phone", "442079460000")
    assert blind(key, "phone", "٤٤") == blind(key, "phone", "44")
    assert blind(key, "email", "1") != blind(key, "phone", "1")
    assert blind(key, "email", "a") != blind(key, "email", "b")
    assert blind(key, "email", "a") != blind(MasterKey(bytes(range(32))).index_key, "email", "a")


@pytest.mark.parametrize("nothing", ["", "  ", "\t"])
def test_what_holds_nothing_to_compare_has_no_index(nothing: str) -> None:
    key = MasterKey(bytes(32)).index_key
    assert blind(key, "email", nothing) is None
    assert blind(key, "phone", nothing + "n/a²") is None


def test_the_key_in_the_environment_comes_before_the_files(tmp_path: Path) -> None:
    given = load_master_key(tmp_path, {"LONJA_VAULT_KEY": KEY + "\n"})
    assert given.kek_id == MasterKey(bytes(range(32))).kek_id
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    found = load_master_key(tmp_path / "data", {"LONJA_VAULT_KEY_FILE": str(path)})
    assert found.kek_id == MasterKey(bytes(range(32))).kek_id


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = load_master_key(data, {})
    assert stat.S_IMODE((data / "vault.key").stat().st_mode) == 0o600
    assert load_master_key(data, {}).kek_id == first.kek_id
    assert [path.name for path in data.iterdir()] == ["vault.key"]


def test_processes_that_make_the_key_at_once_agree_on_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_master_key(tmp_path, {}).kek_id, range(32)))
    assert len(set(found)) == 1


@pytest.mark.parametrize("bad", ["", "short", base64.b64encode(bytes(31)).decode(), "é" * 44])
def test_what_is_no_key_is_refused_without_being_quoted(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        load_master_key(tmp_path, {"LONJA_VAULT_KEY": bad})
    assert str(told.value) == "The vault's master key is not 32 bytes in base64."
    path = tmp_path / "key"
    path.write_bytes(bad.encode())
    with pytest.raises(ConfigurationError):
        load_master_key(tmp_path, {"LONJA_VAULT_KEY_FILE": str(path)})


def test_a_named_file_that_is_missing_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_master_key(tmp_path, {"LONJA_VAULT_KEY_FILE": str(tmp_path / "none")})
    assert list(tmp_path.iterdir()) == []


def test_subject_clearance_and_field_are_bound_to_the_value() -> None:
    secret, nonce = os.urandom(32), os.urandom(12)
    sealed = seal(Key("sub_1", "contact", "k", secret), "name", b"Ann", nonce)
    assert Key("sub_1", "contact", "k", secret).decrypt("name", sealed.ciphertext, nonce) == b"Ann"
    for other, field in (
        (Key("sub_2", "contact", "k", secret), "name"),
        (Key("sub_1", "statutory", "k", secret), "name"),
        (Key("sub_1", "contact", "k", secret), "address"),
        (Key("sub_1", "contact", "k", os.urandom(32)), "name"),
    ):
        with pytest.raises(Unreadable):
            other.decrypt(field, sealed.ciphertext, nonce)


def test_a_wrapped_key_is_bound_to_its_id() -> None:
    master = MasterKey(bytes(32))
    wrapped = master.wrap("key_1", bytes(32))
    assert master.unwrap("key_1", wrapped) == bytes(32)
    for key_id, blob in (("key_2", wrapped), ("key_1", wrapped[:-1]), ("key_1", b"")):
        with pytest.raises(Unreadable):
            master.unwrap(key_id, blob)
