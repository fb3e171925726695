"""The console of a run: a table of 80 columns, and a line in any ten seconds where there is no bar."""

import gc
import sys
import time
from io import StringIO

import pytest

from lac.loggers import heartbeat as heartbeats
from lac.loggers.console import COLUMNS, ConsoleLogger
from lac.loggers.heartbeat import heartbeat

MANY = {f"made/up_{number}": float(number) for number in range(20)}
LARGE = {
    "epoch": 99999,
    "env_steps": 99_999_999,
    "test/death_rate": 1.0,
    "test/settled": 1.0,
    "test/ep_len_mean": 100_000,
    "train/labda": 1.234e-15,
    "train/alpha": 1.234e-15,
    "time/seconds": 1_000_000.0,
    "time/steps_per_second": 10_000.0,
}
WITHOUT = {
    "lac": (),
    "sac": ("train/labda", "train/decrease"),
    "no tests": [name for name in COLUMNS if "test" in name],
}


@pytest.fixture
def console(tmp_path):
    opened: list[ConsoleLogger] = []

    def make(**settings) -> ConsoleLogger:
        opened.append(ConsoleLogger(tmp_path / "train.log", **settings))
        return opened[-1]

    yield make
    for logger in opened:
        logger.close()


@pytest.mark.parametrize("run", WITHOUT)
@pytest.mark.parametrize("value", [0.0, -1.5e-5, 123456.789, -9.87654e30, float("nan"), float("inf")])
def test_table_fits_80_columns(run, value, console, capsys):
    metrics = {name: LARGE.get(name, value) for name in COLUMNS if name not in WITHOUT[run]}
    logger = console()
    logger.log(metrics)
    logger.log(metrics)
    heading, row, again = capsys.readouterr().out.splitlines()
    assert row == again
    assert len(heading) == len(row) <= 80
    assert heading.split()[:2] == ["epoch", "steps"]
    assert row.split()[:2] == ["99999", "99999999"]


def test_table_of_many_columns_has_lines_of_80(console, capsys):
    logger = console(columns=list(MANY))
    logger.log(MANY)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    headings, values = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    assert " ".join(headings).split() == [f"up_{number}" for number in range(20)]
    assert [float(word) for word in " ".join(values).split()] == list(MANY.values())


# Silence ----------------------------------------------------------------------------------------------


@pytest.fixture
def short_silence(monkeypatch):
    assert 1 < heartbeats.SILENCE < 10
    monkeypatch.setattr(heartbeats, "SILENCE", 0.05)


def printed_within(seconds: float, capsys) -> list[str]:
    capsys.readouterr()
    time.sleep(seconds)
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("short_silence")
def test_run_without_a_bar_tells_how_far_it_is(console, capsys):
    logger = console()
    assert printed_within(0.3, capsys)[-1].startswith("starting, ")
    logger.start(1000)
    logger.progress(300, {})
    assert printed_within(0.3, capsys)[-1].startswith("past step 300 of 1000, ")
    logger.log({"env_steps": 400})
    assert printed_within(0.3, capsys)[-1].startswith("past step 400 of 1000")
    logger.stop()
    assert printed_within(0.3, capsys)[-1].startswith("finishing")
    logger.close()
    assert printed_within(0.2, capsys) == []


@pytest.mark.usefixtures("short_silence")
def test_only_silence_is_filled(console, capsys, monkeypatch):
    monkeypatch.setattr(heartbeats, "SILENCE", 0.5)
    logger = console()
    for number in range(20):
        logger.info(str(number))
        time.sleep(0.05)
    assert capsys.readouterr().out.split() == [str(number) for number in range(20)]


@pytest.mark.usefixtures("short_silence")
def test_bar_and_quiet_runs_need_no_lines(console, capsys, monkeypatch):
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    console(quiet=True).close()
    assert printed_within(0.2, capsys) == []
    monkeypatch.setattr(sys, "stderr", Terminal())
    logger = console()
    logger.start(1000)
    assert printed_within(0.2, capsys) == []
    logger.stop()
    assert "finishing" in printed_within(0.2, capsys)[-1]


@pytest.mark.usefixtures("short_silence")
def test_run_that_could_not_begin_says_no_more(tmp_path, capsys):
    """Its console is never closed."""
    logger = ConsoleLogger(tmp_path / "train.log")
    handlers = list(logger._handlers)
    del logger
    gc.collect()
    assert printed_within(0.2, capsys) == []
    import logging  # noqa: PLC0415

    for handler in handlers:
        logging.getLogger("lac").removeHandler(handler)
        handler.close()


@pytest.mark.usefixtures("short_silence")
def test_work_of_commands_is_told_on_stderr(capsys):
    with heartbeat(lambda: "testing"):
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert set(lines) == {"  testing, 0 s"}
    time.sleep(0.1)
    assert capsys.readouterr().err == ""
