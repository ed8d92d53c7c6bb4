"""What operators ask a running service: how far it is, what is parked, and to try that again."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from libs.runtime.once import once
from libs.runtime.redrive import Redriven
from libs.runtime.running import RunningService
from libs.web.problems import Problem
from libs.web.texts import By, Note
from libs.web.writes import Write, WriteRequest


class RedriveRequest(BaseModel):
    """Which queue to try again, and who asks."""

    model_config = ConfigDict(extra="forbid")
    stream: str = Field(max_length=300)
    source: str = Field(max_length=600)
    by: By = Field(default="operator", max_length=80)


class DiscardRequest(RedriveRequest):
    """Which parked command to give up, and why."""

    parked_id: str = Field(max_length=40)
    reason: Note = Field(min_length=3)


def ops_routes(services: Mapping[str, RunningService]) -> APIRouter:
    """Return the routes under /ops for the services of this process."""
    router = APIRouter(prefix="/ops", tags=["operations"])

    def service(name: str) -> RunningService:
        if name not in services:
            raise Problem("not-found", f"{name} does not run in this process.")
        return services[name]

    @router.get("/lag")
    async def lag() -> list[dict[str, Any]]:
        """Return what each consumer and relay still has before it: records, and seconds."""
        return [
            msgspec.to_builtins(line)
            for running in services.values()
            for line in await running.lag()
        ]

    @router.get("/services")
    async def here() -> list[str]:
        """Return the services that run in this process."""
        return list(services)

    @router.get("/{name}/parked")
    async def parked(
        name: str,
        stream: str | None = None,
        source: str | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> list[dict[str, Any]]:
        """Return parked commands, oldest first: where, from whom, since when and why."""
        rows = await service(name).store.parked(stream, source, limit)
        return [
            {"service": name, "id": p.id, "stream": p.stream, "source": p.source, "code": p.code,
             "detail": p.detail, "fingerprint": p.fingerprint, "at": p.at, "input": p.input_id}
            for p in rows
        ]  # fmt: skip

    async def answered(
        running: RunningService, write: Write, act: Callable[[], Awaitable[Sequence[Redriven]]]
    ) -> list[dict[str, Any]]:
        async def acted() -> list[Redriven]:
            return [*await act()]

        done = await once(
            running.store, write.key, write.request, list[Redriven], running.clock(), acted
        )
        return [msgspec.to_builtins(one) for one in done]

    @router.post("/{name}/parked/redrive")
    async def redrive(
        name: str, wanted: RedriveRequest, write: WriteRequest
    ) -> list[dict[str, Any]]:
        """Try all that is parked for a stream and source again, in order."""
        running = service(name)
        return await answered(
            running, write, lambda: running.parked.redrive(wanted.stream, wanted.source, wanted.by)
        )

    @router.post("/{name}/parked/discard")
    async def discard(
        name: str, wanted: DiscardRequest, write: WriteRequest
    ) -> list[dict[str, Any]]:
        """Give up one parked command; the reason stays in the stream's history."""
        running = service(name)
        return await answered(
            running, write,
            lambda: running.parked.discard(
                wanted.parked_id, wanted.stream, wanted.source, wanted.by, wanted.reason
            ),
        )  # fmt: skip

    return router
