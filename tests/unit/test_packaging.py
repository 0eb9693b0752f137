"""What pyproject.toml says about the package is what is on disk."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
SETUPTOOLS: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"][
    "setuptools"
]
FOLDERS: dict[str, str] = SETUPTOOLS["package-dir"]


def folder_of(package: str) -> Path:
    return CHECKOUT / FOLDERS.get(package, package.replace(".", "/"))


def test_every_package_is_listed() -> None:
    on_disk = {
        ".".join(path.parent.relative_to(CHECKOUT).parts)
        for path in (CHECKOUT / "gpurun").rglob("__init__.py")
    }
    assert set(SETUPTOOLS["packages"]) == on_disk | set(FOLDERS)


@pytest.mark.parametrize("package", SETUPTOOLS["packages"])
def test_every_file_is_packaged(package: str) -> None:
    patterns = ["*.py", *SETUPTOOLS["package-data"].get(package, [])]
    left_out = [
        path.name
        for path in folder_of(package).iterdir()
        if path.is_file() and not any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
    assert not left_out
