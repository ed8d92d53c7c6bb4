"""HTTP as it is read from a socket: what no route is asked for is answered as a problem, too.

Reading is uvicorn's and httptools'. What they refuse, they answer in plain text, whatever is under
way on the connection, and they keep a head of any length in memory.
"""

from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from libs.web.problems import problem

LONGEST_HEAD = 65_536  # bytes of a request's line and headers, beyond what the first read brings


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head, self._head = True, 0

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hand the request to the application; its body is read on."""
        self._in_head = False
        super().on_headers_complete()

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

    def _refuse(self, code: str, detail: str) -> None:
        """Answer and hang up; what an earlier request is still owed is not answered with this."""
        owed = self.cycle is not None and not self.cycle.response_complete
        if not owed or (self.cycle.more_body and not self.cycle.response_started):
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
