"""Kafka's classes, kept loaded and linked: made once, used by every start, never in the way."""

import asyncio
import os
from pathlib import Path

import pytest

from libs.stack.jars import classpath
from libs.stack.java import classes, java
from libs.stack.kafka import start_kafka

pytestmark = pytest.mark.stack


@pytest.fixture
def jars(tmp_path: Path) -> list[Path]:
    """The jars in a cache of the test's own."""
    own = []
    for jar in classpath(tmp_path, os.environ):
        own.append(tmp_path / jar.name)
        own[-1].symlink_to(jar)
    return own


async def broker(folder: Path, jars: list[Path]) -> str:
    """Start a broker, stop it, and return what it wrote to its log."""
    child, _ = await start_kafka(folder / "kafka", jars, logs=folder)
    await child.stop()
    return child.log.read_text()


async def test_two_first_starts_keep_the_classes_once_and_the_next_uses_them(
    tmp_path: Path, jars: list[Path]
) -> None:
    assert not any("AOTCache" in word for word in java(jars, "kafka.Kafka"))
    first, second, third = (tmp_path / name for name in "abc")
    await asyncio.gather(broker(first, jars), broker(second, jars))
    made = [folder for folder in (first, second) if (folder / "kafka-classes.log").exists()]
    assert len(made) == 1
    assert classes(jars).exists()
    assert f"-XX:AOTCache={classes(jars)}" in java(jars, "kafka.Kafka")
    assert "AOT" not in await broker(third, jars)  # Java would say that it cannot use the file
    assert not (third / "kafka-classes.log").exists()


async def test_a_broken_file_of_classes_does_not_keep_the_broker_from_starting(
    tmp_path: Path, jars: list[Path]
) -> None:
    classes(jars).write_bytes(b"not classes" * 1000)
    assert "Kafka Server started" in await broker(tmp_path / "a", jars)


def test_other_jars_have_other_classes(jars: list[Path]) -> None:
    assert classes(jars) != classes(jars[1:])
