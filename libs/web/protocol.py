"""HTTP as it is read from a socket: what no route is asked for is answered as a problem, too.

Reading is uvicorn's and httptools'. What they refuse, they answer in plain text, whatever is under
way on the connection; they keep a head of any length in memory, and wait for ever for its end.
"""

import asyncio
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from libs.web.problems import problem

LONGEST_HEAD = 65_536  # bytes of a request's line and headers, beyond what the first read brings


class Protocol(HttpToolsProtocol):
    """One connection. A request is to be whole `patience` seconds after its first byte."""

    patience = 60.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head, self._head, self._in_body = True, 0, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, as long as for any."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._late.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        self._in_head, self._head = True, 0
        self._late.cancel()
        self._wait()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Know a request as whole; how long its answer takes is the application's."""
        self._late.cancel()
        self._in_body = False
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Hand the request to the application; its body is read on."""
        self._in_head = False
        super().on_headers_complete()
        self._in_body = True

    def data_received(self, data: bytes) -> None:
        """Read on, but no head without an end."""
        beginning = self._in_head
        super().data_received(data)
        self._head += len(data) if beginning and self._in_head else 0
        if self._head > LONGEST_HEAD and not self.transport.is_closing():
            self._refuse("headers-too-large", f"At most {LONGEST_HEAD} bytes before the body.")

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        del msg
        self._refuse("bad-request", "The request cannot be read: it is not HTTP/1.1.")

    def _wait(self) -> None:
        """Wait for the end of a request, but not for ever."""
        self._late = self.loop.call_later(self.patience, self._give_up)

    def _give_up(self) -> None:
        """Hang up on who has begun a request and does not end it, or never begins one."""
        self._refuse("request-too-slow", f"A request is sent within {self.patience:g} seconds.")

    def _refuse(self, code: str, detail: str) -> None:
        """Answer and hang up; what an earlier request is still owed is not answered with this.

        Nor is a request answered twice that had its answer before its body was read.
        """
        begun = self._in_body and self.cycle.response_started
        owed = not self._in_body and self.cycle is not None and not self.cycle.response_complete
        if not begun and not owed:
            answer = problem(code, detail)
            headers = (*self.server_state.default_headers, *answer.raw_headers)
            head = [STATUS_LINE[answer.status_code]]
            head += [name + b": " + value + b"\r\n" for name, value in headers]
            self.transport.write(b"".join([*head, b"connection: close\r\n\r\n", answer.body]))
        self.transport.close()


def configured(app: ASGIApp) -> Config:
    """Return how an application is served: HTTP/1.1 alone, without WebSockets."""
    return Config(
        app, log_config=None, access_log=False, lifespan="off", http=Protocol, ws="none",
        server_header=False, timeout_keep_alive=30, timeout_graceful_shutdown=5,
    )  # fmt: skip
