"""The generated codec beside fastavro's."""

from statistics import median

from libs.contracts import channels, inventory, orders
from tests.bench.table import Table
from tests.property.codec.timing import ratio


def bench_codec(table: Table) -> None:
    contracts = (*channels.CONTRACTS, *orders.CONTRACTS, *inventory.CONTRACTS)
    ratios = [ratio(contract) for contract in contracts]
    for what, us, times in (
        ("Decode", [r.decode_us for r in ratios], [r.decode_ratio for r in ratios]),
        ("Encode", [r.encode_us for r in ratios], [r.encode_ratio for r in ratios]),
    ):
        table.add(f"{what} an event, median over {len(ratios)} types", f"{median(us):.1f} us",
                  anchor=f"fastavro takes {median(times):.1f} times as long "
                  f"({min(times):.1f} to {max(times):.1f})")  # fmt: skip
