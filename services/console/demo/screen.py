"""What a demo run looks like while it goes on. It reads nothing itself."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from rich.live import Live
from rich.table import Table

from libs.cli.output import Output

QUIET_EVERY = 5.0  # seconds between lines where nobody watches a terminal


class Screen:
    """Live progress: a table on a terminal, else a line every few seconds."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._live: Live | None = None
        self._said = 0.0
        self._watched = output.progress.is_terminal and not output.as_json

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Show while a run goes on."""
        if not self._watched:
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
        elif not self._watched and now - self._said >= QUIET_EVERY:
            self._said = now
            text = (
                f"{seen['received']} orders received, {seen['confirmed']} confirmed,"
                f" {seen['dispatched']} dispatched, {seen['completed']} completed;"
                f" {shops.get('sent', 0)} deliveries sent"
            )
            self._output.say("progress", text, deliveries=shops.get("sent", 0), **seen)


def _table(shops: Mapping[str, Any], seen: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    planned, sent = shops.get("planned_orders", 0), shops.get("sent", 0)
    rows = (
        ("orders", f"{seen['received']} of {planned}", f"{seen['confirmed']} confirmed",
         f"{seen['dispatched']} dispatched", f"{seen['completed']} completed",
         f"{seen['cancelled']} cancelled"),
        ("queues", f"{seen['waiting']} waiting", f"{seen['held']} held", "", "", ""),
        ("deliveries", f"{sent} sent", f"{shops.get('distinct', 0)} distinct",
         f"{shops.get('acked', 0)} accepted", f"{shops.get('failed', 0)} to repeat", ""),
        ("reserved", f"{seen['rate']:.0f} orders/s", f"p50 {ms(seen['p50'])}",
         f"p99 {ms(seen['p99'])}", "", ""),
    )  # fmt: skip
    for name, *cells in rows:
        table.add_row(f"[bold]{name}", *cells)
    return table


def ms(value: float | None) -> str:
    """Return milliseconds for a person."""
    return "-" if value is None else f"{value:.0f} ms"
