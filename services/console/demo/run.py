"""`lonja demo` as a whole: which run, its processes, its phases, its exit code."""

import asyncio
import json
import os
from pathlib import Path

import msgspec

from libs.cli.errors import Stop
from libs.cli.output import Output
from libs.runtime.settings import load
from services.console.demo import memory as memories
from services.console.demo import settings as sides
from services.console.demo.memory import Memory
from services.console.demo.outcome import Outcome
from services.console.demo.outside import Outside
from services.console.demo.play import Play
from services.console.demo.readings import Readings
from services.console.demo.verdict import judged
from services.console.http import Http
from services.console.launch import Services, Wanted, launched
from services.console.places import clear, port_for, private
from services.sandbox.retail import rows as files
from services.sandbox.retail.plan import plan_run
from services.sandbox.retail.rows import Row


class Options(msgspec.Struct, frozen=True):
    """What was asked for; None is "whatever the run says". A `rate` of 0 has no limit."""

    data: Path
    orders: int | None
    seed: int | None
    rate: float
    rows: Path | None = None
    port: int | None = None
    leave: bool = False
    fresh: bool = False
    report: Path | None = None


def read(path: Path | None) -> tuple[Row, ...]:
    """Read the retail file. Raises Stop naming what is wrong with it."""
    try:
        return files.read(path or files.EXTRACT)
    except (OSError, ValueError) as error:
        raise Stop("data-unreadable", f"{path}: {error}", 2) from error


async def choose(options: Options, output: Output) -> Memory:
    """Return the unfinished run of this folder, or a new one."""
    read(options.rows)  # before anything is cleared for it
    if options.fresh:
        await clear(options.data, os.environ)
    known = memories.recall(options.data)
    if known is not None:
        asked = {"seed": options.seed, "orders": options.orders}
        if not memories.same_input(known, rows=options.rows, **asked):
            text = f"{options.data} holds another run; leave the options out, or add --fresh"
            raise Stop("another-run", text, 2)
        what = "has finished: this is its report" if known.phase == "finished" else "goes on"
        text = f"Run {known.run} {what} (--fresh begins anew)."
        output.say("resumed", text, run=known.run, phase=known.phase)
        return known
    if (options.data / "postgres").exists():
        text = (
            f"{options.data} holds data that is no demo; clear it with --fresh, or set LONJA_DATA"
        )
        raise Stop("not-a-demo", text)
    fresh = memories.begin(
        seed=options.seed, orders=options.orders, rate=options.rate or None, rows=options.rows
    )
    return memories.keep(options.data, fresh)


async def demo(options: Options, output: Output) -> int:
    """Run to the report; without `leave` keep everything up until told to stop."""
    data = options.data
    memory = await choose(options, output)
    config, outside = data / "demo.toml", Outside(data, memory)
    private(config, sides.configuration(memory, outside.urls))
    settings = load(config)
    wanted = Wanted(data, settings, *port_for(settings, options.port), config=config)
    async with launched(wanted, output) as services:
        services.afterwards.append(outside.stop)
        await outside.start(services.url)
        watchers = [asyncio.create_task(services.supervise())]
        watchers += [asyncio.create_task(one.watch()) for one in outside.processes.values()]
        try:
            work = asyncio.create_task(_play(options, memory, services, outside, output))
            watchers.append(work)
            await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
            code = _result(watchers, work)
            if options.leave:
                return code
            watchers.remove(work)
            output.say("staying", "\nEverything stays up; Ctrl-C stops it.")
            await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
            return _result(watchers, watchers[0])
        finally:
            for task in watchers:
                task.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)


def _result(tasks: list[asyncio.Task[int]], work: asyncio.Task[int]) -> int:
    for task in tasks:
        if task.done():
            task.result()
    return work.result()


async def _play(
    options: Options, memory: Memory, services: Services, outside: Outside, output: Output
) -> int:
    rows = read(None if memory.rows is None else Path(memory.rows))
    plan = await asyncio.to_thread(plan_run, rows, memory.seed, memory.orders, "us")
    settings = load(options.data / "demo.toml")

    async def judge() -> Outcome:
        with output.waiting("Auditing topics, databases and the outside books"):
            return await judged(services.servers, settings, outside.books())

    prefix = settings.database_prefix
    async with Http(services.url) as http, Readings(services.servers, prefix) as readings:
        play = Play(memory, plan, http, outside, readings, output, judge)
        for phase, following in (("stock", "selling"), ("selling", "linking"), ("linking", "")):
            if play.memory.phase != phase:
                continue
            await {"stock": play.stock, "selling": play.sell, "linking": play.link}[phase]()
            if following:
                changed = msgspec.structs.replace(play.memory, phase=following)
            else:
                seconds = await readings.seconds()
                changed = msgspec.structs.replace(play.memory, phase="finished", seconds=seconds)
            play.memory = memories.keep(options.data, changed)
        found, faults = await play.finish(rows)
        if options.report is not None:
            text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
            await asyncio.to_thread(options.report.write_text, text)
        return 1 if faults else 0
