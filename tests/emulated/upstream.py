"""brian2cuda as released, built and run with the emulated toolkit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brian2 as b2
import brian2cuda

from .backends import StandaloneBackend

TOOLKIT = Path(__file__).resolve().parents[1] / "cuda_emulator"
TEMPLATES = Path(brian2cuda.__file__).parent / "templates"
_BACKEND = "devices.cuda_standalone.cuda_backend."
#: What a script has to set where no card can be asked. No fast-math, so that results can
#: be compared.
PREFERENCES: dict[str, Any] = {
    _BACKEND + "cuda_path": str(TOOLKIT),
    _BACKEND + "detect_gpus": False,
    _BACKEND + "gpu_id": 0,
    _BACKEND + "compute_capability": 9.0,
    _BACKEND + "cuda_runtime_version": 13.0,
    _BACKEND + "extra_compile_args_nvcc": ["-w"],
}


def backend() -> StandaloneBackend:
    """brian2cuda's device, unchanged."""
    # The makefile names nvcc, but brian2cuda looks for the toolkit as well
    return StandaloneBackend("cuda_standalone", PREFERENCES, {"CUDA_PATH": str(TOOLKIT)})


def templates_used() -> set[str]:
    """The templates that the code objects of the current script come from."""
    return {str(code.template_name) for code in b2.device.code_objects.values()}


def all_templates() -> set[str]:
    """The names of all templates that brian2cuda has."""
    return {path.stem for path in TEMPLATES.glob("*.cu")}
