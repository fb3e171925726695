"""The soak test, for a minute; ``tools/soak.py`` says what it does, and runs for as long as one likes."""

import json
import subprocess
import sys

import pytest
from run_support import ROOT


@pytest.mark.slow
def test_a_run_that_is_disturbed_for_a_minute_ends_with_the_same_bits(tmp_path, clean_environment):
    command = [sys.executable, str(ROOT / "tools" / "soak.py"), "--folder", "soak", "--minutes", "1", "--epochs", "60"]
    end = subprocess.run(command, cwd=tmp_path, env=clean_environment, capture_output=True, text=True, check=False)
    report = json.loads((tmp_path / "soak" / "report.json").read_text())
    assert report["faults"] == []
    assert end.returncode == 0, end.stderr
    assert report["events"], "how many there are depends on the speed of the machine"
    assert report["disk was filled"] or "full" not in report["events"]
    samples = [json.loads(line) for line in (tmp_path / "soak" / "samples.jsonl").read_text().splitlines()]
    assert {sample["run"] for sample in samples} == {"undisturbed", "disturbed"}
