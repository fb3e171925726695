"""Runs found in folders, and what is said of those that are left out; each run is found once."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from lac.runs import RunError, load, scan


def names(found, root):
    return [str(item.folder.relative_to(root)) for item in found]


def test_a_scan_finds_runs_at_any_depth_and_leaves_out_the_damaged(saved, tmp_path):
    for name in ("sweep/a", "sweep/deep/b", "sweep/attempts/a-1", "sweep/job/seed-1", "sweep/job/seed-2"):
        shutil.copytree(saved, tmp_path / name)
    (tmp_path / "sweep/job/summary.json").write_text(json.dumps({"status": "finished", "seeds": [1, 2]}))
    (tmp_path / "sweep/job/config.yaml").write_text("seed: 1")
    # As a run of the Python API leaves it, and as W&B and Hydra leave theirs.
    shutil.copytree(saved, tmp_path / "sweep/python")
    (tmp_path / "sweep/python/config.yaml").unlink()
    for name in ("wandb/files", ".hydra"):
        (tmp_path / "sweep/a" / name).mkdir(parents=True)
        (tmp_path / "sweep/a" / name / "config.yaml").write_text("x: 1")
    found, left_out = scan([tmp_path / "sweep", tmp_path / "sweep/a", tmp_path / "nowhere"])
    assert names(found, tmp_path / "sweep") == ["a", "deep/b", "job/seed-1", "job/seed-2"]
    (python,) = left_out
    assert (python.folder, python.status) == (tmp_path / "sweep/python", "finished")
    assert python.reason.startswith(f"{tmp_path / 'sweep/python/config.yaml'} is missing")


def test_a_damaged_summary_of_a_job_of_several_seeds_does_not_hide_its_runs(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "job/seed-1")
    (tmp_path / "job/summary.json").write_text("")
    found, left_out = scan([tmp_path])
    assert (names(found, tmp_path), names(left_out, tmp_path)) == (["job/seed-1"], ["job"])
    assert left_out[0].status is None


def test_links_to_runs_are_followed_once(saved, tmp_path):
    (tmp_path / "links").mkdir()
    for name in ("one", "two"):
        (tmp_path / "links" / name).symlink_to(saved, target_is_directory=True)
    (tmp_path / "links" / "circle").symlink_to(tmp_path, target_is_directory=True)
    found, left_out = scan([tmp_path])
    assert (names(found, tmp_path), left_out) == (["links/one"], [])


def test_a_link_that_leads_nowhere_and_an_empty_folder_are_named(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "run")
    (tmp_path / "run" / "pictures").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    found, left_out = scan([tmp_path])
    assert (names(found, tmp_path), names(left_out, tmp_path)) == (["run"], ["empty", "gone", "loop"])
    assert all(str(item.folder) in item.reason for item in left_out)


def test_many_links_to_one_folder_are_followed_once(saved, tmp_path):
    folder = tmp_path / "0"
    folder.mkdir()
    for level in range(1, 40):  # 2**40 ways to the run
        below = tmp_path / str(level)
        below.mkdir()
        for name in ("a", "b"):
            (folder / name).symlink_to(below)
        folder = below
    (folder / "run").symlink_to(saved)
    found, left_out = scan([tmp_path / "0"])
    assert (len(found), left_out) == (1, [])


def test_a_folder_that_may_not_be_read_is_named(saved, tmp_path, monkeypatch):
    for name in ("open", "secret"):
        shutil.copytree(saved, tmp_path / name)
    entries = Path.iterdir

    def refused(folder):
        if folder.name == "secret":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return entries(folder)

    monkeypatch.setattr(Path, "iterdir", refused)  # root may read everything
    found, left_out = scan([tmp_path])
    assert (names(found, tmp_path), names(left_out, tmp_path)) == (["open"], ["secret"])
    assert left_out[0].reason.startswith(f"{tmp_path / 'secret'} cannot be read (Permission denied)")


def test_seeds_without_a_run_are_named(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "job/seed-1")
    (tmp_path / "job/summary.json").write_text(json.dumps({"status": "failed", "seeds": [1, 2, 3]}))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/summary.json").write_text(json.dumps({"status": "finished", "seeds": "all"}))
    found, left_out = scan([tmp_path])
    assert names(found, tmp_path) == ["job/seed-1"]
    assert [(item.status, item.reason.partition("; ")[0]) for item in left_out] == [
        ("failed", f"{tmp_path / 'job'} is failed and has no run of the seeds 2, 3"),
        (None, f"{tmp_path / 'other/summary.json'} is damaged (its seeds are 'all' instead of a list)"),
    ]


def test_a_job_of_several_seeds_is_not_one_run(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "job")
    (tmp_path / "job/summary.json").write_text(json.dumps({"status": "finished", "seeds": [1, 2]}))
    with pytest.raises(RunError, match="several seeds"):
        load(tmp_path / "job")
    with pytest.raises(RunError, match="not a folder"):
        load(tmp_path / "nowhere")
