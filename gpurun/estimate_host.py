"""What a session takes of the host's memory: the CPU backend's all, and the host's half of CUDA's.

Sizes are those of ``cpp_templates/boundary.h``, of brian2's spike queue and of GNU's C library.
"""

from __future__ import annotations

import math

import numpy as np

from gpurun.estimate_facts import Connections, Facts
from gpurun.estimate_types import Parts
from gpurun.model import VariableInfo
from gpurun.monitor_memory import row_bytes

_PAGE = 4096
#: A `std::vector`: three pointers.
_VECTOR = 24
#: From here the C library gives memory in pages of its own.
_MAPPED = 2**17
#: A `RandomGenerator` of brian2's: MersenneTwister, a stored number and whether there is one.
_GENERATOR = 5016


def block(size: int) -> int:
    """Bytes that memory for `size` bytes takes."""
    if size == 0:
        return 0
    if size < _MAPPED:
        return max(32, (size + 8 + 15) // 16 * 16)
    return (size + 16 + _PAGE - 1) // _PAGE * _PAGE


def pushed(count: float, itemsize: int) -> int:
    """Bytes of a vector that has grown element by element, of which it fills whole pages."""
    elements = math.ceil(count)
    if elements == 0:
        return 0
    room = (1 << (elements - 1).bit_length()) * itemsize
    return block(room) if room <= _PAGE else block(-(-elements * itemsize // _PAGE) * _PAGE)


def _pushed_each(counts: np.ndarray, itemsize: int) -> int:
    """Sum of `pushed` over many vectors."""
    sizes, times = np.unique(counts, return_counts=True)
    return sum(pushed(int(size), itemsize) * int(n) for size, n in zip(sizes, times, strict=True))


def _matrix_rows(rows: int) -> int:
    """Rows for which brian2's DynamicArray2D has room: each time one more than twice as many."""
    return (1 << rows.bit_length()) - 1


def _copy(facts: Facts, info: VariableInfo) -> int:
    """Bytes of a copy in host memory."""
    return block(info.numpy_dtype.itemsize if facts.is_uniform(info) else facts.size(info))


# -- spike queues -------------------------------------------------------------


def _waiting(facts: Facts, pathway: str, connections: Connections) -> float:
    """Synapses in the fullest list of a queue, after a while."""
    if facts.seconds == 0 or not connections.synapses:
        return 0.0
    info = facts.manifest.pathway_info[pathway]
    rate = facts.rate(pathway, info.source, info.source.partition("[")[0])
    if not (info.dt > 0 and rate > 0):
        return 0.0
    fan_out = connections.synapses / max(info.size, 1)
    # With one delay for all, the synapses of a neuron come together
    together = fan_out if connections.delays <= 1 else 1.0
    mean = rate * info.dt * connections.synapses / together
    # Lists keep the room for the most that they have held
    return min((mean + 3 * math.sqrt(mean) + 1) * together, connections.synapses)


def _queue(facts: Facts, pathway: str) -> int:
    info = facts.manifest.pathway_info[pathway]
    connections = facts.connections(pathway)
    threads = max(facts.manifest.threads, 1)
    delays = facts.elements(facts.infos[info.delay])
    waiting = _waiting(facts, pathway, connections)
    size = block(4 * delays)
    # In each queue a list of the synapses of every neuron, and one for each step ahead
    size += threads * (block(_VECTOR * info.size) + block(_VECTOR * connections.slots))
    # A thread has its share of the synapses, which may be a part of each neuron's
    size += _pushed_each(connections.counts, 4)
    size += (connections.slots + 1) * pushed(waiting, 4)
    return size + block(info.size) + pushed(info.size if facts.seconds else 0, 4)


def _touched(facts: Facts) -> int:
    """The list by which a reset puts back the synapses of neurons that spiked."""
    by_synapses: dict[str, list[str]] = {}
    for name, info in facts.manifest.pathway_info.items():
        if info.tracked:
            by_synapses.setdefault(info.sources.rpartition(".")[0], []).append(name)
    total = 0
    for names in by_synapses.values():
        untouched = 1.0
        for name in names:
            if facts.connections(name).scattered:
                info = facts.manifest.pathway_info[name]
                rate = facts.rate(name, info.source, info.source.partition("[")[0])
                untouched *= math.exp(-rate * facts.seconds)
        total += pushed((1 - untouched) * facts.connections(names[0]).synapses, 8)
    return total


def _flight(facts: Facts) -> int:
    """Copies of the spikes under way, as in a snapshot."""
    total = 0
    for name in facts.manifest.pathway_info:
        connections = facts.connections(name)
        total += block(_VECTOR * connections.slots)
        total += connections.slots * block(4 * math.ceil(_waiting(facts, name, connections)))
    return total


# -- monitors -----------------------------------------------------------------


def _recorded(facts: Facts, *, exactly: bool) -> int:
    """What monitors record; `exactly`: they are copied once, and do not grow by steps."""
    total = 0
    for monitor, infos in facts.records.items():
        rows = facts.events(monitor) if facts.is_of_events(monitor) else facts.rows(monitor)
        if exactly:
            total += math.ceil(rows) * row_bytes(facts.manifest, monitor)
            continue
        for info in infos:
            itemsize = info.numpy_dtype.itemsize
            if info.kind == "dynamic2d":
                total += block(_matrix_rows(math.ceil(rows)) * info.shape[1] * itemsize)
            else:
                total += pushed(rows, itemsize)
    return total


# -- all ----------------------------------------------------------------------


def host_parts(facts: Facts, snapshots: int, code: int) -> Parts:
    """What a session takes of the host's memory.

    Parameters
    ----------
    facts : Facts
    snapshots : int
    code : int
        Bytes of the library.
    """
    cuda = facts.manifest.card is not None
    synaptic = sum(block(facts.size(v)) for v in facts.fixed() if facts.is_synaptic(v))
    others = sum(block(facts.size(v)) for v in facts.fixed() if not facts.is_synaptic(v))
    elsewhere = set(facts.manifest.card.mirrored) if facts.manifest.card else set()
    # The host counts its steps itself
    kept = [v for v in facts.changing() if v.name not in elsewhere or v.role == "clock"]
    spaces = [v for v in facts.event_spaces() if v.name not in elsewhere]
    ends = sum(block(facts.size(v)) for v in spaces) if facts.seconds else 0
    baseline = sum(_copy(facts, v) for v in kept) + ends
    snapshot = sum(block(facts.size(v)) for v in kept) + ends
    recorded = _recorded(facts, exactly=cuda)
    generators = max(facts.manifest.threads, 1) * _GENERATOR
    if not cuda:
        baseline += _touched(facts)
        snapshot += _flight(facts) + _recorded(facts, exactly=True)
    written = [
        facts.size(v)
        for v in facts.fixed()
        if v.name in elsewhere and v.role != "clock" and v.kind != "dynamic2d"
    ]
    return Parts(
        arrays=others,
        synapses=synaptic,
        queues=0 if cuda else sum(_queue(facts, name) for name in facts.manifest.pathway_info),
        baseline=baseline,
        snapshots=snapshots * (snapshot + generators),
        random=generators,
        monitors=recorded,
        staging=block(max(written, default=0)),
        code=code,
    )
