"""What a look of the doctor has found."""

from typing import Literal, NamedTuple

Grade = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One line: what was looked at, how it is, what was seen, and what mends it."""

    what: str
    grade: Grade
    seen: str
    mend: str = ""
