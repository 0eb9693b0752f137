"""The rules of tests/conftest.py, tried on a small project of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
GPU_TEST = "import pytest\ndef test_card():\n    pytest.skip('too small a card')\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "minimum.py"):
        shutil.copy(TESTS / name, tmp_path / "tests" / name)
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "minimum_tests.toml").write_text("[minimum]\nunit = 1\ngpu = 1\n")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\n"
        'testpaths = ["tests"]\npythonpath = ["."]\n'
        'addopts = ["--import-mode=importlib", "-p", "no:cacheprovider", "-rA"]\n'
        'markers = ["unit", "cpp", "gpu"]\n'
    )
    return tmp_path


def add(project: Path, name: str, text: str) -> None:
    path = project / "tests" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def run_pytest(project: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GPURUN_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=project,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_markers_by_folder(project: Path) -> None:
    add(project, "unit/test_a.py", "def test_a():\n    pass\n")
    add(project, "cpp/test_a.py", "def test_a():\n    pass\n")
    status, output = run_pytest(project, "-m", "cpp")
    assert status == 0
    assert "1 passed, 1 deselected" in output


def test_unknown_folder(project: Path) -> None:
    add(project, "other/test_a.py", "def test_a():\n    pass\n")
    status, output = run_pytest(project)
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "other/test_a.py: a test file belongs into one of the folders" in output


@pytest.mark.parametrize(
    ("require", "status", "outcomes"),
    # "1 error": without a card the test is not even entered.
    [("0", 0, {"1 skipped"}), ("1", 1, {"1 failed", "1 error"})],
)
def test_required_card(project: Path, require: str, status: int, outcomes: set[str]) -> None:
    add(project, "gpu/test_a.py", GPU_TEST)
    got, output = run_pytest(project, GPURUN_REQUIRE_GPU=require)
    assert got == status
    assert any(outcome in output for outcome in outcomes)
    if require == "1":
        assert "GPURUN_REQUIRE_GPU is set, but the test was skipped" in output


def test_minimum(project: Path) -> None:
    add(project, "unit/test_a.py", "import pytest\ndef test_a():\n    pytest.skip('reason')\n")
    assert run_pytest(project)[0] == 0
    status, output = run_pytest(project, "--minimum-tests=all")
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "tests/unit: 0 tests executed, at least 1 expected" in output
    assert "tests/gpu" not in output
    add(project, "unit/test_b.py", "def test_b():\n    pass\n")
    assert run_pytest(project, "--minimum-tests=all")[0] == 0


def test_environment(project: Path, tmp_path: Path) -> None:
    add(
        project,
        "unit/test_a.py",
        "import os\nfrom pathlib import Path\n"
        "def test_a():\n"
        "    assert 'GPURUN_SEED' not in os.environ\n"
        "    cache = Path(os.environ['GPURUN_CACHE_DIR'])\n"
        "    assert cache.is_dir()\n"
        "    print('cache:', cache)\n",
    )
    status, output = run_pytest(project, "-s", GPURUN_SEED="3", GPURUN_CACHE_DIR=str(tmp_path))
    assert status == 0, output
    [cache] = re.findall(r"cache: (\S+)", output)
    assert Path(cache) != tmp_path
    assert not Path(cache).exists()
    status, output = run_pytest(project, "-s", GPURUN_TEST_CACHE_DIR=str(tmp_path))
    assert f"cache: {tmp_path}" in output
    assert tmp_path.exists()
