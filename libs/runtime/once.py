"""Gives an operator's repeated request its first answer. What the request does is not its matter.

The answer is kept after the deed, not with it: for deeds that, begun again, repeat nothing.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from libs.eventsourcing.decided import Reply, Turn
from libs.eventsourcing.states import unpack
from libs.runtime.commands import KeyReused
from libs.store.store import Repeated, Store

T = TypeVar("T")


async def once(
    store: Store, key: str, request: bytes, kind: type[T], at: int, act: Callable[[], Awaitable[T]]
) -> T:
    """Act and keep the answer under the key; the same request under it gets that answer again.

    Of two at once, both act and both get the answer that was kept first. After a crash between
    deed and answer the deed is begun again. Raises KeyReused for another request.
    """
    name, digest = f"ops/{key}", hashlib.sha256(request).digest()
    if (kept := await _kept(store, name, digest, kind)) is not None:
        return kept
    done = await act()
    text = msgspec.json.encode(done).decode()
    try:
        await store.commit(Turn(at, replies=[Reply(name, digest, "", 0, details={"done": text})]))
    except Repeated:
        if (kept := await _kept(store, name, digest, kind)) is not None:
            return kept
        raise
    return done


async def _kept(store: Store, name: str, digest: bytes, kind: type[T]) -> T | None:
    stored = (await store.replies([name])).get(name)
    if stored is None:
        return None
    if stored.request_hash != digest:
        raise KeyReused
    return msgspec.json.decode(str(unpack(Reply, stored.reply).details["done"]), type=kind)
