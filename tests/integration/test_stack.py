"""The embedded servers: what survives, what must not, and who may join."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from libs.stack import docker, jars, postgres, processes
from libs.stack.errors import StackError
from libs.stack.lease import lease
from libs.stack.stack import Servers, attach, database_dsn, running_stack
from tests.support import eventually

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
DEAD = "http://127.0.0.1:9"
NO_NETWORK = {"LONJA_MAVEN": DEAD, "HTTPS_PROXY": DEAD, "HTTP_PROXY": DEAD}
HOLDER = """
import asyncio, os, pathlib, sys
from libs.stack.stack import running_stack
async def main():
    async with running_stack(pathlib.Path(sys.argv[1]), environ=os.environ):
        await asyncio.Event().wait()
asyncio.run(main())
"""


def own_servers() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("LONJA_")} | {
        key: value for key, value in os.environ.items() if key == "LONJA_CACHE"
    }


@pytest.fixture
async def holder(tmp_path: Path) -> AsyncIterator[Process]:
    """Another process that runs the servers of ``tmp_path``."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=own_servers())
    try:
        await eventually(lambda: attach(tmp_path), timeout=60)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def write(servers: Servers, text: str) -> None:
    connection = await asyncpg.connect(servers.postgres)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
    await connection.execute("INSERT INTO kept VALUES ($1)", text)
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka, acks="all")
    await producer.start()
    await producer.send_and_wait("kept", text.encode())
    await producer.stop()


async def read(servers: Servers) -> tuple[str, str]:
    connection = await asyncpg.connect(servers.postgres)
    row = await connection.fetchval("SELECT string_agg(text, ',') FROM kept")
    await connection.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=servers.kafka)
    await consumer.start()
    consumer.assign([TopicPartition("kept", 0)])
    await consumer.seek_to_beginning()
    record = await asyncio.wait_for(consumer.getone(), 10)
    await consumer.stop()
    return row, record.value.decode()


async def survivors_end(family: list[psutil.Process]) -> None:
    assert len(family) >= 4  # two guards and two servers at least
    await eventually(lambda: not any(process.is_running() for process in family), timeout=20)


async def restarted(data: Path, environ: Mapping[str, str]) -> tuple[str, str]:
    async with running_stack(data, environ=environ) as servers:
        return await read(servers)


async def test_a_second_start_needs_no_network_and_finds_its_data(tmp_path: Path) -> None:
    async with running_stack(tmp_path, environ=own_servers()) as servers:
        assert servers.kind == "embedded"
        await write(servers, "first")
    assert await restarted(tmp_path, own_servers() | NO_NETWORK) == ("first", "first")


async def test_a_start_waits_for_what_is_still_ending_of_a_killed_server(tmp_path: Path) -> None:
    folder, logs = tmp_path / "postgres", tmp_path / "logs"
    killed, _ = await postgres.start_postgres(folder, logs=logs)
    slow = psutil.Process(killed.pid).children()[0]
    slow.suspend()  # as one that waits for a disk
    os.kill(killed.pid, signal.SIGKILL)
    await killed.stop()
    starting = asyncio.create_task(postgres.start_postgres(folder, logs=logs))
    log = logs / "postgres.log"
    await eventually(lambda: starting.done() or postgres.STILL_ENDING in log.read_text(), 30)
    slow.resume()
    child, dsn = await starting
    assert await postgres.answers(dsn)
    await child.stop()


def at_work(folder: Path) -> list[str]:
    """The programs that were told of this folder."""
    told = [p.info for p in psutil.process_iter(["name", "cmdline"])]
    return [p["name"] for p in told if str(folder) in " ".join(p["cmdline"] or ())]


async def test_what_makes_a_data_folder_ends_with_who_is_killed_and_is_begun_again(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=own_servers())
    try:
        await eventually((tmp_path / "postgres.new" / "base").exists, timeout=60)
        assert "initdb" in at_work(tmp_path)
    finally:
        process.kill()
        await process.wait()
    async with lease(tmp_path):  # a first start's turn comes when the one before is gone
        assert at_work(tmp_path) == []
    async with running_stack(tmp_path, environ=own_servers()) as servers:
        await write(servers, "begun again")
        assert await read(servers) == ("begun again", "begun again")


async def test_a_data_folder_may_be_named_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running_stack(Path("data"), environ=own_servers()) as servers:
        connection = await asyncpg.connect(servers.postgres)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
    assert (tmp_path / "data" / "postgres").is_dir()


async def test_a_killed_parent_leaves_no_process_and_loses_no_data(
    holder: Process, tmp_path: Path
) -> None:
    servers = attach(tmp_path)
    assert servers
    await write(servers, "acknowledged")
    family = psutil.Process(holder.pid).children(recursive=True)
    holder.kill()
    await survivors_end(family)
    assert attach(tmp_path) is None
    assert await restarted(tmp_path, own_servers()) == ("acknowledged", "acknowledged")


async def test_killed_servers_lose_no_data(holder: Process, tmp_path: Path) -> None:
    servers = attach(tmp_path)
    assert servers
    await write(servers, "acknowledged")
    family = psutil.Process(holder.pid).children(recursive=True)
    for process in [*family, psutil.Process(holder.pid)]:
        process.kill()
    await survivors_end(family)
    assert await restarted(tmp_path, own_servers()) == ("acknowledged", "acknowledged")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_the_parent_ends_everything(
    holder: Process, number: signal.Signals
) -> None:
    family = psutil.Process(holder.pid).children(recursive=True)
    holder.send_signal(number)
    await survivors_end(family)


async def test_a_second_process_joins_the_servers_but_may_not_start_them_again(
    holder: Process, tmp_path: Path
) -> None:
    servers = attach(tmp_path)
    assert servers
    await write(servers, "seen by both")
    assert await read(servers) == ("seen by both", "seen by both")
    assert (tmp_path / "run/servers.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StackError, match=f"process {holder.pid} runs the servers"):
        async with running_stack(tmp_path, environ=own_servers()):
            pass


async def test_given_servers_are_used_as_they_are(servers: Servers, tmp_path: Path) -> None:
    given = {"LONJA_KAFKA": servers.kafka, "LONJA_POSTGRES": servers.postgres}
    async with running_stack(tmp_path, environ=given) as found:
        assert found == Servers(
            servers.kafka,
            servers.postgres,
            "given",
            "LONJA_KAFKA is set, LONJA_POSTGRES is set",
        )
    assert not any(os.scandir(tmp_path))


async def test_only_what_is_not_given_is_started(servers: Servers, tmp_path: Path) -> None:
    environ = own_servers() | {"LONJA_KAFKA": servers.kafka}
    async with running_stack(tmp_path, environ=environ) as found:
        assert found.kafka == servers.kafka
        assert found.postgres != servers.postgres
        assert found.why.startswith("LONJA_KAFKA is set, embedded")
    assert not (tmp_path / "kafka").exists()


async def test_a_given_server_that_does_not_answer_is_named_without_its_password(
    servers: Servers, tmp_path: Path
) -> None:
    dsn = "postgresql://me:s3cret@127.0.0.1:9/postgres"
    given = {"LONJA_KAFKA": servers.kafka, "LONJA_POSTGRES": dsn}
    with pytest.raises(StackError, match=r"127\.0\.0\.1:9") as caught:
        async with running_stack(tmp_path, environ=given):
            pass
    assert caught.value.code == "postgres-not-reachable"
    assert "s3cret" not in str(caught.value)


async def test_a_port_that_is_none_is_told(servers: Servers, tmp_path: Path) -> None:
    wrong = own_servers() | {"LONJA_POSTGRES": servers.postgres, "LONJA_KAFKA_PORT": "99999"}
    with pytest.raises(StackError, match="LONJA_KAFKA_PORT=99999 is no port"):
        async with running_stack(tmp_path, environ=wrong):
            pass


async def test_a_server_that_ends_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('the disk is full')"]
    child = processes.start("broken", command, logs=tmp_path)

    async def never() -> bool:
        return False

    with pytest.raises(StackError, match="the disk is full"):
        await processes.ready(child, never, deadline=20)


async def test_a_child_that_ignores_its_stop_signal_is_killed_with_its_own_children(
    tmp_path: Path,
) -> None:
    stubborn = "trap '' TERM; sleep 600 & echo started; while :; do sleep 600; done"
    child = processes.start("stubborn", ["sh", "-c", stubborn], logs=tmp_path, grace=0.2)
    await eventually(lambda: "started" in child.tail())
    family = psutil.Process(child.pid).children(recursive=True)
    assert family
    assert await child.stop() == 128 + signal.SIGKILL
    await eventually(lambda: not any(process.is_running() for process in family))


def test_jars_that_cannot_be_fetched_give_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="LONJA_MAVEN") as caught:
        jars.classpath(tmp_path, {"LONJA_CACHE": str(tmp_path / "cache"), "LONJA_MAVEN": DEAD})
    assert caught.value.code == "jar-not-fetched"
    assert not list(tmp_path.rglob("*.jar"))


def test_a_jar_that_a_power_cut_has_emptied_is_fetched_again(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "jars"
    folder.mkdir(parents=True)
    for jar in jars.locked():
        (folder / f"{jar.sha256}.jar").touch()
    with pytest.raises(StackError) as caught:
        jars.classpath(tmp_path, NO_NETWORK | {"LONJA_CACHE": str(tmp_path / "cache")})
    assert caught.value.code == "jar-not-fetched"


def test_a_database_dsn_keeps_everything_but_the_name() -> None:
    dsn = "postgresql://me:word@db.example:5433/postgres?sslmode=require"
    wanted = "postgresql://me:word@db.example:5433/orders?sslmode=require"
    assert database_dsn(dsn, "orders") == wanted
    assert database_dsn("postgresql://p@/postgres?host=/a/b", "x") == "postgresql://p@/x?host=/a/b"


async def test_docker_without_a_daemon_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(StackError) as caught:
        async with running_stack(tmp_path, stack="docker", environ={}):
            pass
    assert caught.value.code == "docker-not-available"


async def test_docker_runs_both_servers(tmp_path: Path) -> None:
    try:
        docker.require_daemon()
    except StackError as error:
        pytest.skip(str(error))  # a machine without Docker is one that we promise to run on
    async with running_stack(tmp_path, stack="docker", environ={}) as servers:
        await write(servers, "contained")
        assert await read(servers) == ("contained", "contained")
