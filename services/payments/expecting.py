"""What an order says that it costs, and money that never passes through our hands. Pure."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from libs.contracts import common, payments
from services.payments import commands
from services.payments.evolve import PaymentEvent
from services.payments.settling import settle
from services.payments.state import VOUCHERS, PaymentState
from services.payments.story import Story


def expect(command: commands.ExpectPayment, state: PaymentState) -> Sequence[PaymentEvent]:
    """Take an order's newest statement; an older one changes nothing."""
    if command.revision <= state.revision:
        return []
    names = {"order_id": command.order_id, "entity": command.entity}
    story = Story(replace(state, **names), command.at)
    if state.known and command.currency != state.currency:
        told = f"{command.order_id}/{command.revision}"
        story.disagree(
            "currency-differs", command.account, told, command.amount, command.currency,
            state.amount,
        )  # fmt: skip
        return story.events
    story.tell(_expected(command, story.names(command.occurred_at)))
    return settle(story)


def _expected(command: commands.ExpectPayment, names: dict[str, Any]) -> payments.PaymentExpected:
    terms = command.terms
    ours = command.custody == "us"
    carried = {
        kind: sum(one.amount for one in command.tenders if one.kind == kind)
        for kind in VOUCHERS.values()
    }
    kinds = [one.kind for one in command.tenders if one.kind not in carried]  # of the rest
    tender: common.TenderKind = kinds[0] if kinds else "card" if ours else "unknown"
    return payments.PaymentExpected(
        **names, revision=command.revision, account=command.account,
        holder=terms.holder if ours else command.account, custody=command.custody,
        amount=command.amount, total=command.total, lines=command.lines,
        charges_amount=command.charges_amount, currency=command.currency, tender=tender,
        method=command.method, decide_by=command.decide_by, funds=command.funds,
        gift_amount=carried["gift_card"], second_parcel=terms.second_parcel,
        on_expiry=terms.on_expiry, expiry_margin=terms.margin, accept_risk=terms.accept_risk,
        received=command.received, refunded=command.refunded,
        credit_amount=carried["store_credit"],
        authorisation_lasts=terms.lasts,
    )  # fmt: skip


def with_terms(story: Story, terms: commands.Terms) -> None:
    """State what is expected anew, under the account's terms as they are now, where they differ."""
    state = story.state
    holder = terms.holder if state.custody == "us" else state.holder
    before = (
        state.holder, state.second_parcel, state.on_expiry, state.margin, state.accept_risk,
        state.lasts,
    )  # fmt: skip
    now = (
        holder, terms.second_parcel, terms.on_expiry, terms.margin, terms.accept_risk, terms.lasts
    )  # fmt: skip
    if before == now:
        return
    lines = tuple(
        common.LineAmount(line_id=name, quantity=units, amount=amount)
        for name, (units, amount) in sorted(state.lines.items())
    )
    story.tell(
        payments.PaymentExpected(
            **story.names(), revision=state.revision, account=state.account, holder=holder,
            custody=state.custody, amount=state.amount, total=state.total, lines=lines,
            charges_amount=state.charges, currency=state.currency, tender=state.tender,
            method=state.method, decide_by=state.decide_by, funds=state.funds,
            gift_amount=state.gift, second_parcel=terms.second_parcel, on_expiry=terms.on_expiry,
            expiry_margin=terms.margin, accept_risk=terms.accept_risk, received=state.received,
            refunded=state.returned, credit_amount=state.credit,
            authorisation_lasts=terms.lasts,
        )
    )  # fmt: skip
