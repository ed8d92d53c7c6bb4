"""The shops' own desks at the end of a run, without HTTP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import json

from services.sandbox.admin import graphql, shopify
from services.sandbox.admin.echoes import Echoes
from services.sandbox.books import Books
from services.sandbox.chance import Faults
from services.sandbox.config import Admin, Settings, shops
from services.sandbox.engine import Engine
from services.sandbox.hooks import Pace
from services.sandbox.retail import rows
from services.sandbox.retail.content import Content
from services.sandbox.retail.mischief import STEP
from services.sandbox.retail.plan import RunPlan, plan_run

Json = dict[str, Any]
SECRETS = {
    "shopify-uk": "hush",
    "woo-uk": "salt",
    "store-uk": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw",
}
PLAN = plan_run(rows.read(), 7)
AT = 1_700_000_000_000_000
FULFIL = """
mutation Tell($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id status trackingInfo { number company url } }
    userErrors { field message }
  }
}
"""
READ = """
query Read($id: ID!) {
  order(id: $id) {
    id displayFulfillmentStatus cancelledAt
    fulfillmentOrders(first: 5) {
      nodes { id status lineItems(first: 50) { nodes { id remainingQuantity lineItem { id } } } }
    }
  }
}
"""
CANCEL = """
mutation Stop($id: ID!) {
  orderCancel(orderId: $id, refund: false, restock: false, reason: OTHER) {
    job { id done } orderCancelUserErrors { code field message }
  }
}
"""
REFUND = """
mutation Back($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id note } userErrors { code message }
  }
}
"""


class Shop:
    """The three shops at the end of their run, with books that a test can open again."""

    def __init__(self, folder: Path, plan: RunPlan = PLAN, faults: Faults | None = None) -> None:
        self.folder, self.plan = folder, plan
        admin = Admin(faults=faults or Faults(), hooks=Pace(doubled=0.0))
        self.settings = Settings(SECRETS, admin=admin)
        self.open()

    def open(self) -> None:
        self.books = Books(self.folder)
        self.engine = Engine(self.plan, shops(self.settings), self.settings, self.books)
        self.engine.restore()
        for name in self.engine.front:
            self.engine.front[name] = len(self.plan.deliveries) * STEP
        self.echoes = Echoes(self.engine, self.settings.admin.hooks)
        self.desk = self.engine.desk

    def graphql(self, document: str, **variables: Any) -> Json:
        operation = graphql.parse(document, variables)
        return shopify.execute(self.desk, "shopify-uk", operation, AT)

    def fulfil(self, number: str, tracking: str, lines: Sequence[Json] = ()) -> Json:
        part: Json = {
            "fulfillmentOrderId": f"gid://shopify/FulfillmentOrder/{4500000000000 + int(number)}"
        }
        if lines:
            part["fulfillmentOrderLineItems"] = list(lines)
        given: Json = {"lineItemsByFulfillmentOrder": [part]}
        given |= {"trackingInfo": {"number": tracking, "company": "RoyalMail"}}
        found: Json = self.graphql(FULFIL, fulfillment=given)["fulfillmentCreate"]
        return found

    def echoed(self) -> list[Json]:
        self.echoes.follow()
        hooks = self.echoes.hooks._pending.values()
        return [json.decode(one.body) for one in hooks]


def plain(account: str, lines: int = 2) -> Content:
    """An order of goods that nothing else happens to."""
    changed = {one.number for one in PLAN.happenings if one.state.version > 1}
    return next(
        one
        for one in PLAN.contents
        if one.account.name == account
        and one.number not in changed
        and one.case is None
        and len(one.lines) >= lines
        and all(line.kind == "goods" and line.quantity > 1 for line in one.lines)
    )


def gid(content: Content, kind: str = "Order") -> str:
    return f"gid://shopify/{kind}/{4500000000000 + int(content.number)}"
