import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in ("lac", "hydra_plugins", "scripts", "tools", "tests") for path in (ROOT / folder).rglob("*.py")
)


def test_layers_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


def test_import_of_the_package_is_light() -> None:
    heavy = "import sys, lac; print(sorted({'torch', 'wandb', 'matplotlib', 'hydra'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, timeout=180, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_has_few_modules_at_its_top() -> None:
    assert len(list((ROOT / "lac").glob("*.py"))) <= 8


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small_and_functions_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 320, "a concept is missing"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is long: a concept is missing"


def test_no_module_hides_the_function_lac() -> None:
    assert not (ROOT / "lac" / "lac.py").exists()
    assert not (ROOT / "lac" / "train.py").exists()
