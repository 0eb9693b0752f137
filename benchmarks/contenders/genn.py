"""PyGeNN, with a model of its own for the CUBA network.

Written from the documentation of PyGeNN 5 (https://genn-team.github.io). The synapses are those
of the case's Brian2 network; equations are solved exactly from step to step, as Brian2 does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import brian2 as b2
import numpy as np
from numpy.typing import NDArray

from gpurun.bench.clocks import CpuStopwatch, Stopwatch
from gpurun.bench.suite.case import Stimulus
from gpurun.bench.suite.contender import (
    COMPILE,
    COMPILE_CPU,
    GENERATION,
    LOAD,
    LOOP,
    OUTSIDE,
    READ,
    RESET,
    UPLOAD,
    WALL,
    Absent,
)

from . import memory
from .cards import CardUse
from .common import BrianContender, Measures, Values, choose_flags, flags

#: Brette et al. (2007), benchmark 2: volts and milliseconds.
REST, THRESHOLD, START = -0.049, -0.050, -0.060
MEMBRANE, EXCITATORY, INHIBITORY, REFRACTORY = 20.0, 5.0, 10.0, 5.0
WEIGHTS = {"excitation": ("Ie", 1.62e-3), "inhibition": ("Ii", -9e-3)}

_STEP = """
ge += Ie;
gi += Ii;
if (refractory > 0) { refractory -= 1; }
if (refractory == 0) { V = rest + (V - rest)*decay + ge*gain_e + gi*gain_i; }
ge *= decay_e;
gi *= decay_i;
"""


class PyGenn(BrianContender):
    """The model stays loaded; state is set back before each presentation."""

    model: Any
    cells: Any
    card_use: CardUse | None = None

    def setup(self) -> Mapping[str, float]:
        if find_spec("pygenn") is None:
            raise Absent("PyGeNN is not installed (https://github.com/genn-team/genn)")
        if self.case.name != "cuba":
            raise Absent("there is no PyGeNN form of this case")
        if version("pygenn").partition(".")[0] != "5":
            raise Absent(f"this is PyGeNN {version('pygenn')}: expected PyGeNN 5")
        # For its synapses and stimuli
        b2.set_device("runtime")
        b2.prefs["codegen.target"] = "numpy"
        self.create()
        choose_flags()
        with compiler_flags(), compilation() as spent, Stopwatch() as generation:
            self._define(import_module("pygenn"))
            self.model.build(str(self.folder))
        if self._on_card:
            self.card_use = CardUse()
        with Stopwatch() as loading:
            # Recorded spikes can be read when so many steps were made
            self.model.load(num_recording_timesteps=self.network.steps)
        if self.card_use is not None:
            self.card_use.note()
        memory.reset_peak()
        return {GENERATION: generation.seconds - spent[COMPILE], **spent, LOAD: loading.seconds}

    def _define(self, genn: Any) -> None:
        dt = 1000 * self.network.dt
        decay, decay_e, decay_i = np.exp(-dt / np.array([MEMBRANE, EXCITATORY, INHIBITORY]))
        parameters = {
            "rest": REST,
            "decay": decay,
            "decay_e": decay_e,
            "decay_i": decay_i,
            # Of the linear equations, over one step
            "gain_e": EXCITATORY / (EXCITATORY - MEMBRANE) * (decay_e - decay),
            "gain_i": INHIBITORY / (INHIBITORY - MEMBRANE) * (decay_i - decay),
            "threshold": THRESHOLD,
            "start": START,
        }
        neuron = genn.create_neuron_model(
            "cuba",
            params=list(parameters),
            vars=[("V", "scalar"), ("ge", "scalar"), ("gi", "scalar"), ("refractory", "int")],
            additional_input_vars=[("Ie", "scalar", 0.0), ("Ii", "scalar", 0.0)],
            sim_code=_STEP,
            threshold_condition_code="refractory == 0 && V > threshold",
            reset_code=f"V = start; refractory = {round(REFRACTORY / dt)};",
        )
        self.model = genn.GeNNModel("double", "cuba")
        self.model.dt = dt
        number = len(self.network.objects["cells"])
        state = {"V": START, "ge": 0.0, "gi": 0.0, "refractory": 0}
        self.cells = self.model.add_neuron_population("cells", number, neuron, parameters, state)
        self.cells.spike_recording_enabled = True
        for name, (target, weight) in WEIGHTS.items():
            synapses = self.network.objects[name]
            made = self.model.add_synapse_population(
                name,
                "SPARSE",
                self.cells,
                self.cells,
                genn.init_weight_update("StaticPulseConstantWeight", {"g": weight}),
                genn.init_postsynaptic("DeltaCurr"),
            )
            made.post_target_var = target
            # Brian2 counts the neurons of a subgroup from 0
            made.set_sparse_connections(
                np.array(synapses.i[:]) + synapses.source.start, np.array(synapses.j[:])
            )

    @property
    def _on_card(self) -> bool:
        return self.model.backend_name == "cuda"

    def _push(self, **values: NDArray[Any] | float) -> None:
        for name, value in values.items():
            variable = self.cells.vars[name]
            variable.current_view[:] = value
            variable.push_to_device()

    def _reset(self) -> None:
        # Spikes of the last step are still to be delivered: a step in which no neuron can fire
        self._push(V=START, ge=0.0, gi=0.0, refractory=2)
        self.model.step_time()
        self.model.timestep = 0
        self._push(ge=0.0, gi=0.0, refractory=0)

    def _loop(self, count: int) -> float:
        """Seconds of so many steps, up to the spikes being there: a card works on its own."""
        with Stopwatch() as watch:
            for _ in range(count):
                self.model.step_time()
            self.model.pull_recording_buffers_from_device()
        return watch.seconds

    def show(
        self, number: int, stimulus: Stimulus, names: Iterable[str]
    ) -> tuple[Measures, Values]:
        with Stopwatch() as wall:
            with Stopwatch() as reset:
                self._reset()
            with Stopwatch() as upload:
                self._push(V=stimulus["cells.v"])
            loop = self._loop(self.network.steps)
            with Stopwatch() as read:
                times, neurons = self.cells.spike_recording_data[0]
                found: Values = {
                    "spikes.i": neurons,
                    "spikes.t": times / 1000,
                    "spikes.count": np.bincount(neurons, minlength=self.cells.num_neurons),
                }
                values = {name: found[name] for name in names}
        parts = {UPLOAD: upload.seconds, RESET: reset.seconds, READ: read.seconds}
        return {WALL: wall.seconds, LOOP: loop, OUTSIDE: wall.seconds - loop, **parts}, values

    def steps(self, count: int) -> float | None:
        self._reset()
        self._push(V=self.stimulus(0)["cells.v"])
        return self._loop(min(count, self.network.steps))

    def facts(self) -> Mapping[str, int | float | str | bool]:
        return {
            **super().facts(),
            "pygenn": version("pygenn"),
            "backend": self.model.backend_name,
            "flags": "GeNN's own for nvcc" if self._on_card else flags(),
            "precision": "float64",
            "time loop": "with the spikes of all steps brought to the host",
        }

    def memory(self) -> Mapping[str, float]:
        found = dict(super().memory())
        return found if self.card_use is None else {**found, **self.card_use.own()}

    def energy(self, count: int) -> float | None:
        return self.energy_of(self.card_use, count)

    def close(self) -> None:
        if self.card_use is not None:
            self.card_use.close()


@contextmanager
def compiler_flags() -> Iterator[None]:
    """Have GeNN's makefile for the CPU use the flags of all contenders: it has no optimisation.

    Its own preference for that would bring fast-math with it.
    """
    before = os.environ.get("CXX")
    os.environ["CXX"] = f"{before or 'g++'} {flags()}"
    try:
        yield
    finally:
        if before is None:
            del os.environ["CXX"]
        else:
            os.environ["CXX"] = before


@contextmanager
def compilation() -> Iterator[dict[str, float]]:
    """Tell what ``make`` takes in the block, which GeNN calls after its code generation."""
    genn_model: Any = import_module("pygenn.genn_model")
    original = genn_model.check_call
    spent = {COMPILE: 0.0, COMPILE_CPU: 0.0}

    def check_call(*arguments: Any, **options: Any) -> Any:
        with Stopwatch() as wall, CpuStopwatch() as processor:
            done = original(*arguments, **options)
        spent[COMPILE] += wall.seconds
        spent[COMPILE_CPU] += processor.children
        return done

    genn_model.check_call = check_call
    try:
        yield spent
    finally:
        genn_model.check_call = original


CONTENDERS = {"pygenn": PyGenn}
