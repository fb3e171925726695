"""The policies of epochs that a run keeps: which, also of a run that was killed, goes on or is longer."""

import re
import shutil
from functools import partial

import pytest
from resume_support import end_of_child, maker, train_on
from run_support import checksum, lines_of_metrics, summary_of

from lac.runs.saved_policies import is_kept

SETTINGS = {"epochs": 5, "steps_per_epoch": 60, "update_after": 50, "lr_decay_type": "constant"}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """A picture takes longer than one of these runs."""
    monkeypatch.setattr("lac.runs.recorder.learning_curve", lambda *_: None)


def kept_of(run):
    """The checksums of the policies of epochs, by epoch."""
    found = {file: re.fullmatch(r"epoch-(\d{4})", file.stem) for file in (run / "policy").iterdir()}
    return {int(match[1]): checksum(file) for file, match in found.items() if match}


def run_with(run, keep, **settings):
    train_on("lac", run, maker(), logging={"keep_policies": keep}, **(SETTINGS | settings))


@pytest.mark.parametrize(
    ("number", "epochs", "expected"),
    [
        (0, 10, []),
        (1, 10, [10]),
        (4, 10, [3, 5, 8, 10]),
        (5, 10, [2, 4, 6, 8, 10]),
        (3, 7, [3, 5, 7]),
        (10, 3, [1, 2, 3]),
        (1, 1, [1]),
    ],
)
def test_the_epochs_are_spread_evenly_and_the_last_is_one_of_them(number, epochs, expected):
    assert [epoch for epoch in range(1, epochs + 1) if is_kept(epoch, number, epochs)] == expected


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lac.runs.recorder.learning_curve", lambda *_: None)
        run = tmp_path_factory.mktemp("kept") / "run"
        run_with(run, 3)
    return run


def test_a_run_keeps_them_beside_the_others(undisturbed):
    kept = kept_of(undisturbed)
    assert sorted(kept) == [2, 4, 5]
    assert len(set(kept.values())) == 3
    assert kept[5] == checksum(undisturbed / "policy" / "final.safetensors")
    names = {file.stem for file in (undisturbed / "policy").iterdir()}
    assert names == {"epoch-0002", "epoch-0004", "epoch-0005", "best", "final"}


def test_a_run_that_was_killed_keeps_the_same(tmp_path, undisturbed):
    """Killed after its fourth epoch, before its first checkpoint: what is there is removed and made anew."""
    run = tmp_path / "run"
    (run / "policy").mkdir(parents=True)
    for name in ("epoch-0001", "epoch-0777", ".epoch-0002.safetensors.999999999.tmp"):  # of an older run, and torn
        (run / "policy" / f"{name}.safetensors").write_bytes(b"old")
    task = partial(run_with, run, 3)
    assert not end_of_child(task, lambda: lines_of_metrics(run) >= 4)
    task()
    assert kept_of(run) == kept_of(undisturbed)
    assert list((run / "policy").glob(".*.tmp")) == []


def test_a_longer_run_keeps_what_was_kept_and_spreads_on(tmp_path, undisturbed):
    run = shutil.copytree(undisturbed, tmp_path / "run")
    before = kept_of(run)
    run_with(run, 3, epochs=8)  # alone it would keep 3, 6 and 8
    assert sorted(kept_of(run)) == [2, 4, 5, 6, 8]
    assert kept_of(run).items() > before.items()


def test_what_was_kept_after_the_point_from_which_a_run_goes_on_is_removed(tmp_path, undisturbed):
    """The run has lost its checkpoints and begins again, with others to keep."""
    run = shutil.copytree(undisturbed, tmp_path / "run")
    for file in (run / "checkpoints").iterdir():
        file.unlink()
    summary = (run / "summary.json").read_text()
    (run / "summary.json").write_text(summary.replace('"finished"', '"interrupted"'))
    run_with(run, 1)
    assert sorted(kept_of(run)) == [5]
    assert summary_of(run)["status"] == "finished"
