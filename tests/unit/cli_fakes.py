"""Runs the real command line in a process of its own, over a fake Brian layer.

The fake stands where `gpurun.brian.takeover` is, in the process and in those that it spawns,
so that these tests need neither a compiler nor the seconds that `import brian2` takes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_FAKE = """
import os, sys, types
package = types.ModuleType("gpurun.brian")
package.__path__ = []
takeover = types.ModuleType("gpurun.brian.takeover")
package.takeover = takeover

class Takeover:
    standalone_used = False
    plain_runs = int(os.environ.get("FAKE_PLAIN_RUNS", "0"))
    left_alone = bool(os.environ.get("FAKE_LEFT_ALONE"))
    def finish(self):
        if os.environ.get("FAKE_LOG"):
            print("FINISHED", file=sys.stderr)

def install(*, device, directory, seed, plain=False, runtime_too=False):
    takeover.installed = dict(device=device, directory=directory, seed=seed)
    takeover.current = Takeover()
    if os.environ.get("FAKE_FAILURE"):
        raise ImportError("random is not what it was")
    return takeover.current

facade = types.ModuleType("gpurun.brian.facade")
facade.install = lambda: None
sys.modules["gpurun.brian.facade"] = facade

takeover.install = install
takeover.installed = None
sys.modules["gpurun.brian"] = package
sys.modules["gpurun.brian.takeover"] = takeover
"""


class CommandLine:
    """Scripts in a directory, and the command that runs them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "scripts"
        self.directory.mkdir()
        fake = directory / "fake"
        fake.mkdir()
        (fake / "sitecustomize.py").write_text(_FAKE)
        self.environment = {**os.environ, "PYTHONPATH": str(fake)}

    def script(self, text: str, name: str = "train.py") -> str:
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return name

    def command(self, words: Sequence[str]) -> list[str]:
        # Not "-m gpurun", which puts the working directory in front of the standard library.
        return [str(Path(sys.executable).parent / "gpurun"), *words]

    def __call__(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(words),
            cwd=self.directory,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
