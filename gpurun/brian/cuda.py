"""The CUDA device: the CPU device's set-up, with a time loop that runs on the card."""

from __future__ import annotations

from typing import Any

from brian2.synapses.synapses import SynapticPathway

from gpurun.brian import cpu
from gpurun.brian.codeobject import LOOP_TEMPLATES
from gpurun.brian.cuda_codeobject import (
    GpurunCUDAAtomicsCodeObject,
    GpurunCUDACodeObject,
    GpurunHostCodeObject,
    check_functions,
)
from gpurun.brian.cuda_emit import (
    constant_definitions,
    constants_of,
    device_functions,
    device_sources,
    named_arrays,
)
from gpurun.brian.cuda_preferences import (
    chosen_card,
    explain_preferences,
    nvcc_flags,
    runtime_version_known,
)
from gpurun.brian.emit import Sources


class CUDAStandaloneDevice(cpu.CPPStandaloneDevice):
    """Brian device that builds a resident library whose time loop runs on a card.

    It derives from gpurun's CPU device and not from brian2cuda's: set-up code, recording,
    building and reading are the CPU's. The code generator is brian2cuda's.
    """

    is_cuda = True
    #: What brian2cuda's code generator asks of its device.
    minimal_compute_capability = 6.0

    def get_array_name(self, var: Any, access_data: bool = True, prefix: str | None = None) -> str:
        return (prefix or "") + super().get_array_name(var, access_data)

    def code_object_class(
        self, codeobj_class: Any = None, fallback_pref: str | None = None
    ) -> type[Any]:
        return GpurunHostCodeObject if codeobj_class is None else codeobj_class

    def code_object(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        owner: Any,
        name: str,
        abstract_code: Any,
        variables: Any,
        template_name: str,
        variable_indices: Any,
        codeobj_class: Any = None,
        template_kwds: Any = None,
        **kwds: Any,
    ) -> Any:
        # brian2 asks for the default class before it comes here
        default = codeobj_class in (None, self.code_object_class())
        if template_name in LOOP_TEMPLATES and default:
            codeobj_class = GpurunCUDACodeObject
            if template_name == "synapses":
                codeobj_class = GpurunCUDAAtomicsCodeObject
            if template_name == "synapses_push_spikes" and isinstance(owner, SynapticPathway):
                template_kwds = {
                    **(template_kwds or {}),
                    "first_source": int(owner.source.start),
                    "n_sources": int(owner.source.stop - owner.source.start),
                }
        if default:
            check_functions(variables, codeobj_class or self.code_object_class())
        make = runtime_version_known()(super().code_object)
        codeobj = make(
            owner,
            name,
            abstract_code,
            variables,
            template_name,
            variable_indices,
            codeobj_class=codeobj_class,
            template_kwds=template_kwds,
            **kwds,
        )
        if template_name == "spatialstateupdate" and default:
            # brian2's own C++ prepares the matrices; what it would do in a step is never called
            profiling, self.enable_profiling = self.enable_profiling, False
            codeobj.on_host = make(
                owner,
                f"{codeobj.name}_on_host",
                abstract_code,
                dict(variables),
                template_name,
                variable_indices,
                codeobj_class=self.code_object_class(),
                template_kwds=template_kwds,
                **kwds,
            )
            self.enable_profiling = profiling
        return codeobj

    def draws_random(self, name: str) -> bool:
        codeobj = self.code_objects[name]
        if isinstance(codeobj, GpurunCUDACodeObject):
            return "own_stream()" in codeobj.code.cu_file
        return super().draws_random(name)

    def variables_before_run(self, name: str) -> list[Any]:
        codeobj = self.code_objects[name]
        if not isinstance(codeobj, GpurunCUDACodeObject):
            return super().variables_before_run(name)
        named = named_arrays(codeobj.code.before_run_cu_file)
        # Not only those of the code object: a pathway's code also reads where synapses begin
        return [variable for variable in self.arrays if self.get_array_name(variable) in named]

    # -- generating -------------------------------------------------------------

    def generate_codeobj_source(self, writer: Any) -> None:
        everything = self.code_objects
        self.code_objects = {
            name: codeobj
            for name, codeobj in everything.items()
            if not isinstance(codeobj, GpurunCUDACodeObject)
        }
        try:
            super().generate_codeobj_source(writer)
        finally:
            self.code_objects = everything

    def device_declarations(self) -> str:
        return '#include "mirrors.h"\n' + "".join(
            f"void {name}();\n" for name in device_functions(self)
        )

    def with_constants(self, codeobj: Any, kernels: str) -> str:
        """The `kernels` of a code object, with the constants that they name."""
        return constant_definitions(constants_of(codeobj)) + kernels

    def complete_sources(self, sources: Sources) -> None:
        assert self.model_description is not None
        # Its arrays are visited on the card; the host's allocation is left as it is
        del sources.files["memory.h"]
        unit = sources.files["model.cpp"]
        sources.files["model.cpp"] = unit.replace('#include "memory.h"\n', "")
        sources.files.update(device_sources(self, self.model_description))
        sources.cuda_units.append("model.cu")
        sources.cuda_flags = nvcc_flags()

    def build(self, directory: str | None = "output", **kwds: Any) -> None:
        explain_preferences()
        super().build(directory, **kwds)

    def dropin_device(self) -> str:
        chosen = super().dropin_device()
        card = chosen_card()
        # The command's choice precedes the script's
        return f"cuda:{card}" if chosen == "cuda" and card is not None else chosen
