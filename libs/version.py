"""The release, as the command line and the HTTP documentation name it."""

VERSION = "0.1.0"
