"""The end of a verb: one clear line for the person at the terminal, and an exit code."""


class Stop(Exception):  # noqa: N818 - an answer, not a fault
    """Ends a verb; the text says what happened and what to do, `exit_code` is 2 for wrong usage."""

    def __init__(self, code: str, text: str, exit_code: int = 1) -> None:
        super().__init__(f"{text} [{code}]")
        self.code, self.exit_code = code, exit_code
