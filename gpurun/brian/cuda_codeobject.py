"""Code objects of the time loop on the card.

The statements are translated by brian2cuda's generator, the templates are gpurun's. What runs
once, to set the model up, stays C++ on the host (`gpurun.brian.codeobject`).
"""

from __future__ import annotations

import re
from typing import Any

import brian2cuda  # noqa: F401  (registers its preferences and the functions' CUDA code)
from brian2.codegen.codeobject import constant_or_scalar
from brian2.codegen.generators.cpp_generator import c_data_type
from brian2.codegen.targets import codegen_targets
from brian2.codegen.templates import Templater
from brian2.core.functions import Function
from brian2.core.preferences import prefs
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from brian2.devices.device import get_device
from brian2cuda.cuda_generator import CUDACodeGenerator

from gpurun.brian.codeobject import GpurunCPPCodeObject, assigned
from gpurun.brian.cuda_random import register_random_functions

_WRITE = re.compile(r"^\s*_ptr\w+\[([^\]]*)\]\s*=(?!=)", re.MULTILINE)


def written_indices(code: str | list[str]) -> set[str]:
    """Indices with which generated code assigns to arrays, other than by atomic functions."""
    return set(_WRITE.findall(code if isinstance(code, str) else "\n".join(code)))


def writes_array(code: str | list[str]) -> bool:
    """Whether the code for all elements assigns to an array."""
    return bool(written_indices(code))


def depends_on_order(code: str | list[str]) -> bool:
    """Whether code for many elements assigns to what several of them may share."""
    return bool(written_indices(code) - {"_idx"})


def mentions(code: str | list[str], name: str) -> bool:
    """Whether `name` stands in generated code."""
    text = code if isinstance(code, str) else "\n".join(code)
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def pointer_name(array: str) -> str:
    """The pointer by which kernels find an array, as brian2cuda's generator names it.

    Arrays are called ``_array_...``; a function's data is called as the function is.
    """
    return f"_ptr{array}" if array.startswith("_") else f"_ptr_{array}"


def _array_name(variable: Any) -> str:
    device: Any = get_device()
    return str(device.get_array_name(variable))


class RecordingCUDACodeGenerator(CUDACodeGenerator):
    """brian2cuda's generator, taking note of the variables that are written."""

    records_writes = True

    def array_read_write(self, statements: Any) -> Any:
        result = super().array_read_write(statements)
        assigned[self.name].update(
            self.variables[name] for name in result[1] if name in self.variables
        )
        return result

    def _add_user_function(self, varname: str, variable: Any, added: Any) -> Any:
        result = super()._add_user_function(varname, variable, added)
        if result is None:
            return None
        defines, pointers, support, functions, _ = result
        # A function's own data (a TimedArray's values) is an array like others
        names = [line.split(" = ")[1].rstrip(";") for line in pointers]
        support = [text for text in support if "__CUDA_ARCH__" not in text or "{" in text]
        support = [*(f"#define _namespace{name} {pointer_name(name)}" for name in names), *support]
        return defines, [], support, functions, []


class AtomicRecordingCUDACodeGenerator(RecordingCUDACodeGenerator):
    """Likewise, with atomic functions where several synapses change the same element."""

    _use_atomics = True


class GpurunCUDACodeObject(CPPStandaloneCodeObject):
    """A code object of the time loop."""

    templater = Templater(
        ("gpurun.cuda_templates",),
        ".cu",
        env_globals={
            "c_data_type": c_data_type,
            "constant_or_scalar": constant_or_scalar,
            "prefs": prefs,
            "array_name": _array_name,
            "writes_array": writes_array,
            "depends_on_order": depends_on_order,
            "mentions": mentions,
        },
        templates_dir=("",),  # pyright: ignore[reportArgumentType]
    )
    generator_class = RecordingCUDACodeGenerator

    #: The code object whose C++ prepares this one's runs on the host.
    on_host: Any = None

    def run_block(self, block: str) -> None:
        device: Any = get_device()
        if block == "before_run" and self.on_host is not None:
            self.on_host.run_block(block)
        elif block == "run":
            device.main_queue.append((f"{block}_code_object", (self,)))
        elif getattr(self.code, f"{block}_cu_file").strip():
            device.main_queue.append((f"{block}_code_object", (self,)))
            self.before_after_blocks.append(block)


class GpurunHostCodeObject(GpurunCPPCodeObject):
    """A code object of the set-up, in C++.

    It is the default class, with which brian2 looks for the functions' implementations before
    it says for which template that is: one for CUDA will do then.
    """

    original_generator_class = RecordingCUDACodeGenerator


def check_functions(variables: Any, codeobj_class: type[Any]) -> None:
    """Refuse functions without code for the place where they are called.

    Raises
    ------
    NotImplementedError
        As brian2 does, with what is missing.
    """
    on_card = issubclass(codeobj_class, GpurunCUDACodeObject)
    wanted = codeobj_class if on_card else GpurunCPPCodeObject
    for name, variable in variables.items():
        if not isinstance(variable, Function):
            continue
        try:
            variable.implementations[wanted]
        except KeyError as error:
            place = "the time loop runs on a card" if on_card else "set-up code runs on the host"
            raise NotImplementedError(
                f"Cannot use function '{name}': {place}, and there is no implementation for "
                f"'{'cuda' if on_card else 'cpp'}'."
            ) from error


class GpurunCUDAAtomicsCodeObject(GpurunCUDACodeObject):
    """A code object whose elements may change the same element of another group."""

    generator_class = AtomicRecordingCUDACodeGenerator


codegen_targets.add(GpurunCUDACodeObject)
codegen_targets.add(GpurunCUDAAtomicsCodeObject)
register_random_functions(GpurunCUDACodeObject)
