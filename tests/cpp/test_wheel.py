"""The wheel works where the checkout is not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # In a copy, because setuptools leaves build/ and an egg-info behind.
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    tracked = (
        "gpurun",
        "cpp_templates",
        "cuda_templates",
        "benchmarks",
        "pyproject.toml",
        "README.md",
        "LICENSE",
    )
    source.mkdir()
    for name in tracked:
        if (CHECKOUT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(CHECKOUT / name, source / name, ignore=ignore)
        else:
            shutil.copy(CHECKOUT / name, source / name)
    # The sdist as well: a file missing in it is missing in the wheel built from it.
    run(
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        directory,
        source,
        cwd=directory,
    )
    [path] = directory.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with only the wheel in it.

    The dependencies are those of the running environment, so that nothing is
    downloaded; ci/wheel.sh has them installed anew.
    """
    directory = tmp_path_factory.mktemp("elsewhere") / "environment"
    if uv := os.environ.get("UV"):  # set by `uv run`
        run(uv, "venv", "--quiet", "--python", sys.executable, directory, cwd=wheel.parent)
        install = [uv, "pip", "install", "--quiet", "--offline", "--python", directory]
    else:
        run(sys.executable, "-m", "venv", directory, cwd=wheel.parent)
        install = [directory / "bin" / "python", "-m", "pip", "install", "--quiet"]
    run(*install, "--no-deps", "--no-index", wheel, cwd=wheel.parent)
    [site] = directory.glob("lib/python*/site-packages")
    spec = importlib.util.find_spec("brian2")
    assert spec is not None
    assert spec.origin is not None
    # A path added this way comes last and has its own .pth files ignored: among them
    # the checkout's editable install, but also setuptools' stand-in for distutils.
    (site / "dependencies.pth").write_text(
        f"{Path(spec.origin).parents[1]}\nimport _distutils_hack; _distutils_hack.add_shim()\n"
    )
    return directory / "bin" / "python"


def test_content(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    top = {name.partition("/")[0] for name in names}
    assert len(top) == 2, top  # gpurun and its metadata
    for folder in ("cpp_templates", "cuda_templates"):
        for path in (CHECKOUT / folder).iterdir():
            if path.is_file():
                assert f"gpurun/{folder}/{path.name}" in names
    for name, folder in (("bench_cases", "cases"), ("bench_contenders", "contenders")):
        for path in (CHECKOUT / "benchmarks" / folder).glob("*.py"):
            assert f"gpurun/{name}/{path.name}" in names
    assert "gpurun/py.typed" in names
    [metadata] = [name for name in names if name.endswith("/METADATA")]
    assert metadata.replace("METADATA", "licenses/LICENSE") in names


def test_runs_a_model(installed: Path, tmp_path: Path) -> None:
    script = shutil.copy(CHECKOUT / "tests" / "cpp" / "wheel_check.py", tmp_path)
    output = run(installed, script, CHECKOUT, cwd=tmp_path)
    assert "a model was built and run" in output


def test_command(installed: Path, tmp_path: Path) -> None:
    output = run(installed.parent / "gpurun", "--version", cwd=tmp_path)
    assert "0.1.0" in output
