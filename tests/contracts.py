"""All contracts that there are."""

from importlib import import_module
from typing import Any

from libs.codec.contract import Contract
from libs.codec.schemas import SERVICES

EVERY_CONTRACT: list[Contract[Any]] = [
    contract
    for service in SERVICES
    for contract in import_module(f"libs.contracts.{service}").CONTRACTS
]
