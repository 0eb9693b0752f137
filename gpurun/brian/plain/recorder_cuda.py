"""The recorder for models whose time loop runs on a card."""

from __future__ import annotations

import re
from typing import Any

from brian2.codegen.generators.cpp_generator import c_data_type

from gpurun.brian.cuda import CUDAStandaloneDevice
from gpurun.brian.cuda_codeobject import mentions, pointer_name
from gpurun.brian.cuda_emit import constant_definitions, constants_of
from gpurun.brian.plain.recorder import Recorder

_KERNEL = re.compile(r"^__global__ void \w+\([^)]*\)\n\{\n", re.MULTILINE)


class CUDARecorder(Recorder, CUDAStandaloneDevice):
    """A recorder for CUDA."""

    def with_constants(self, codeobj: Any, kernels: str) -> str:
        constants = constants_of(codeobj)
        array = pointer_name(self._constants_array)
        data = "".join(
            f"    const {c_data_type(constants[name].dtype)} {name} = {array}[{number}];\n"
            for number, (owner, name) in enumerate(self._constants)
            if owner == codeobj.name and mentions(kernels, name)
        )
        others = {n: c for n, c in constants.items() if (codeobj.name, n) not in self._constants}
        return constant_definitions(others) + _KERNEL.sub(lambda match: match[0] + data, kernels)
