"""brian2cuda's preferences: what those with a meaning here come down to, and a word on the others.

They are documented at https://brian2cuda.readthedocs.io/en/latest/introduction/preferences.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from brian2.core.preferences import prefs
from brian2.utils.logger import get_logger

from gpurun import toolchain

_logger = get_logger(__name__)

_GROUP = "devices.cuda_standalone"

_GRIDS = "each kernel's grid follows from its number of elements"
_RANDOM = "random numbers come from Philox streams, see set_device(..., rng=...)"
_QUEUES = "delays are kept as lists of past spikes, without queues"
_REFERENCES = "synapses are made on the host, and only arrays that kernels use go to the card"

#: Preferences without effect, with the reason. Not worth a word are those that only say whether
#: and how brian2cuda looks for hardware.
WITHOUT_EFFECT = {
    "SM_multiplier": _GRIDS,
    "parallel_blocks": _GRIDS,
    "launch_bounds": _GRIDS,
    "syn_launch_bounds": _GRIDS,
    "calc_occupancy": _GRIDS,
    "extra_threshold_kernel": "a threshold gathers its spikes in order, in kernels of its own",
    "random_number_generator_type": _RANDOM,
    "random_number_generator_ordering": _RANDOM,
    "push_synapse_bundles": _QUEUES,
    "threads_per_synapse_bundle": _QUEUES,
    "bundle_threads_warp_multiple": _QUEUES,
    "no_pre_references": _REFERENCES,
    "no_post_references": _REFERENCES,
    "use_atomics": "sums over synapses use atomic functions wherever the order does not matter",
    "profile_statemonitor_copy_to_host": "monitors stay on the card until they are read; "
    "RunResult.read_time says how long that takes",
    "cuda_backend.gpu_heap_size": "kernels allocate no memory",
    "cuda_backend.compute_capability": "models are compiled for the cards of this machine, or for "
    "those that --arch or GPURUN_CUDA_ARCH names",
    "cuda_backend.cuda_path": "name the toolkit in the environment variable CUDA_PATH",
}


def _default(name: str) -> Any:
    group, _, last = name.rpartition(".")
    definitions, _ = prefs.pref_register[group]
    return definitions[last].default


def explain_preferences() -> list[str]:
    """Warn of preferences that were changed and have no effect, once each.

    Returns
    -------
    list of str
        Their full names.
    """
    found = []
    for name, reason in WITHOUT_EFFECT.items():
        full = f"{_GROUP}.{name}"
        if prefs[full] != _default(full):
            found.append(full)
            _logger.warn(
                f"The preference '{full}' has no effect on gpurun: {reason}.",
                name_suffix=name,
                once=True,
            )
    return found


def nvcc_flags() -> tuple[str, ...]:
    """The script's own flags for nvcc.

    brian2cuda's defaults are none: whether mathematics are fast is said by the preference
    ``codegen.cpp.extra_compile_args_gcc``, for both backends alike.
    """
    name = f"{_GROUP}.cuda_backend.extra_compile_args_nvcc"
    chosen: Any = prefs[name]
    flags = [str(flag) for flag in chosen]
    if flags == list(_default(name)):
        return ()
    # C++17 is needed here; warnings are not shown unless compiling fails
    return tuple(flag for flag in flags if flag != "-w" and not flag.startswith("-std="))


def chosen_card() -> int | None:
    """The card that the preference ``gpu_id`` names, by CUDA's number."""
    number: Any = prefs[f"{_GROUP}.cuda_backend.gpu_id"]
    return None if number is None else int(number)


@contextmanager
def runtime_version_known() -> Iterator[None]:
    """Spare brian2cuda's generator its own search for a toolkit, which wants a card."""
    name = f"{_GROUP}.cuda_backend.cuda_runtime_version"
    before = prefs[name]
    if before is None:
        toolkit = toolchain.find_cuda()
        # It asks whether this is at least 8, and a model cannot be built without a toolkit anyway
        prefs[name] = float(toolkit.version) if toolkit else 13.0
    try:
        yield
    finally:
        prefs[name] = before
