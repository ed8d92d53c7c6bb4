"""Whatever a delivery note says, whatever became of an import of it before: each line counts once."""

import asyncio
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.cli.output import Output
from services.console.cli.importing import send
from services.console.importing import Plan, plan
from tests.examples import examples
from tests.unit.inventory.memory import Inventory

HEADER = "sku,location,quantity,unit_cost,currency,document\n"

lines = st.builds(
    "{},{},{},{},{}".format,
    st.sampled_from(["MUG", "TEA"]), st.sampled_from(["main", "store"]), st.integers(1, 2),
    st.sampled_from([",", "4.00,GBP"]), st.sampled_from(["", "DN-7", "DN-8"]),
)  # fmt: skip


def imported(written: list[str], run: str) -> Plan:
    return plan("stock", HEADER + "\n".join(written), run)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(lines, min_size=1, max_size=8), st.integers(0, 8), st.randoms())
def test_every_line_counts_once_in_any_order_and_after_a_crash(
    written: list[str], before: int, rng: random.Random
) -> None:
    inventory, output = Inventory(), Output(as_json=True)
    planned = imported(written, "before")
    whole = Counter[tuple[str, str]]()
    for write in planned.writes:
        whole[write.sku, write.body["location"]] += write.body["quantity"]
    asyncio.run(send(Plan(planned.writes[:before], ()), inventory, output))
    for run in ("again", "and again"):
        rng.shuffle(written)
        assert not asyncio.run(send(imported(written, run), inventory, output))
        assert inventory.on_hand() == whole
