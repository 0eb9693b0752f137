"""Sizes and counts of a model, from which its memory is estimated."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gpurun.model import Data, Manifest, PathwayInfo, VariableInfo

#: Spikes per second of a neuron of which nothing else is known.
ASSUMED_RATE = 10.0

_EVENT_SPACE = re.compile(r"_\w*space")


@dataclass(frozen=True)
class Connections:
    """The synapses of a pathway.

    Attributes
    ----------
    synapses : int
        How many there are.
    counts : ndarray of int
        Synapses of each source neuron, shape (size,).
    slots : int
        Time steps that a spike may wait, and the present one.
    delays : int
        Different delays.
    bundles : int
        Pairs of a source neuron and a delay.
    scattered : bool
        Whether the synapses of a neuron do not lie side by side.
    """

    synapses: int
    counts: np.ndarray
    slots: int
    delays: int
    bundles: int
    scattered: bool


class Facts:
    """What is known of a model before a session is opened.

    Parameters
    ----------
    manifest : Manifest
    data : Data
    seconds : float
        Model time for which monitors record.
    rates : mapping of str to float
        Spikes per second and neuron, by monitor or by group.
    default_rate : float
        For all others.
    """

    def __init__(
        self,
        manifest: Manifest,
        data: Data,
        seconds: float,
        rates: Mapping[str, float],
        default_rate: float,
    ) -> None:
        self.manifest, self.data, self.seconds = manifest, data, seconds
        self._rates, self._default = rates, default_rate
        self._connections: dict[str, Connections] = {}
        self.infos = {info.name: info for info in manifest.variables}
        #: What grows while a monitor records, by monitor.
        self.records = {
            monitor: [
                self.infos[name]
                for name in names
                if name in self.infos and self.infos[name].kind != "array"
            ]
            for monitor, names in manifest.monitors.items()
        }
        self._growing = {info.name for infos in self.records.values() for info in infos}
        self._synapses = {
            name.rpartition(".")[0] for name in self.infos if name.endswith("._synaptic_pre")
        }

    # -- variables --------------------------------------------------------------

    def fixed(self) -> list[VariableInfo]:
        """All variables but what monitors record."""
        return [info for info in self.manifest.variables if info.name not in self._growing]

    def changing(self) -> list[VariableInfo]:
        """Those of them that a run can change."""
        return [info for info in self.fixed() if info.changes]

    def values(self, info: VariableInfo) -> np.ndarray | None:
        """The value when a session opens, None if it is not known."""
        if info.kind == "static":
            return self.data.static.get(info.c_name)
        return self.data.frozen.get(info.name)

    def elements(self, info: VariableInfo) -> int:
        """How many a variable has when a session opens."""
        values = self.values(info)
        return math.prod(info.shape) if values is None else int(values.size)

    def size(self, info: VariableInfo) -> int:
        """Its bytes."""
        return self.elements(info) * info.numpy_dtype.itemsize

    def is_synaptic(self, info: VariableInfo) -> bool:
        """Whether it belongs to synapses."""
        return info.role == "delay" or info.name.rpartition(".")[0] in self._synapses

    def is_uniform(self, info: VariableInfo) -> bool:
        """Whether a copy in host memory is a single element: all are the same, bit by bit."""
        values = self.values(info)
        if info.kind == "dynamic2d" or values is None or values.size < 2:
            return False
        bits = np.ascontiguousarray(values).reshape(-1).view(f"V{values.itemsize}")
        return bool((bits[1:] == bits[0]).all())

    def event_spaces(self) -> list[VariableInfo]:
        """Lists of the events of a step, of which a copy is kept at the end of a run."""
        if len(self.manifest.durations) != 1:
            return []
        return [
            info
            for info in self.changing()
            if _EVENT_SPACE.fullmatch(info.name.rpartition(".")[2]) and info.role == "internal"
        ]

    # -- what a run does --------------------------------------------------------

    def rate(self, *names: str) -> float:
        """Spikes per second and neuron of the first of `names` that has a rate."""
        return next((self._rates[name] for name in names if name in self._rates), self._default)

    def rows(self, monitor: str) -> int:
        """Time steps that a monitor is going to record; 0 for one of events."""
        dt = self.manifest.clocks.get(self.manifest.monitor_clocks.get(monitor, ""), math.nan)
        # Rounded as Brian's clock does
        return math.ceil(round(self.seconds / dt, 6)) if dt > 0 else 0

    def is_of_events(self, monitor: str) -> bool:
        """Whether how much a monitor records depends on spikes."""
        return monitor not in self.manifest.monitor_clocks

    def neurons(self, monitor: str) -> int:
        """How many neurons a monitor of events watches."""
        counts = self.infos.get(f"{monitor}.count")
        return 0 if counts is None else self.elements(counts)

    def events(self, monitor: str) -> float:
        """Events that a monitor is going to record, as far as that can be known."""
        source = self.manifest.monitor_sources.get(monitor, "")
        group = source.partition("[")[0]
        generator = self.manifest.spike_generators.get(source)
        spikes = self.data.frozen.get(f"{group}.neuron_index")
        if generator is not None and spikes is not None and monitor not in self._rates:
            times = self.data.frozen.get(f"{group}.spike_time", np.zeros(0))
            if generator.period > 0:
                return spikes.size * self.seconds / generator.period
            return float(np.count_nonzero(times < self.seconds))
        return self.rate(monitor, source, group) * self.neurons(monitor) * self.seconds

    # -- synapses ---------------------------------------------------------------

    def connections(self, pathway: str) -> Connections:
        """How the synapses of a pathway are connected."""
        if pathway not in self._connections:
            self._connections[pathway] = self._connect(pathway)
        return self._connections[pathway]

    def _connect(self, pathway: str) -> Connections:
        info = self.manifest.pathway_info[pathway]
        sources = self.data.frozen.get(info.sources, np.zeros(0, np.int32)).reshape(-1)
        mine = sources - info.first
        within = (mine >= 0) & (mine < info.size)
        counts = np.bincount(mine[within], minlength=info.size)
        stretches = int(np.count_nonzero(np.diff(sources))) + 1 if sources.size else 0
        active = int(np.count_nonzero(counts))
        steps = self._steps(info)
        if not sources.size:
            # A single delay counts nevertheless on the CPU
            return Connections(0, counts, int(steps.max(initial=0)) + 1, 0, 0, False)
        slots = int(steps.max(initial=0)) + 1
        if steps.size <= 1:
            delays, bundles = 1, active
        else:
            delays = int(np.count_nonzero(np.bincount(np.maximum(steps, 0))))
            pairs = mine[within].astype(np.int64) * slots + steps[within]
            bundles = _distinct(pairs, info.size * slots)
        return Connections(sources.size, counts, slots, delays, bundles, stretches > active)

    def _steps(self, info: PathwayInfo) -> np.ndarray:
        """Delays in time steps, as Brian rounds them."""
        delays = self.data.frozen.get(info.delay, np.zeros(0)).reshape(-1)
        if not info.dt > 0:
            return np.zeros(delays.shape, np.int64)
        return (delays / info.dt + 0.5).astype(np.int64)


def _distinct(values: np.ndarray, limit: int) -> int:
    """How many different ones there are of `values`, which are below `limit`."""
    if limit > 2**27:
        return int(np.unique(values).size)
    seen = np.zeros(limit, bool)
    seen[values] = True
    return int(np.count_nonzero(seen))
