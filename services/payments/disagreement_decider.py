"""What a provider says of a payment that nobody here knows, until a person settles it. Pure."""

from collections.abc import Sequence
from typing import assert_never

import msgspec
from msgspec.structs import replace

from libs.contracts import payments
from libs.eventsourcing.decider import Decider, Refused
from services.payments import commands
from services.payments.commands import PERSON_WITHIN

DisagreementEvent = payments.PaymentDisagreed | payments.PaymentDisagreementSettled


class DisagreementState(msgspec.Struct, frozen=True):
    """What was told last, and whether it is settled."""

    entity: str = ""
    holder: str = ""
    reference: str = ""
    code: str = ""
    amount: int = 0
    currency: str = ""
    settled: bool = False


def decide(
    command: commands.DisagreementCommand, state: DisagreementState
) -> Sequence[DisagreementEvent]:
    """Record what is told once, and its settlement."""
    match command:
        case commands.Disagree():
            told = (command.code, command.amount, command.currency)
            if told == (state.code, state.amount, state.currency):
                return []
            return [
                payments.PaymentDisagreed(
                    entity=command.entity, occurred_at=command.occurred_at, holder=command.holder,
                    order_id=None, provider_reference=command.reference, code=command.code,
                    amount=command.amount, currency=command.currency, expected_amount=0,
                    expected_currency="", deadline=command.at + PERSON_WITHIN,
                )
            ]  # fmt: skip
        case commands.SettleDisagreement():
            if not state.code:
                raise Refused("disagreement-not-found", "Nothing is known under this name.")
            if state.settled:
                return []
            return [
                payments.PaymentDisagreementSettled(
                    entity=state.entity, occurred_at=command.at, holder=state.holder,
                    order_id=None, provider_reference=state.reference, code=state.code,
                    decision=command.decision, by=command.by,
                )
            ]  # fmt: skip
        case _:
            assert_never(command)


def evolve(state: DisagreementState, event: DisagreementEvent) -> DisagreementState:
    """Fold one event."""
    match event:
        case payments.PaymentDisagreed():
            return DisagreementState(
                event.entity, event.holder, event.provider_reference, event.code, event.amount,
                event.currency,
            )  # fmt: skip
        case payments.PaymentDisagreementSettled():
            return replace(state, settled=True)
        case _:
            assert_never(event)


DISAGREEMENT = Decider(
    category="disagreement",
    commands=commands.DisagreementCommand,
    state=DisagreementState,
    initial=DisagreementState(),
    decide=decide,
    evolve=evolve,
)
