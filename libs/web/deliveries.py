"""What every door for deliveries does first: size and encoding, before anything is understood."""

from fastapi import Request

from libs.web.problems import Problem


async def raw_body(request: Request, cap: int) -> bytes:
    """Return the body as it was sent, at most `cap` bytes. Raises Problem.

    What says that it is longer is not read at all, and an encoded one is not decoded.
    """
    told = request.headers.get("content-length")
    if told is not None and told.isascii() and told.isdigit() and int(told[:20]) > cap:
        raise Problem("body-too-large", f"At most {cap} bytes.")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > cap:
            raise Problem("body-too-large", f"At most {cap} bytes.")
        parts.append(part)
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem("content-encoding-not-supported", "Send the body as it is.")
    return b"".join(parts)
