from __future__ import annotations

from pathlib import Path

import pytest

from gpurun.cli.clashes import find_clashes


def clashes(tmp_path: Path, *files: str, script: str = "train.py") -> list[tuple[str, bool]]:
    for name in {*files, script}:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    return [(clash.module, clash.is_script) for clash in find_clashes(tmp_path / script)]


@pytest.mark.parametrize("name", ["code", "random", "types", "queue", "select", "brian2", "numpy"])
def test_the_script_itself(tmp_path: Path, name: str) -> None:
    assert clashes(tmp_path, script=f"{name}.py") == [(name, True)]


def test_neighbours_come_after_the_script(tmp_path: Path) -> None:
    found = clashes(tmp_path, "code.py", "json/__init__.py", "helper.py", script="random.py")
    assert found == [("random", True), ("code", False), ("json", False)]


@pytest.mark.parametrize(
    "name",
    [
        "train.py",  # no module of this name
        "random.txt",
        "random",  # a directory or file that is no package
        "json/notes.txt",
        "sys.py",  # built in: cannot be hidden
        "os.py",  # frozen: cannot be hidden either
        "test/__init__.py",  # common, and imported by nothing
        "brian2/__init__.py",  # a checkout of brian2
    ],
)
def test_harmless(tmp_path: Path, name: str) -> None:
    assert clashes(tmp_path, name) == []


def test_extension_modules(tmp_path: Path) -> None:
    from importlib.machinery import EXTENSION_SUFFIXES

    assert clashes(tmp_path, f"queue{EXTENSION_SUFFIXES[0]}") == [("queue", False)]


def test_a_link_is_followed_because_python_does(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "train.py").write_text("")
    (tmp_path / "real" / "code.py").write_text("")
    (tmp_path / "train.py").symlink_to("real/train.py")
    (tmp_path / "random.py").write_text("")
    assert [clash.module for clash in find_clashes(tmp_path / "train.py")] == ["code"]


def test_message_names_everything(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("")
    (tmp_path / "train.py").write_text("")
    (own,) = find_clashes(tmp_path / "code.py")
    (other,) = find_clashes(tmp_path / "train.py")
    assert str(own).startswith("the script code.py has the name of Python's own module 'code'.")
    assert str(other).startswith("code.py, in the directory of the script, has the name of")
    for clash in (own, other):
        assert str(tmp_path / "code.py") in str(clash)
        assert "Rename the file." in str(clash)
