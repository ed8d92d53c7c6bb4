"""`python -m services.accounting.readme` writes the posting table and the chart into the README."""

import re
from pathlib import Path

from services.accounting.posting import accounts, table

README = Path(__file__).with_name("README.md")


def rendered(text: str) -> str:
    """Return the text with both tables as they are in the code."""
    for name, made in (("posting", table()), ("accounts", accounts())):
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = place.sub(rf"\g<1>{made}\n\g<2>", text)
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
