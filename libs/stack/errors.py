"""The one error of this package: a stable code, and a text that says what to do next."""


class StackError(Exception):
    """A server could not be had; ``code`` is stable kebab-case, the text ends with the way out."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{text} [{code}]")
        self.code = code
