"""Which files of brian2 gpurun patches, replaces or relies on, and their digests.

``gpurun/UPSTREAM.toml`` records them; a unit test compares it with what is
installed, so that an upgrade of brian2 cannot change one of them unnoticed.
Run ``python -m gpurun.brian.upstream`` to write the file anew after having read
what changed.
"""

from __future__ import annotations

import hashlib
import tomllib
from importlib import metadata, resources
from pathlib import Path

import brian2

_STANDALONE = "devices/cpp_standalone"
#: File of brian2 -> what gpurun does with it.
FILES: dict[str, str] = {
    f"{_STANDALONE}/device.py": "base class: recording, array names, order of generate_* calls",
    f"{_STANDALONE}/codeobject.py": "base class; random number implementations",
    f"{_STANDALONE}/templates/network.cpp": "replaced by cpp_templates/network.cpp",
    f"{_STANDALONE}/templates/main.cpp": "replaced by cpp_templates/model.cpp",
    f"{_STANDALONE}/templates/run.cpp": "replaced by cpp_templates/model.cpp",
    f"{_STANDALONE}/templates/makefile": "replaced by gpurun.toolchain",
    f"{_STANDALONE}/templates/objects.cpp": "patched (patches.toml); array names, RandomGenerator",
    f"{_STANDALONE}/templates/common_group.cpp": "layout of a code object's file (emit.py)",
    f"{_STANDALONE}/templates/synapses_classes.cpp": "replaced by one of the same name",
    f"{_STANDALONE}/templates/synapses_push_spikes.cpp": "writes no array (writes.py)",
    f"{_STANDALONE}/templates/synapses_create_generator.cpp": "its exit() is made an exception",
    f"{_STANDALONE}/templates/synapses_create_array.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/stateupdate.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/reset.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/synapses.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/group_variable_set.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/group_variable_set_conditional.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/threshold.cpp": "replaced by cpp_templates/threshold.cpp",
    f"{_STANDALONE}/templates/summed_variable.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/spikegenerator.cpp": "write set; time bins as overrides set them",
    f"{_STANDALONE}/templates/spikemonitor.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/statemonitor.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/ratemonitor.cpp": "write set (writes.py)",
    f"{_STANDALONE}/templates/spatialstateupdate.cpp": "matrices are rebuilt after overrides",
    f"{_STANDALONE}/brianlib/clocks.h": "clock interface used by network.cpp",
    f"{_STANDALONE}/brianlib/dynamic_array.h": "DynamicArray2D, read and emptied by the boundary",
    "synapses/spikequeue.h": "patched (patches.toml); spike queues, emptied by the boundary",
    "synapses/spikequeue.cpp": "part of the translation unit",
    "codegen/generators/cpp_generator.py": "base class: write sets of statements",
    "codegen/generators/base.py": "array_read_write",
    "codegen/templates.py": "Templater.derive",
    "codegen/cpp_prefs.py": "what it asks a compiler about flags is remembered (compiler_flags.py)",
    "core/variables.py": "VariableView as a key of overrides",
    "input/binomial.py": "PoissonInput's distribution, made adjustable (poisson.py)",
    "input/poissoninput.py": "abstract code that poisson.py rewrites",
    "input/spikegeneratorgroup.py": "rules for spikes (overrides.check_spikes)",
    "input/timedarray.py": "values array used by Python calls and generated code",
    "devices/device.py": "set_device, active_device; base class of the device of plain scripts",
    "core/network.py": "what run() does around the time loop, done again by brian/plain/device.py",
    "core/magic.py": "the frames between a script and network_run",
    "core/names.py": "names are taken and given back while code is generated (plain/names.py)",
    "synapses/synapses.py": "initialise_queue, and when code objects are made",
    "synapses/cythonspikequeue.pyx": "the state of a queue (plain/sync.py)",
    "codegen/runtime/cython_rt/templates/synapses.pyx": "when a queue advances (plain/sync.py)",
    "codegen/runtime/numpy_rt/templates/synapses.py_": "when a queue advances (plain/sync.py)",
    "monitors/statemonitor.py": "record_single_timestep calls what plain/monitors.py puts there",
}


def installed() -> dict[str, str]:
    """SHA-256 of each file of `FILES` as installed; "missing" where there is none."""
    root = Path(brian2.__file__).parent
    return {
        name: hashlib.sha256((root / name).read_bytes()).hexdigest()
        if (root / name).is_file()
        else "missing"
        for name in FILES
    }


def recorded() -> tuple[str, dict[str, str]]:
    """Version of brian2 and digests in ``UPSTREAM.toml``."""
    text = resources.files("gpurun").joinpath("UPSTREAM.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)["brian2"]
    return content["version"], {entry["file"]: entry["sha256"] for entry in content["file"]}


def differences() -> list[str]:
    """One line for each file that is not what gpurun was written for."""
    _, expected = recorded()
    found = installed()
    return [
        f"brian2/{name} changed ({FILES.get(name, 'no longer used')})"
        for name in sorted(set(expected) | set(found))
        if expected.get(name) != found.get(name)
    ]


def as_toml() -> str:
    """The text of ``UPSTREAM.toml`` for what is installed."""
    lines = [
        "# Files of brian2 that gpurun patches, replaces or relies on.",
        "# Written by `python -m gpurun.brian.upstream`.",
        "[brian2]",
        f'version = "{metadata.version("brian2")}"',
    ]
    for name, digest in installed().items():
        lines += ["", "[[brian2.file]]", f'file = "{name}"', f'sha256 = "{digest}"']
        lines.append(f'use = "{FILES[name]}"')
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = Path(str(resources.files("gpurun").joinpath("UPSTREAM.toml")))
    target.write_text(as_toml(), encoding="utf-8")
    print(f"{target}: {len(FILES)} files")
