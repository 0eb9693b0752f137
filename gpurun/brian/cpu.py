"""The CPU device: brian2's C++ standalone device, built as a resident library.

The class keeps the name of its parent, because Brian2 (and its test suite) tell
devices apart by class name, and this one stands in for its parent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import brian2
import numpy as np
from brian2.core.base import BrianObjectException
from brian2.core.network import Network
from brian2.core.operations import NetworkOperation
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable, DynamicArrayVariable
from brian2.devices.cpp_standalone import device as upstream
from brian2.groups.group import Group
from brian2.input.poissoninput import PoissonInput
from brian2.units import second
from brian2.utils.filetools import ensure_directory

from gpurun.brian import poisson
from gpurun.brian.cleanup import delete_project, temporary_project
from gpurun.brian.codeobject import (
    LOOP_TEMPLATES,
    GpurunCPPCodeObject,
    assigned,
    draws_random_numbers,
)
from gpurun.brian.emit import Sources, amalgamate, support_files
from gpurun.brian.keys import BrianResolver
from gpurun.brian.manifest import Description, describe
from gpurun.brian.philox_codeobject import (
    RNGS,
    GpurunPhiloxCPPCodeObject,
    element_headers,
    numbered_units,
)
from gpurun.brian.program import Program, compile_program
from gpurun.brian.random_functions import (
    adopt_binomials,
    allow_any_binomial_name,
    draws_from_streams,
    noise_in_order,
)
from gpurun.brian.render import render_model
from gpurun.brian.run_args import as_overrides, keep_arrays
from gpurun.brian.sources import SourceCollector, compiler_options, library_code
from gpurun.brian.static_state import functions_with_state
from gpurun.brian.store_restore import StoredStates, StoringDevice, with_numbers
from gpurun.build import build_model
from gpurun.config import settings
from gpurun.dropin import DropInSession, device_for
from gpurun.errors import ConfigError, NotSupportedError, SessionError
from gpurun.model import Model
from gpurun.results import RunResult

_OWN_OPTIONS = ("backend", "rng")


def _explain_missing_function(error: BaseException) -> None:
    """Add the way out to the message about a function without code for the compiler."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotImplementedError) and "Cannot use function" in str(cause):
            name, target = ("CUDA", "cuda") if "'cuda'" in str(cause) else ("C++", "cpp")
            error.add_note(
                f"{cause}\nCompiled code cannot call Python. Give the function a {name} "
                f"implementation with @implementation('{target}', '...'), tabulate it in a "
                "TimedArray, or run the script with set_device('runtime')."
            )
            return
        cause = cause.__cause__


class CPPStandaloneDevice(StoringDevice, upstream.CPPStandaloneDevice):
    """Brian device that builds a resident library and runs it in this process."""

    def __init__(self) -> None:
        super().__init__()
        assigned.clear()
        self.model: Model | None = None
        self.model_description: Description | None = None
        #: Objects of all networks that were run, by name.
        self.recorded_objects: dict[str, Any] = {}
        self._dropin: DropInSession | None = None
        #: What the last `run` says of itself; it recorded nothing beside Brian's own objects.
        self.last_result: RunResult | None = None
        self._reading: Any = None
        self._options: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._sources: Sources | None = None
        self._disable_asserts = False
        self._draws: dict[str, bool] = {}
        self._definitions: dict[str, str] = {}
        self.stored_states = StoredStates()
        self._built_in = -1
        self._built_from = 0
        #: Which random numbers the time loop draws: "mersenne" or "philox".
        self.rng = "mersenne"

    #: Whether the time loop runs on a card.
    is_cuda = False

    #: Whether Ctrl-C during `run` raises KeyboardInterrupt whatever Brian's preference
    #: ``core.stop_on_keyboard_interrupt`` says (the command line wants that).
    interrupts_raise = False

    # -- life -------------------------------------------------------------------

    def reinit(self) -> None:
        if self._dropin is not None:
            self._dropin.close()
        super().reinit()

    def activate(self, build_on_run: bool = True, **kwargs: Any) -> None:
        own = {option: kwargs.pop(option) for option in _OWN_OPTIONS if option in kwargs}
        rng = own.get("rng", "philox" if self.is_cuda else "mersenne")
        if rng not in RNGS:
            raise ConfigError(
                f"rng={rng!r} is not known; use one of {', '.join(map(repr, RNGS))}.",
                setting="rng",
            )
        if self.is_cuda and rng != "philox":
            raise ConfigError(
                "The card draws from Philox streams only: leave rng out, or use backend='cpu'.",
                setting="rng",
            )
        # Activating makes the default clock, whose initial values are in the queue afterwards
        begun = self.has_been_run or bool(self.main_queue)
        super().activate(build_on_run=build_on_run, **kwargs)
        allow_any_binomial_name()
        self.rng = rng
        # Brian's reset_device() activates with these
        self.build_options = {**kwargs, **own}
        seed = settings().seed
        if seed is not None and not begun:
            self.seed(seed)

    def __getstate__(self) -> dict[str, Any]:
        # A pool pickles the device with the objects that refer to it. The session stays here:
        # a worker opens one of its own.
        return {**self.__dict__, "_dropin": None, "_reading": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.model is not None and self.model_description is not None:
            resolver = BrianResolver(self, self.model_description)
            self.model = replace(self.model, resolver=resolver)

    # -- recording --------------------------------------------------------------

    def code_object_class(
        self, codeobj_class: Any = None, fallback_pref: str | None = None
    ) -> type[Any]:
        return GpurunCPPCodeObject if codeobj_class is None else codeobj_class

    def code_object(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        owner: Any,
        name: str,
        abstract_code: Any,
        variables: Any,
        template_name: str,
        variable_indices: Any,
        codeobj_class: Any = None,
        **kwds: Any,
    ) -> Any:
        plain = codeobj_class is None or codeobj_class is GpurunCPPCodeObject
        philox = self.rng == "philox" and not self.is_cuda
        if plain and philox and template_name in LOOP_TEMPLATES:
            codeobj_class = GpurunPhiloxCPPCodeObject
        if draws_from_streams(codeobj_class):
            adopt_binomials(variables)
            abstract_code = noise_in_order(abstract_code)
        codeobj = super().code_object(
            owner,
            name,
            abstract_code,
            variables,
            template_name,
            variable_indices,
            codeobj_class=codeobj_class,
            **kwds,
        )
        if template_name not in LOOP_TEMPLATES:
            return codeobj
        # In an order of noise terms of its own, which would differ from process to process
        code = noise_in_order(abstract_code)
        blocks = sorted(code.items()) if isinstance(code, Mapping) else code
        self._definitions[codeobj.name] = f"{template_name}\n{blocks}"
        return codeobj

    def definitions(self, program: Program) -> dict[str, str]:
        """What the code objects of the time loop compute, by name."""
        return {
            name: self._definitions[name]
            for name in program.later_codeobjects
            if name in self._definitions
        }

    @property
    def philox(self) -> bool:
        """Whether the time loop draws from Philox streams."""
        return any(draws_from_streams(type(codeobj)) for codeobj in self.code_objects.values())

    @property
    def threads(self) -> int:
        return int(prefs.devices.cpp_standalone.openmp_threads)

    def draws_random(self, name: str) -> bool:
        """Whether the code object `name` draws random numbers."""
        if name not in self._draws:
            code = self.code_objects[name].code
            self._draws[name] = draws_random_numbers("\n".join(map(str, code.values())))
        return self._draws[name]

    def variables_before_run(self, name: str) -> list[ArrayVariable]:
        """Variables that the code before runs of the code object `name` may depend on."""
        variables = self.code_objects[name].variables.values()
        return [variable for variable in variables if isinstance(variable, ArrayVariable)]

    def static_state(self) -> tuple[str, ...]:
        """Names of user functions that may keep state between calls."""
        return functions_with_state(list(self.code_objects.values()))

    def network_run(self, net: Network, duration: Any, *args: Any, **kwds: Any) -> None:
        for obj in net.sorted_objects:
            # The magic network forgets its objects after the run
            self.recorded_objects[obj.name] = obj
            if isinstance(obj, NetworkOperation):
                function = getattr(obj.function, "__name__", obj.name)
                raise NotSupportedError(
                    f"The network operation '{function}' ('{obj.name}') is a Python function that "
                    "Brian would call in every time step; compiled code cannot. Replace it by "
                    "group.run_regularly('...'), by a TimedArray, or by a C++ function, or run "
                    "the script with set_device('runtime').",
                    what=obj.name,
                )
            if isinstance(obj, PoissonInput):
                poisson.adapt(obj)
        # network_run looks for the local namespace of the caller's caller
        kwds["level"] = kwds.get("level", 0) + 1
        build_on_run, self.build_on_run = self.build_on_run, False
        began = len(self.main_queue)
        try:
            super().network_run(net, duration, *args, **kwds)
        except BrianObjectException as error:
            _explain_missing_function(error)
            raise
        finally:
            self.build_on_run = build_on_run
        self._sort_clocks(began)
        if self.build_on_run:
            if self.has_been_run:
                raise RuntimeError(
                    "The network has already been built and run before. Use set_device with "
                    "build_on_run=False and an explicit device.build call to use several run "
                    "calls with this device."
                )
            self.build(direct_call=False, **(self.build_options or {}))

    def _sort_clocks(self, began: int) -> None:
        """Make what was recorded from `began` on the same in every process.

        Brian iterates over a set of clocks; the code key must not depend on its order.
        """
        queue = self.main_queue
        times = {
            self.arrays[clock.variables[name]]
            for clock in self.clocks
            for name in ("timestep", "t")
        }
        ended = began
        while queue[ended][0] == "set_by_single_value" and queue[ended][1][0] in times:
            ended += 1
        queue[began:ended] = sorted(queue[began:ended], key=lambda entry: entry[1][0])
        for instruction, args in reversed(self.main_queue):
            if instruction == "run_network":
                lines = args[1]
                idle = [n for n, line in enumerate(lines) if line.endswith(", NULL);")]
                for position, line in zip(idle, sorted(lines[n] for n in idle), strict=True):
                    lines[position] = line
                return

    def run_function(self, name: str, include_in_parent: bool = True) -> Any:
        return _RunFunction(self, name, include_in_parent)

    # -- generating -------------------------------------------------------------

    def generate_main_source(self, writer: Any) -> None:
        program = compile_program(
            self.main_queue, draws_random=self.draws_random, threads=self.threads
        )
        slots = self.code_lines
        program.opaque_head |= bool(slots["before_start"] or slots["after_start"])
        program.opaque_later |= bool(slots["before_end"] or slots["after_end"])
        self.runfuncs = program.functions
        description = describe(self, program)
        self._program, self.model_description = program, description
        index = {info.name: n for n, info in enumerate(description.manifest.variables)}
        numbers = {variable: index[name] for variable, name in description.names.items()}
        text = render_model(self, program, description)
        self._model_text = with_numbers(text, self.stored_states, numbers)
        self._user_headers = [
            *self.headers,
            *prefs["codegen.cpp.headers"],
            *(
                header
                for codeobj in self.code_objects.values()
                for header in codeobj.compiler_kwds.get("headers", [])
            ),
        ]

    def generate_run_source(self, writer: Any) -> None:
        """Nothing: the model template holds what brian2 writes into run.cpp."""

    def generate_makefile(
        self,
        writer: Any,
        compiler: str,
        compiler_flags: str,
        linker_flags: str,
        nb_threads: int,
        debug: bool,
    ) -> None:
        if compiler == "msvc":
            raise NotSupportedError(
                "gpurun needs gcc or clang; MSVC is not supported.", what="msvc"
            )
        self._options = compiler_options(
            compiler_flags, linker_flags, threads=nb_threads, debug=debug
        )
        if self._disable_asserts:
            flags, link_flags = self._options
            self._options = ((*flags, "-DNDEBUG"), link_flags)

    def copy_source_files(self, writer: Any, directory: str) -> None:
        """Collect the library's sources. They are compiled in a directory of their own."""
        texts = writer.texts
        support = support_files(Path(brian2.__file__).parent)
        if any(isinstance(c, GpurunPhiloxCPPCodeObject) for c in self.code_objects.values()):
            texts = numbered_units(texts, self.code_objects)
            support |= element_headers()
        includes = "".join(
            f"#include {header}\n" for header in dict.fromkeys(sorted(self._user_headers))
        )
        text = includes + self.device_declarations() + self._model_text
        # Headers of the user may hold what must be defined in one unit only
        split = not (self.is_cuda or self._user_headers)
        self._sources = amalgamate(texts, text, support, split=split)
        self.complete_sources(self._sources)
        self.show_sources(self._sources, directory)
        for name in self._sources.files:
            writer.header_files.add(name) if name.endswith(".h") else writer.source_files.add(name)

    def show_sources(self, sources: Sources, directory: str) -> None:
        """Write the sources to the project directory, for whoever wants to read them."""
        for name, text in sources.files.items():
            path = Path(directory, name)
            ensure_directory(str(path.parent))
            path.write_text(text, encoding="utf-8")

    def device_declarations(self) -> str:
        """C++ declarations of what another unit defines."""
        return ""

    def complete_sources(self, sources: Sources) -> None:
        """Add the units that a backend has beyond the host's."""

    # -- building ---------------------------------------------------------------

    def build(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, directory: str | None = "output", **kwds: Any
    ) -> None:
        chosen = settings().directory
        if chosen is not None:
            directory = str(chosen)
        if directory is None:
            directory = temporary_project()
        self._close_dropin()
        self.model = None
        for option in _OWN_OPTIONS:
            kwds.pop(option, None)
        # An option of brian2cuda's, whose scripts run on the CPU, too
        self._disable_asserts = bool(kwds.pop("disable_asserts", False))
        super().build(directory=directory, **kwds)

    def write_static_arrays(self, directory: str) -> None:
        writer = SourceCollector(directory)
        writer.source_files |= self.writer.source_files
        writer.header_files |= self.writer.header_files
        self.writer = writer
        super().write_static_arrays(directory)

    def compile_source(self, directory: str, compiler: str, debug: bool, clean: bool) -> None:
        assert self.model_description is not None
        assert self._sources is not None
        started = time.time()
        static = {
            entry.c_name: np.array(self.static_arrays[entry.c_name], copy=True)
            for entry in self.model_description.table
            if entry.kind == "static"
        }
        self.model = build_model(
            self.model_description.manifest,
            library_code(
                self._sources,
                self.writer,
                self._options,
                user_headers=bool(self._user_headers),
                directory=Path(directory),
            ),
            static,
            resolver=BrianResolver(self, self.model_description),
        )
        self._built_in = os.getpid()
        self._built_from = len(self.main_queue)
        self.timers["compile"]["make"] = time.time() - started

    def built_model(self) -> Model:
        """The Model of what was recorded; builds it if that has not been done."""
        if self.model is None or len(self.main_queue) != self._built_from:
            options = {k: v for k, v in (self.build_options or {}).items() if k != "run"}
            options.setdefault("directory", None)
            self.build(run=False, direct_call=False, **options)
        assert self.model is not None
        return self.model

    # -- running ----------------------------------------------------------------

    def dropin_device(self) -> str:
        """Where `run` opens its session."""
        assert self.model is not None
        return device_for(self.model)

    def _close_dropin(self) -> None:
        if self._dropin is not None:
            self._dropin.close()
            self._dropin = None

    def run(
        self,
        directory: str | None = None,
        results_directory: str | None = None,
        with_output: bool = True,
        run_args: Any = None,
        allow_nonfinite: bool = False,
    ) -> None:
        if self.model is None:
            raise SessionError("The model has not been built; call device.build(run=False) first.")
        first = self._dropin is None
        if results_directory is not None:
            if os.path.isabs(results_directory):
                raise TypeError(
                    "The 'results_directory' argument needs to be a relative path but was "
                    f"'{results_directory}'."
                )
            folder = os.path.join(str(directory or self.project_dir), results_directory)
            self.results_dir = os.path.join(os.path.abspath(folder), "")
        overrides = as_overrides(self.model.manifest, run_args, Path(str(self.project_dir)))
        if self._dropin is None:
            self._dropin = DropInSession(
                self.model,
                self.dropin_device(),
                directory=self.results_dir,
                first=self._built_in == os.getpid(),
            )
        # Files appear where brian2 would leave them when somebody asked for them: at the
        # run that belongs to the build, and where a directory is named. Others stay in memory.
        write = first or results_directory is not None
        output = None
        if write or not with_output:
            ensure_directory(self.results_dir)
        self.run_args_arrays.clear()
        if write:
            self.run_args_arrays += keep_arrays(overrides, Path(str(self.project_dir)))
        if not with_output:
            output = Path(self.results_dir, "stdout.txt")
            output.unlink(missing_ok=True)
        # Brian's handler of Ctrl-C ends the run early and lets the script go on
        Network._globally_running = not self.interrupts_raise
        Network._globally_stopped = False
        self.read_state_files()
        started = time.time()
        try:
            result = self._dropin.run_script(
                overrides,
                output=output,
                results_directory=self.results_dir if write else None,
                maximum_run_time=self._seconds(self._maximum_run_time),
                begin_with=self.stored_states.first,
                allow_nonfinite=allow_nonfinite,
                progress=lambda completed, elapsed: Network._globally_stopped,
            )
        finally:
            Network._globally_running = False
        self.timers["run_binary"] = time.time() - started
        self.write_state_files()
        self.last_result = result
        self._last_run_time = result.loop_time
        self._last_run_completed_fraction = result.completed
        for clock in self.clocks:
            self.array_cache[clock.variables["t"]] = None
        self._check_states()

    @staticmethod
    def _seconds(value: Any) -> float | None:
        return None if value is None else float(value)

    def delete(
        self,
        code: bool = True,
        data: bool = True,
        run_args: bool = True,
        directory: bool = True,
        force: bool = False,
    ) -> None:
        delete_project(
            self, code=code, data=data, run_args=run_args, directory=directory, force=force
        )

    def _check_states(self) -> None:
        """Warn of nan and very large values, once per group, as brian2 does."""
        checked = set()
        for variable in self.arrays:
            try:
                owner = variable.owner
                if not hasattr(owner, "name") or owner.name in checked:
                    continue
                if isinstance(owner, Group):
                    owner._check_for_invalid_states()
                    checked.add(owner.name)
            except ReferenceError:
                pass  # the owner was a subgroup that is gone

    # -- reading ----------------------------------------------------------------

    def reads_from(self, session: Any) -> None:
        """Let Brian objects read from `session`, which has just run."""
        self._reading = session
        self.has_been_run = True
        overridden = session.overridden_names()
        if overridden:
            assert self.model_description is not None
            for variable, name in self.model_description.names.items():
                if name in overridden:
                    self.array_cache[variable] = None

    def get_value(self, var: Any, access_data: bool = True) -> Any:
        cached = self.array_cache.get(var, None)
        if cached is not None:
            return cached
        if self._reading is None or self.model_description is None:
            return super().get_value(var, access_data)
        name = self.model_description.names.get(var)
        if name is None:
            raise NotImplementedError(
                f"'{var.name}' was made after the model was built and is not part of it."
            )
        session = self._reading
        if session.closed:
            raise SessionError(
                f"'{name}' cannot be read: the session that ran last has been closed. Read values "
                "before session.close(), or take them from the RunResult."
            )
        values = session.read_raw(name)
        if isinstance(var, DynamicArrayVariable):
            var.size = values.shape if values.ndim == 2 else len(values)
        return values

    def variableview_get_subexpression_with_index_array(
        self, variableview: Any, item: Any, run_namespace: Any = None
    ) -> Any:
        # Evaluated by the runtime device, which reads through get_value above; an error
        # must not leave that device active.
        from brian2.devices import device_module

        active = device_module.active_device
        depth = len(device_module.previous_devices)
        try:
            return super().variableview_get_subexpression_with_index_array(
                variableview, item, run_namespace=run_namespace
            )
        finally:
            if device_module.active_device is not active:
                del device_module.previous_devices[depth:]
                device_module.active_device = active

    def network_get_profiling_info(self, net: Any) -> Any:
        entries = [] if self._reading is None else self._reading.profile()
        if not entries:
            raise ValueError("No profiling info collected (did you run with 'profile=True'?)")
        net._profiling_info = [(name, seconds * second) for name, seconds in entries]
        return sorted(net._profiling_info, key=lambda entry: entry[1], reverse=True)


class _RunFunction:
    """Context manager of `run_function`; brian2's own writes to its own device's queue."""

    def __init__(self, device: CPPStandaloneDevice, name: str, include_in_parent: bool) -> None:
        self.device = device
        self.args = (name, include_in_parent)

    def __enter__(self) -> None:
        self.device.main_queue.append(("start_run_func", self.args))

    def __exit__(self, *exception: object) -> None:
        self.device.main_queue.append(("end_run_func", self.args))
