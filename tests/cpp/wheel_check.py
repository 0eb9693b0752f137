"""Checks an installed gpurun; run it outside the checkout with that Python.

``python wheel_check.py CHECKOUT`` makes sure that the package does not come from
`CHECKOUT`, that it holds all templates and data that `CHECKOUT` holds, and that a
model can be built and run. Used by test_wheel.py and by ci/wheel.sh.
"""

from __future__ import annotations

import importlib.resources
import sys
from pathlib import Path

import brian2
import numpy as np
from brian2 import ms

import gpurun


def check_files(checkout: Path) -> None:
    """Compare the files beside the code with those of the checkout."""
    installed = Path(gpurun.__file__).resolve().parent
    if installed.is_relative_to(checkout):
        raise SystemExit(f"gpurun was imported from the checkout: {installed}")
    folders = {
        "gpurun": checkout / "gpurun",
        "gpurun.data": checkout / "gpurun" / "data",
        "gpurun.cpp_templates": checkout / "cpp_templates",
        "gpurun.cuda_templates": checkout / "cuda_templates",
    }
    for package, folder in folders.items():
        expected = {
            path.name
            for path in folder.iterdir()
            if path.is_file() and not path.name.startswith(".") and path.suffix != ".pyc"
        }
        found = {resource.name for resource in importlib.resources.files(package).iterdir()}
        if missing := sorted(expected - found):
            raise SystemExit(f"the installed {package} lacks {', '.join(missing)}")
        print(f"{package}: {len(expected)} files")


def check_run() -> None:
    """Run a model twice, with and without an override."""
    brian2.set_device("gpurun", backend="cpu", build_on_run=False)
    group = brian2.NeuronGroup(3, "dv/dt = drive/(10*ms) : 1\ndrive : 1", name="group")
    group.drive = 1
    brian2.run(10 * ms)
    model = gpurun.build()
    with model.session(device="cpu") as session:
        plain = session.run({}, record=["group.v"])["group.v"]
        driven = session.run({"group.drive": [0, 2, 4]}, record=["group.v"])["group.v"]
    np.testing.assert_allclose(plain, [1, 1, 1])
    np.testing.assert_allclose(driven, [0, 2, 4])
    print("a model was built and run")


if __name__ == "__main__":
    check_files(Path(sys.argv[1]).resolve())
    check_run()
