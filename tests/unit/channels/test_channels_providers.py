"""A provider that an account may name is understood and told of things; the types say the rest."""

from typing import get_args

from libs.runtime.sections import Provider
from services.channels.intake import ADAPTERS
from services.channels.outbound.kinds import QUOTAS


def test_what_an_account_may_name_is_understood_and_can_be_told() -> None:
    assert ADAPTERS.keys() == QUOTAS.keys() == set(get_args(Provider))
