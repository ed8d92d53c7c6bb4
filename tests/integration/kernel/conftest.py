"""The stores that these tests run on."""

from tests.contract.stores import postgres, store

__all__ = ["postgres", "store"]
