"""What can go wrong between bytes and events. Codes are stable."""

UNKNOWN = "unknown-schema"  # a newer release wrote it, which this one may run beside


class CodecError(Exception):
    """Bytes or a value that the contract does not allow."""

    code = "undecodable"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code


class DecodeError(CodecError):
    """Bytes that are not what their schema says."""


class EncodeError(CodecError):
    """A value that its schema cannot carry."""

    code = "unencodable"
