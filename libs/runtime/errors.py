"""Errors that end a start with one clear sentence."""


class ConfigurationError(Exception):
    """The configuration cannot be used; the message says which key and why, never its value."""
