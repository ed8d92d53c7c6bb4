"""`lonja up` and `lonja serve`: ready soon, supervised, side by side, and gone without a trace."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import aiohttp
import psutil
import pytest

from services.console.http import Http
from tests.e2e.launching import ROOT, ended, family, lonja, nothing_is_left, services_pid, told
from tests.e2e.test_hostile import CONFIG, order, signed
from tests.support import eventually, words_of

pytestmark = pytest.mark.timeout(780)
WARM = 15.0  # seconds from the command to ready


async def status(url: str, path: str) -> int:
    try:
        async with aiohttp.ClientSession() as http, http.get(url + path) as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0


def server_process(members: list[psutil.Process], word: str) -> psutil.Process:
    """The one that a guard holds and whose command has this word; a new fork of it has it too."""
    guards = [one for one in members if "guard.py" in str(words_of(one))]
    held = [child for guard in guards for child in guard.children()]
    [found] = [one for one in held if word in words_of(one)]
    return found


async def answers(url: str) -> bool:
    return await status(url, "/health/ready") == 200


@pytest.mark.stack
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_no_end_of_the_launcher_leaves_a_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with lonja(tmp_path, "up", "--json", "--port", "0") as process:
        ready = await told(process, "ready")
        assert await status(ready["url"], "/health/ready") == 200
        members = family(process)
        process.send_signal(number)
        await nothing_is_left(tmp_path, members)
        code, _, errors = await ended(process)
        assert code == (-9 if number == signal.SIGKILL else 0)
        assert "Traceback" not in errors


@pytest.mark.stack
@pytest.mark.alone
async def test_a_second_start_is_quick_and_killed_services_come_back(tmp_path: Path) -> None:
    async with lonja(tmp_path, "up", "--json", "--port", "0") as process:
        await told(process, "ready")
        process.terminate()
        await ended(process)
    began = time.monotonic()
    async with lonja(tmp_path, "up", "--json", "--port", "0") as process:
        ready = await told(process, "ready")
        assert time.monotonic() - began < WARM
        first = services_pid(tmp_path)
        os.kill(first, signal.SIGKILL)
        assert (await told(process, "services-restarted"))["exit_code"] == 128 + signal.SIGKILL
        assert (await told(process, "ready"))["url"] == ready["url"]
        assert services_pid(tmp_path) != first
        assert await status(ready["url"], "/health/ready") == 200


@pytest.mark.stack
@pytest.mark.parametrize(("name", "word"), [("kafka", "kafka.Kafka"), ("postgres", "-D")])
async def test_a_server_that_dies_ends_everything_and_is_named(
    tmp_path: Path, name: str, word: str
) -> None:
    async with lonja(tmp_path, "up", "--json", "--port", "0") as process:
        await told(process, "ready")
        members = family(process)
        server_process(members, word).kill()
        assert (await told(process, "server-ended"))["server"] == name
        code, _, errors = await ended(process, 60)
        assert code == 1
        assert f"\nlonja: {name} ended (exit code 137)" in f"\n{errors}"
        assert "[server-ended]" in errors
        await nothing_is_left(tmp_path, members)


@pytest.mark.stack
async def test_a_dead_server_is_named_also_where_the_services_ended_before_it_was_seen(
    tmp_path: Path,
) -> None:
    async with lonja(tmp_path, "up", "--json", "--port", "0") as process:
        await told(process, "ready")
        members = family(process)
        postgres = server_process(members, "-D")
        guard = postgres.parent()
        assert guard is not None
        guard.suspend()  # a launcher that does not hear of the end for a while
        postgres.kill()
        os.kill(services_pid(tmp_path), signal.SIGKILL)
        await told(process, "services-restarted")
        guard.resume()
        assert (await told(process, "server-ended"))["server"] == "postgres"
        code, _, errors = await ended(process, 60)
        assert code == 1
        assert "\nlonja: postgres ended (exit code 137)" in f"\n{errors}"
        await nothing_is_left(tmp_path, members)


@pytest.mark.stack
async def test_an_import_shows_its_plan_can_be_repeated_and_an_order_that_waited_for_it_goes_on(
    tmp_path: Path,
) -> None:
    (tmp_path / "lonja.toml").write_text(CONFIG)
    path = tmp_path / "stock.csv"
    path.write_text("sku,quantity,document\nmug,5,d1\ncup,3,\nplate,x,\n")
    async with lonja(tmp_path, "up", "--json", "--port", "0") as process:
        url = (await told(process, "ready"))["url"]
        body = order(1, "mug ")
        async with aiohttp.ClientSession(url) as session:
            shop = "/channels/webhooks/shopify/shop"
            async with session.post(shop, data=body, headers=signed(body, "d-1")) as answer:
                assert answer.status == 200
        async with Http(url) as http:
            await eventually(lambda: state(http, "held"), 20)
        for options, lines in (
            ([], "Nothing is done"),
            (["--apply"], "2 lines in, 0 in already"),
            (["--apply"], "0 lines in, 2 in already"),
        ):
            async with lonja(tmp_path, "import", "stock", str(path), *options) as command:
                _, said, errors = await ended(command)
            assert "line 4 is refused: quantity-not-whole PLATE" in said, errors
            assert said.splitlines()[-1].startswith(lines), said
        async with Http(url) as http:
            await eventually(lambda: state(http, "dispatched"), 20)
            await eventually(lambda: on_hand(http, {"MUG": 4, "CUP": 3}))


async def state(http: Http, wanted: str) -> bool:
    rows = (await http.get("/orders"))["orders"]
    return [row["state"] for row in rows] == [wanted]


async def on_hand(http: Http, wanted: dict[str, int]) -> bool:
    rows = (await http.get("/inventory/stock"))["stock"]
    return {row["sku"]: row["on_hand"] for row in rows} == wanted


@pytest.mark.stack
async def test_two_checkouts_run_side_by_side(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    async with lonja(one, "up", "--json") as first, lonja(two, "up", "--json") as second:
        urls = [(await told(process, "ready"))["url"] for process in (first, second)]
        assert len(set(urls)) == 2
        assert [await status(url, "/health/ready") for url in urls] == [200, 200]
        async with lonja(one, "up") as third:
            code, _, errors = await ended(third)
        assert code == 1
        assert "[already-running]" in errors


@pytest.mark.stack
async def test_a_service_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    async with lonja(tmp_path, "serve", "orders", "--json", "--port", "0") as process:
        url = (await told(process, "serving"))["url"]

        ready: Callable[[], bool | Awaitable[bool]] = partial(answers, url)
        await eventually(ready, timeout=30)
        assert await status(url, "/orders/summary") == 200
        assert await status(url, "/inventory/stock") == 404
        assert psutil.Process(process.pid).nice() == 0
        # Beside it, and behind it where processors are short: nobody waits for the ledger.
        async with lonja(tmp_path, "serve", "accounting", "--json", "--port", "0") as other:
            await told(other, "serving")
            await eventually(lambda: psutil.Process(other.pid).nice() == 10)
        process.terminate()
        code, _, errors = await ended(process)
        assert (code, "Traceback" in errors) == (0, False)


async def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with lonja(tmp_path, "up", "--port", str(port)) as process:
            code, _, errors = await ended(process)
    assert code == 1
    assert errors == (
        f"lonja: port {port} of 127.0.0.1 is taken; give another with --port [port-taken]\n"
    )


async def test_a_wrong_configuration_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "lonja.toml").write_text('[channels.shop]\nprovider = "myspace"\n')
    async with lonja(tmp_path, "up") as process:
        code, _, errors = await ended(process)
    assert code == 1
    assert errors.startswith("lonja: lonja.toml: channels.shop.provider: ")
    assert errors.count("\n") == 1


async def test_the_example_taken_as_it_stands_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    shutil.copy(ROOT / "lonja.example.toml", tmp_path / "lonja.toml")
    for words in (["up"], ["serve", "orders"], ["doctor"]):
        async with lonja(tmp_path, *words) as process:
            code, said, errors = await ended(process)
        assert code == 1
        assert "channels.my-shop.webhook_secrets_file: /run/secrets/my-shop cannot be read" in (
            said + errors
        )
    assert not (tmp_path / ".lonja" / "kafka").exists()


async def test_servers_and_folders_that_cannot_be_are_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for settings, code in (
        ({"LONJA_DATA": str(tmp_path / "file")}, "no-data-folder"),
        ({"LONJA_POSTGRES": "nowhere"}, "postgres-not-reachable"),
        ({"LONJA_KAFKA": "127.0.0.1:1"}, "kafka-not-reachable"),
        ({"LONJA_CONFIG": str(tmp_path)}, f"{tmp_path} cannot be read"),
    ):
        async with lonja(tmp_path, "up", settings=settings) as process:
            exit_code, _, errors = await ended(process)
        assert exit_code == 1
        assert code in errors
        assert "our fault" not in errors


async def test_a_demo_refuses_its_file_before_it_clears_anything(tmp_path: Path) -> None:
    (tmp_path / ".lonja").mkdir()
    kept, rows = tmp_path / ".lonja" / "kept", tmp_path / "rows.csv"
    kept.touch()
    rows.write_text("a,b\n")
    for words, said in (
        (["--data", str(rows)], "[data-unreadable]"),
        (["--report", str(tmp_path / "nowhere" / "report.json")], "is no folder"),
    ):
        async with lonja(tmp_path, "demo", "--fresh", *words) as process:
            code, _, errors = await ended(process)
        assert code == 2
        assert said in " ".join(errors.split())
        assert kept.exists()


@pytest.mark.parametrize(
    "words", [["no-such-verb"], ["up", "--no-such-option"], ["serve", "wharf"]]
)
async def test_wrong_usage_is_exit_code_2(tmp_path: Path, words: list[str]) -> None:
    async with lonja(tmp_path, *words) as process:
        code, _, errors = await ended(process)
    assert code == 2
    assert errors
    assert "Traceback" not in errors


@pytest.mark.alone
async def test_help_is_quick_and_names_every_verb(tmp_path: Path) -> None:
    began = time.monotonic()
    async with lonja(tmp_path, "--help") as process:
        code, text, _ = await ended(process)
    assert time.monotonic() - began < 1.5
    assert code == 0
    assert all(verb in text for verb in ("demo", "up", "serve", "import"))
