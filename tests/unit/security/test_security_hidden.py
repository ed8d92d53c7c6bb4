"""A planted value never shows, whichever way it is printed, encoded, logged or carried."""

import copy
import dataclasses
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import structlog

from libs.security.secrets import Secret
from libs.security.vault.masterkey import MasterKey
from libs.security.vault.memory import MemoryVault
from libs.security.vault.sealing import Key

CANARY = "canary7f3a9c21canary7f3a9c21_32b"
HIDDEN: list[Any] = [
    Secret(CANARY),
    Key("sub_1", "contact", "key_1", CANARY.encode()),
    MasterKey(CANARY.encode()),
]
SHOWN: list[Callable[[Any], str]] = [
    repr,
    str,
    lambda v: f"{v}",
    lambda v: f"{v!r:>40}",
    lambda v: "%s %r" % (v, v),  # noqa: UP031
    lambda v: repr([v, {"k": v}]),
    lambda v: repr(ValueError(v)),
]
TAKEN: list[Callable[[Any], Any]] = [
    json.dumps,
    msgspec.json.encode,
    msgspec.msgpack.encode,
    msgspec.to_builtins,
    pickle.dumps,
    bytes,
    list,
    vars,
]


@dataclasses.dataclass
class Holder:
    value: Any


@pytest.mark.parametrize("value", HIDDEN, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("show", SHOWN)
def test_no_way_of_printing_shows_the_content(value: Any, show: Callable[[Any], str]) -> None:
    assert CANARY not in show(value)
    assert CANARY not in show(Holder(value))


@pytest.mark.parametrize("value", HIDDEN, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("take", TAKEN)
def test_no_encoder_takes_it_by_accident(value: Any, take: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        take(value)


def test_it_cannot_be_copied_out() -> None:
    for copied in (
        copy.deepcopy,
        copy.copy,
        lambda v: dataclasses.asdict(Holder(v)),
        lambda v: v.__getstate__(),
    ):
        with pytest.raises(TypeError):
            copied(Secret(CANARY))


def _fail(value: Any) -> None:
    raise ValueError(value)


def test_logs_and_tracebacks_do_not_show_it() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logger = logging.getLogger("test.hidden")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        for value in HIDDEN:
            logger.error("failed with %s %r", value, value)
            record = {"event": "failed", "value": value}
            out.write(str(structlog.processors.JSONRenderer()(None, "error", record)))
            with pytest.raises(ValueError, match=r"\*\*\*") as caught:
                _fail(value)
            told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            out.writelines(told.format())
    finally:
        logger.removeHandler(handler)
    assert "***" in out.getvalue()
    assert CANARY not in out.getvalue()


async def test_a_vault_with_an_open_key_does_not_show_it() -> None:
    vault = MemoryVault(master=MasterKey(CANARY.encode()))
    subject = MemoryVault().subject("shop", CANARY)
    await vault.keys_for([(subject, "contact")])
    assert CANARY not in repr(vars(vault))
    assert CANARY not in repr(vault)


def test_revealing_is_the_one_way_and_equality_is_by_value_and_kind() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("é") != Secret("\ud800")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("x") != "x"
