"""What a buyer's or a shopkeeper's edit leaves of an order, dearer or cheaper; it tells nobody."""

from decimal import Decimal
from random import Random

from msgspec.structs import replace

from services.sandbox.retail import money
from services.sandbox.retail.content import Content, Line, State


def priced(line: Line, quantity: int) -> Line:
    """The line with another quantity and its amounts."""
    net = money.line_net(line.price, quantity)
    return replace(line, quantity=quantity, net=net, tax=money.tax_of(net, line.rate))


def dearer(content: Content) -> Content:
    """Two more of one line, one less of another: of the dearer of the first two there is more."""
    first, second, *rest = content.lines
    more, less = (2, -1) if Decimal(first.price) >= Decimal(second.price) else (-1, 2)
    lines = (priced(first, first.quantity + more), priced(second, second.quantity + less), *rest)
    return replace(content, lines=lines)


def fewer(content: Content, random: Random) -> dict[int, int]:
    """Units to take out of an order by line, so that it is cheaper and not empty; {}: none can be.

    A line may go whole where another one stays.
    """
    found = _divisible(content)
    if not found:
        return {}
    line = random.choice(found)
    whole = len(content.lines) > 1 and (line.quantity == 1 or random.random() < 0.3)
    units = line.quantity if whole else random.randint(1, line.quantity - 1)
    most = line.quantity if len(content.lines) > 1 else line.quantity - 1
    while units < most and _worth(priced(line, line.quantity - units)) >= _worth(line):
        units += 1
    return {line.id: units}


def can_be_cheaper(content: Content) -> bool:
    """Whether units can be taken out so that the order is cheaper."""
    return bool(_divisible(content))


def _divisible(content: Content) -> list[Line]:
    return [
        line
        for line in content.lines
        if line.kind == "goods" and line.quantity > 1 and _worth(priced(line, 1)) < _worth(line)
    ]


def _worth(line: Line) -> int:
    return line.net + line.tax


def without(content: Content, units: dict[int, int]) -> Content:
    """The order without these units."""
    return _with(content, {line: -n for line, n in units.items()})


def before_cut(state: State) -> Content:
    """The order as it was before the edit that made it cheaper."""
    return state.content if state.cut is None else _with(state.content, state.cut.units)


def _with(content: Content, units: dict[int, int]) -> Content:
    lines = tuple(
        priced(line, line.quantity + units[line.id]) if line.id in units else line
        for line in content.lines
    )
    return replace(content, lines=lines)
