"""Turns one network of a script in runtime mode into the sources of a model.

A recorder is a gpurun device that lives as long as a network's ``before_run``. It generates the
code of the time loop and nothing else; all values stay with the runtime device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from brian2.codegen.generators.cpp_generator import c_data_type
from brian2.core.base import BrianObjectException
from brian2.core.functions import Function
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable, Constant, VariableView
from brian2.devices import device_module
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from brian2.input.binomial import BinomialFunction
from brian2.input.poissoninput import PoissonInput
from brian2.input.timedarray import TimedArray
from brian2.parsing.rendering import CPPNodeRenderer
from brian2.synapses.synapses import Synapses

from gpurun.brian import poisson
from gpurun.brian.cleanup import temporary_project
from gpurun.brian.codeobject import assigned
from gpurun.brian.cpu import CPPStandaloneDevice
from gpurun.brian.emit import Sources
from gpurun.brian.plain.checks import check_monitors
from gpurun.brian.plain.inputs import adapted
from gpurun.brian.plain.names import canonical_names, renamed
from gpurun.brian.sources import library_code
from gpurun.config import settings
from gpurun.model import Code, Manifest

#: Where the values of a script's constants stand, so that other values need no other code.
CONSTANTS = "gpurun_constants"
# Every run is an `advance` of its own duration; this one is only said in the code.
_DURATION = 1.0


@dataclass(frozen=True)
class Recording:
    """What was recorded of a network.

    Attributes
    ----------
    manifest : Manifest
    code : Code
    static : dict of str to ndarray
        Static arrays (values of TimedArrays, constants) by C name.
    variables : dict of str to Variable
        Brian's variables by their names in the manifest.
    pathways : dict of str to SynapticPathway
        Those that take part in a run, by their names in the manifest.
    owners : dict of str to str
        For each code object, the name of the object that it belongs to, as the script knows it.
    """

    manifest: Manifest
    code: Code
    static: dict[str, np.ndarray]
    variables: dict[str, Any]
    pathways: dict[str, Any]
    owners: dict[str, str]


@cache
def _project() -> str:
    """A directory for what Brian writes on the way; nobody reads it."""
    return temporary_project()


class Recorder(CPPStandaloneDevice):
    """A recorder for the CPU; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self.network_schedule = None
        self.build_options = {}
        self.runtime = device_module.active_device
        self.code_and_static: tuple[Code, dict[str, np.ndarray]] | None = None
        self._constants: dict[tuple[str, str], float] = {}
        self._constants_array = ""

    # -- arrays and code objects --------------------------------------------------

    def add_array(self, var: Any) -> None:
        if var in self.arrays:
            return
        try:
            super().add_array(var)
        except ReferenceError:
            # Of a subgroup that is gone
            self.arrays[var] = f"_array_gone_{len(self.arrays)}_{var.name}"

    def get_array_name(self, var: Any, access_data: bool = True, prefix: str | None = None) -> str:
        if isinstance(var, ArrayVariable):
            self.add_array(var)
        # Only the card's code has a prefix
        options = {} if prefix is None else {"prefix": prefix}
        return str(super().get_array_name(var, access_data, **options))

    def code_object_class(
        self, codeobj_class: Any = None, fallback_pref: str | None = None
    ) -> type[Any]:
        # A group may have been given the class of a runtime target
        own: type[Any] = super().code_object_class()
        foreign = codeobj_class is None or not issubclass(codeobj_class, CPPStandaloneCodeObject)
        return own if foreign else codeobj_class  # pyright: ignore[reportReturnType]

    def code_object(self, owner: Any, name: str, *args: Any, **kwds: Any) -> Any:
        wanted = unique = name.rstrip("*")
        number = 0
        while unique in self.code_objects:
            number += 1
            unique = f"{wanted}_{number}"
        return super().code_object(owner, unique, *args, **kwds)

    # -- values: all of them are the runtime device's -------------------------------

    def _in_runtime(self, method: Any, *args: Any, **kwds: Any) -> Any:
        active, device_module.active_device = device_module.active_device, self.runtime
        try:
            return method.original_function(*args, **kwds)
        finally:
            device_module.active_device = active

    def variableview_set_with_index_array(self, *args: Any, **kwds: Any) -> Any:
        return self._in_runtime(VariableView.set_with_index_array, *args, **kwds)

    def variableview_get_subexpression_with_index_array(self, *args: Any, **kwds: Any) -> Any:
        return self._in_runtime(VariableView.get_subexpression_with_index_array, *args, **kwds)

    def variableview_get_with_expression(self, *args: Any, **kwds: Any) -> Any:
        return self._in_runtime(VariableView.get_with_expression, *args, **kwds)

    # -- sources ----------------------------------------------------------------

    def write_static_arrays(self, directory: str) -> None:
        self._constants = {
            (codeobj.name, name): float(np.real(variable.value))
            for codeobj in self.code_objects.values()
            for name, variable in sorted(codeobj.variables.items())
            # Whole numbers may be sizes, and a compiler makes use of them
            if isinstance(variable, Constant) and np.issubdtype(variable.dtype, np.floating)
        }
        if self._constants:
            values = np.array(list(self._constants.values()), dtype=np.float64)
            self._constants_array = self.static_array(CONSTANTS, values)
        super().write_static_arrays(directory)

    def generate_codeobj_source(self, writer: Any) -> None:
        super().generate_codeobj_source(writer)
        render = CPPNodeRenderer().render_expr
        for number, (codeobj_name, name) in enumerate(self._constants):
            variable = self.code_objects[codeobj_name].variables[name]
            declaration = f"const {c_data_type(variable.dtype)} {name} = "
            old = f"{declaration}{render(repr(variable.value))};"
            new = f"{declaration}brian::{self._constants_array}[{number}];"
            for prefix in ("", "before_run_", "after_run_"):
                file = f"code_objects/{prefix}{codeobj_name}.cpp"
                if file in writer.texts:
                    writer.texts[file] = writer.texts[file].replace(old, new)

    def generate_objects_source(self, writer: Any, *args: Any, **kwds: Any) -> None:
        super().generate_objects_source(writer, *args, **kwds)
        # Brian notes the size that a vector or matrix has now, which is data, and no code reads it
        names = "|".join(self.arrays[v] for v in (*self.dynamic_arrays, *self.dynamic_arrays_2d))
        if names:
            for file, text in writer.texts.items():
                writer.texts[file] = re.sub(
                    rf"^((?:extern )?const int _num_(?:{names})) = .*;$",
                    r"\1 = 0;",
                    text,
                    flags=re.M,
                )

    def show_sources(self, sources: Sources, directory: str) -> None:
        # Unless somebody has named a directory
        if settings().directory is not None:
            super().show_sources(sources, directory)

    def compile_source(self, directory: str, compiler: str, debug: bool, clean: bool) -> None:
        assert self.model_description is not None
        assert self._sources is not None
        static = {
            entry.c_name: np.array(self.static_arrays[entry.c_name], copy=True)
            for entry in self.model_description.table
            if entry.kind == "static"
        }
        code = library_code(
            self._sources,
            self.writer,
            self._options,
            user_headers=bool(self._user_headers),
            directory=Path(directory),
        )
        self.code_and_static = code, static

    # -- recording --------------------------------------------------------------

    def _register(self, objects: list[Any]) -> None:
        """Let the device know every array of `objects`, in the same order every time."""
        holders = [*objects, *{obj.clock.id: obj.clock for obj in objects}.values()]
        for holder in sorted(holders, key=lambda holder: holder.name):
            for _, variable in sorted(getattr(holder, "variables", {}).items()):
                if isinstance(variable, ArrayVariable):
                    self.add_array(variable)

    def record(self, net: Any, objects: list[Any], namespace: Any, *, profile: bool) -> None:
        self.enable_profiling = profile
        self.networks.add(net)
        self.clocks |= {obj.clock for obj in objects}
        self.synapses |= {obj for obj in objects if isinstance(obj, Synapses)}
        self.recorded_objects = {obj.name: obj for obj in objects}
        self._register(objects)
        net.before_run(namespace)
        parts = [(obj, codeobj) for obj in objects if obj.active for codeobj in obj._code_objects]
        lines = [f"{net.name}.clear();"]
        lines += [
            f"{net.name}.add(&{obj.clock.name}, _run_{codeobj.name});" for obj, codeobj in parts
        ]
        idle = {obj.clock for obj in objects} - {obj.clock for obj, _ in parts}
        lines += [f"{net.name}.add(&{name}, NULL);" for name in sorted(c.name for c in idle)]
        lines.append(f"{net.name}.run({_DURATION!r}, NULL, 10.0);")
        self.main_queue.append(("run_network", (net, lines)))
        for _, codeobj in parts:
            codeobj.after_run()


def _functions(device: Recorder) -> set[str]:
    """Names of numbered functions and their data, which stand in the text of generated code."""
    found = set()
    for codeobj in device.code_objects.values():
        for variable in codeobj.variables.values():
            if isinstance(variable, Function) and isinstance(
                variable, TimedArray | BinomialFunction
            ):
                found.add(variable.name)
    return found


class Words:
    """Replaces whole names in generated text, also where something is added to them."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {name: new for name, new in names.items() if name != new}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile(
            rf"({'|'.join(map(re.escape, longest_first))})(?![0-9A-Za-z]|_\d)"
        )

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._names[match[1]], text) if self._names else text


def _function_words(device: Recorder, inputs: Mapping[str, str]) -> Words:
    """What to call functions and the parameters of PoissonInputs (`inputs`: their names)."""
    words = canonical_names(_functions(device))
    for name, new in inputs.items():
        words[f"{name}_parameters"] = f"{new}_parameters"
        words[f"_{name}_{poisson.WEIGHT}"] = f"_{new}_{poisson.WEIGHT}"
    return Words(words)


@contextmanager
def _active(device: Recorder, objects: list[Any]) -> Iterator[None]:
    """Make `device` the active one, and leave nothing of it behind in `objects`."""
    active = device_module.active_device
    threads = prefs.devices.cpp_standalone.openmp_threads
    device_module.active_device = device
    # Runtime mode has one thread
    prefs.devices.cpp_standalone.openmp_threads = 0
    _forget(objects)
    try:
        yield
    finally:
        prefs.devices.cpp_standalone.openmp_threads = threads
        device_module.active_device = active
        _forget(objects)


def _forget(objects: list[Any]) -> None:
    for obj in objects:
        obj._code_objects[:] = []
        for attribute in ("codeobj", "_pushspikes_codeobj", "_initialise_queue_codeobj"):
            if getattr(obj, attribute, None) is not None:
                setattr(obj, attribute, None)


def load_backend(backend: str) -> type[Recorder]:
    """The recorders of a backend, ``"cpu"`` or ``"cuda"``."""
    if backend == "cuda":
        from gpurun.brian.plain.recorder_cuda import CUDARecorder

        return CUDARecorder
    return Recorder


def record(
    net: Any, objects: list[Any], namespace: Any, *, backend: str, profile: bool
) -> Recording:
    """Generate the code of `net`'s time loop.

    Parameters
    ----------
    net : Network
    objects : list of BrianObject
        Its objects in the order in which they run.
    namespace : mapping
        Of the ``run`` call.
    backend : {"cpu", "cuda"}
    profile : bool
        Whether the code measures itself.
    """
    inputs = [obj for obj in objects if isinstance(obj, PoissonInput)]
    actual = {obj.id: obj.name for obj in objects}
    # What a standalone script has recorded beside this
    known = dict(assigned)
    device = load_backend(backend)()
    try:
        with adapted(inputs), _active(device, objects), renamed(net, objects):
            inputs_now = {actual[obj.id]: obj.name for obj in inputs}
            device.record(net, objects, namespace, profile=profile)
            directory = None if settings().directory is not None else _project()
            device.build(directory=directory, run=False, direct_call=False)
            owners = {
                codeobj.name: actual[obj.id]
                for obj in objects
                if obj.active
                for codeobj in obj._code_objects
            }
            pathways = {
                pathway.name: pathway
                for synapses in device.synapses
                for pathway in synapses._pathways
                if pathway.active
            }
    except BrianObjectException:
        # Once more, with the names that the script knows in the message
        device = load_backend(backend)()
        with _active(device, objects):
            device.record(net, objects, namespace, profile=profile)
        raise
    finally:
        assigned.clear()
        assigned.update(known)
    check_monitors(objects, owners, list(device.code_objects.values()))
    return _finished(device, _function_words(device, inputs_now), owners, pathways)


def _finished(
    device: Recorder, words: Words, owners: dict[str, str], pathways: dict[str, Any]
) -> Recording:
    assert device.model_description is not None
    assert device.code_and_static is not None
    code, static = device.code_and_static
    description = device.model_description
    manifest = description.manifest
    infos = tuple(
        replace(info, name=words(info.name), c_name=words(info.c_name))
        for info in manifest.variables
    )
    manifest = replace(
        manifest,
        variables=infos,
        timed_arrays={words(n): words(v) for n, v in manifest.timed_arrays.items()},
        poisson_inputs={
            name: replace(
                info,
                parameters=words(info.parameters),
                weight=None if info.weight is None else words(info.weight),
            )
            for name, info in manifest.poisson_inputs.items()
        },
    )
    if manifest.card is not None:
        card = manifest.card
        manifest = replace(manifest, card=replace(card, mirrored=tuple(map(words, card.mirrored))))
    return Recording(
        manifest=manifest,
        code=replace(code, files={name: words(text) for name, text in code.files.items()}),
        static={words(name): values for name, values in static.items()},
        variables={words(name): variable for variable, name in description.names.items()},
        pathways=pathways,
        owners=owners,
    )
