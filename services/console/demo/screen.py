"""What a demo run looks like while it goes on, and what it says at its end. It reads nothing."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.live import Live
from rich.table import Table

from libs.cli.output import Output
from services.console.demo.report import IN_PART, Facts, by_group, percentile, report

QUIET_EVERY = 5.0  # seconds between lines where nobody watches a terminal


class Screen:
    """Live progress: a table on a terminal, else a line every few seconds."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._live: Live | None = None
        self._said = 0.0

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Show while a run goes on."""
        if self._output.as_json or not self._output.progress.is_terminal:
            yield
            return
        with Live(console=self._output.progress, refresh_per_second=8, transient=True) as live:
            self._live = live
            yield
        self._live = None

    def update(self, now: float, shops: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
        """Show how far it has come; `seen` holds orders by state, rate and latencies."""
        if self._live is not None:
            self._live.update(_table(shops, seen))
        elif now - self._said >= QUIET_EVERY:
            self._said = now
            text = (
                f"{seen['received']} orders received, {seen['confirmed']} confirmed;"
                f" {shops.get('sent', 0)} deliveries sent"
            )
            self._output.say("progress", text, deliveries=shops.get("sent", 0), **seen)


def _table(shops: Mapping[str, Any], seen: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    planned, sent = shops.get("planned_orders", 0), shops.get("sent", 0)
    table.add_row(
        "[bold]orders", f"{seen['received']} of {planned} received", f"{seen['confirmed']} confirmed",
        f"{seen['waiting']} waiting", f"{seen['held']} held", f"{seen['cancelled']} cancelled",
    )  # fmt: skip
    table.add_row(
        "[bold]deliveries", f"{sent} sent", f"{shops.get('distinct', 0)} distinct",
        f"{shops.get('acked', 0)} acknowledged", f"{shops.get('failed', 0)} to repeat",
    )  # fmt: skip
    table.add_row(
        "[bold]speed", f"{seen['rate']:.0f} orders/s", f"p50 {_ms(seen['p50'])}",
        f"p99 {_ms(seen['p99'])}", "webhook to reserved",
    )  # fmt: skip
    return table


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"


def pounds(minor: int) -> str:
    """Return pence as pounds."""
    return f"{'-' if minor < 0 else ''}£{abs(minor) // 100:,}.{abs(minor) % 100:02d}"


def conclude(
    output: Output, facts: Facts, showcase: tuple[str, int, int], faults: Sequence[str]
) -> None:
    """Say what came out. `showcase` is an order's number, its deliveries, and its effects."""
    found = report(facts)
    number, sent, effects = showcase
    once = "effective once" if effects == 1 else f"effective {effects} times"
    output.show("")
    output.show(f"[bold]{sent} deliveries of order {number}, {once}[/bold]")
    for line in [*_file_lines(facts), *_order_lines(found), *_stock_lines(found, facts)]:
        output.show(line)
    output.show(f"Synthetic in this run: {', '.join(facts.synthetic)}.")
    if faults:
        output.show("[bold red]The report is not sound:[/bold red]")
        for fault in faults:
            output.show(f"  [red]✗[/red] {fault}")
    else:
        output.show(
            "[green]✓[/green] Every delivery took effect once, no unit is promised twice, and"
        )
        output.show("  every order is confirmed, cancelled, or in a queue that has a name.")
    output.say("report", "", report=found, faults=list(faults))


def _file_lines(facts: Facts) -> list[str]:
    groups = by_group(facts.input)
    rows = sum(one.rows for one in groups.values())
    net = sum(one.net_minor for one in groups.values())
    parts = [f"{name} {pounds(one.net_minor)}" for name, one in groups.items() if name != "order"]
    order = groups["order"].net_minor if "order" in groups else 0
    lines = [
        f"File {pounds(net)} in {rows} rows = orders {pounds(order)}",
        f"  + {' + '.join(parts)}",
    ]
    return [*lines, *(f"    {name}: {one.rows} rows, {pounds(one.net_minor)}"
                      for name, one in facts.input.items() if not name.startswith("order"))]  # fmt: skip


def _order_lines(found: Mapping[str, Any]) -> list[str]:
    orders, sent = found["orders"], found["deliveries"]
    named = [f"{n} {_words(reason)}" for kind in ("waiting", "held")
             for reason, n in orders[kind].items()]  # fmt: skip
    risk = pounds(orders["value_at_risk_minor"])
    late = found["latency_ms"]
    return [
        f"Orders: {orders['received']} received = {orders['confirmed']} confirmed + "
        f"{orders['cancelled']} cancelled + {sum(orders['waiting'].values())} waiting + "
        f"{sum(orders['held'].values())} held",
        f"  in named queues, {risk} at risk: {', '.join(named) or 'none'}",
        f"Deliveries: {sent['sent']} sent, {sent['distinct']} distinct, {sent['effective']} effective",
        f"Events: {found['events']} in {found['seconds']} s; webhook to reserved "
        f"p50 {_ms(late['p50'])}, p99 {_ms(late['p99'])} (the read model follows within some ms)",
    ]


def _words(reason: str) -> str:
    if reason.endswith(IN_PART):
        return f"{reason.removesuffix(IN_PART)} in part"
    return reason


def _stock_lines(found: Mapping[str, Any], facts: Facts) -> list[str]:
    stock = found["stock"]
    del facts
    return [
        f"Stock: {stock['skus']} SKUs, {stock['units_promised_without_stock']} units promised "
        f"without stock; channels sold {stock['units_sold_by_channels_without_stock']} units that "
        f"were not there, {stock['units_short_now']} are short now; "
        f"{stock['units_written_off']} written off",
    ]


def worth_trying(output: Output, url: str, order_id: str, sku: str) -> None:
    """Say where the documentation is, and five commands."""
    output.say("ready", f"\nAPI documentation: {url}/docs", url=url, docs=f"{url}/docs")
    output.show("Worth trying, in another terminal:")
    for command, why in (
        (f"lonja trace {order_id}", "one order's story over all services"),
        (f"lonja why {sku}", "the event behind each unit"),
        ("lonja stuck ls", "every order that needs somebody, and what to do"),
        ("lonja rebuild --all --verify", "read models from the log, proved equal"),
        (f"curl -s {url}/orders/summary", "the same over HTTP"),
    ):
        output.show(f"  [bold].venv/bin/{command}[/bold]  {why}" if command.startswith("lonja")
                    else f"  [bold]{command}[/bold]  {why}")  # fmt: skip
