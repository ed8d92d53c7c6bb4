"""What a demo run says at its end: what a retailer wants to see first, then the sums."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from libs.cli.output import Output
from services.console.demo.outcome import labels_bought_twice, owed
from services.console.demo.report import IN_PART, Facts, by_group, report
from services.console.demo.screen import ms


def conclude(
    output: Output, facts: Facts, showcase: tuple[str, int, int], faults: Sequence[str]
) -> None:
    """Say what came out. `showcase` is an order's number, its deliveries, and its effects."""
    found = report(facts)
    if output.as_json:
        output.say("report", "", report=found, faults=list(faults))
        return
    number, sent, effects = showcase
    once = "effective once" if effects == 1 else f"effective {effects} times"
    lines = [f"\n[bold]{sent} deliveries of order {number}, {once}[/bold]"]
    lines += [*_file(facts), *_orders(found), *_money(found, facts), *_rest(found)]
    lines.append(f"Synthetic in this run: {', '.join(facts.synthetic)}.")
    if faults:
        lines.append("[bold red]The report is not sound:[/bold red]")
        lines += [f"  [red]✗[/red] {fault}" for fault in faults]
    else:
        text = (
            "The audit finds nothing: each delivery took effect once, no unit is promised twice, "
            "the file, the money and the ledger are accounted for"
        )
        lines.append(f"[green]✓[/green] {text}.")
    for line in lines:
        output.show(line)


def pounds(minor: int) -> str:
    """Return pence as pounds."""
    return f"{'-' if minor < 0 else ''}£{abs(minor) // 100:,}.{abs(minor) % 100:02d}"


def _file(facts: Facts) -> list[str]:
    groups = by_group(facts.input)
    rows = sum(one.rows for one in groups.values())
    net = sum(one.net_minor for one in groups.values())
    order = groups["order"].net_minor if "order" in groups else 0
    left = pounds(net - order)
    lines = [f"File: {pounds(net)} in {rows} rows = orders {pounds(order)} + other rows {left}:"]
    width = max(len(name) for name in facts.input)
    for name, one in sorted(facts.input.items()):
        if not name.startswith("order"):
            lines.append(f"  {name:<{width}} {one.rows:>6} rows {pounds(one.net_minor):>12}")
    return lines


def _orders(found: Mapping[str, Any]) -> list[str]:
    orders = found["orders"]
    named = [
        f"  {count:>5} {kind}: {_words(reason)}"
        for kind in ("waiting", "held")
        for reason, count in sorted(orders[kind].items(), key=lambda item: -item[1])
    ]
    waiting, held = sum(orders["waiting"].values()), sum(orders["held"].values())
    sums = f"{orders['completed']} completed + {orders['cancelled']} cancelled"
    on_way = f" + {orders['confirmed']} confirmed" if orders["confirmed"] else ""
    risk = f"Queues, {pounds(orders['value_at_risk_minor'])} at risk:"
    return [
        f"Orders: {orders['received']} received = {sums}{on_way} + {waiting} waiting + {held} held",
        *([risk, *named] if named else ["Queues: none"]),
    ]


def _money(found: Mapping[str, Any], facts: Facts) -> list[str]:
    ledger, told = found["ledger"], found["channel_confirmations"]
    twice, labels = found["payments"]["double_charges"], labels_bought_twice(facts.outcome)
    lines = ["Money, by who holds it:"]
    for holder, one in found["payments"]["by_holder"].items():
        doubt = f", {pounds(one['unknown_minor'])} in doubt" if one["unknown_minor"] else ""
        debt = owed(facts.outcome, holder)
        back = f", {pounds(debt)} of it owed to buyers" if debt else ""
        same = "=" if one["captured_minor"] == one["books_minor"] else "≠"
        lines.append(
            f"  {holder:<12} {pounds(one['captured_minor'])} by us {same} "
            f"{pounds(one['books_minor'])} by its own books{doubt}{back}"
        )
    for currency, debits in ledger["debits_minor"].items():
        credits_ = ledger["credits_minor"].get(currency, 0)
        same = "=" if debits == credits_ else "≠"
        lines.append(
            f"Ledger: {ledger['entries']} entries, debits {pounds(debits)} {same} credits "
            f"{pounds(credits_)} {currency}; net sales {pounds(ledger['net_sales_minor'])}"
        )
    rates = ", ".join(f"{_percent(rate)} {pounds(n)}" for rate, n in found["tax_minor"].items())
    lines.append(f"Tax: {rates or 'none'}")
    lines.append(f"{twice} double charges, {labels} labels bought twice")
    reports = (
        f"{told['confirmed']} of {told['due']} confirmed by their channel, {told['late']} late"
    )
    return [*lines, f"Dispatches and cancellations told: {reports}"]


def _percent(rate: str) -> str:
    try:
        return f"{(Decimal(rate) * 100).normalize():f} %"
    except InvalidOperation:
        return rate or "no rate"


def _words(reason: str) -> str:
    if reason.endswith(IN_PART):
        return f"{reason.removesuffix(IN_PART)} in part"
    return reason or "without a reason"


def _rest(found: Mapping[str, Any]) -> list[str]:
    sent, stock, late = found["deliveries"], found["stock"], found["latency_ms"]
    promised = f"{stock['units_promised_without_stock']} units promised without stock"
    sold = f"{stock['units_sold_by_channels_without_stock']} sold by channels without stock"
    short, gone = stock["units_short_now"], stock["units_written_off"]
    once = sent["effective"]
    speed = f"p50 {ms(late['p50'])}, p99 {ms(late['p99'])}"
    return [
        f"Stock: {stock['skus']} SKUs, {promised}, {sold}, {short} short now, {gone} written off",
        f"Deliveries: {sent['sent']} sent, {sent['distinct']} distinct, {once} effective",
        f"Events: {found['events']} in {found['seconds']} s; from webhook to reserved {speed}",
        "  (at the commit that reserves; the read model shows it some milliseconds later)",
    ]


def worth_trying(output: Output, url: str, order_id: str, sku: str, data: Path) -> None:
    """Say where the documentation is, and commands, as they find the folder `data`."""
    output.say("documentation", f"\nAPI documentation: {url}/docs", docs=f"{url}/docs")
    usual = data.resolve() == Path(".lonja").resolve()
    lonja = f"[bold]{'' if usual else f'LONJA_DATA={data.resolve()} '}.venv/bin/lonja"
    output.show("Worth trying in another terminal while this stays up; after --exit,")
    output.show(f"{lonja} demo[/bold] has it up again:")
    output.show(f"  {lonja} trace {order_id}[/bold]  one order's story over all services")
    output.show(f"  {lonja} why {sku}[/bold]  the event behind each unit")
    output.show(f"  {lonja} stuck ls[/bold]  each order that needs somebody, and what to do")
    output.show(f"  {lonja} rebuild --all --verify[/bold]  read models from the log, proved equal")
    output.show(f"  {lonja} audit[/bold]  prove it all again, or name what is not kept")
    output.show(
        f"  {lonja} erase {order_id}[/bold]  forget its customer, and keep what the law obliges to"
    )
    output.show(f"  [bold]curl -s {url}/orders/summary[/bold]  where all orders stand, over HTTP")
