"""What a session takes of a card's memory. Sizes are those of ``cuda_templates/device.h``."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gpurun.estimate_facts import Facts
from gpurun.estimate_types import Parts
from gpurun.model import VariableInfo

#: Memory is given in multiples of this.
_GRAIN = 512
#: Threads of a block, in all kernels.
_BLOCK = 256
#: The most further events for which a monitor makes room at once.
_FURTHER = 2**22
#: CUDA's context: code and buffers of the driver. No card was there to measure it; bare contexts
#: of present drivers take from 250 to 550 MiB, depending on the card.
CONTEXT = 450 * 2**20


def block(size: int) -> int:
    """Bytes that memory for `size` bytes takes."""
    return -(-size // _GRAIN) * _GRAIN


def _mirror(facts: Facts, info: VariableInfo) -> int:
    return block(max(facts.size(info), info.numpy_dtype.itemsize))


def ring_bytes(slots: int, sources: int) -> int:
    """Past spikes of a pathway."""
    return 4 * slots * (sources + 1)


def _pathway(facts: Facts, name: str) -> int:
    connections, size = facts.connections(name), facts.manifest.pathway_info[name].size
    slots = connections.slots if connections.synapses else 1
    mine = int(connections.counts.sum())
    int32s = (size + 1, connections.bundles, connections.bundles + 1, mine, connections.delays)
    return (
        sum(block(4 * max(count, 1)) for count in int32s)
        + block(ring_bytes(slots, size))
        + block(8)
    )


def _flight(facts: Facts) -> int:
    """Copies of the spikes under way, as in a snapshot."""
    return sum(
        block(ring_bytes(facts.connections(name).slots, info.size) + 8)
        for name, info in facts.manifest.pathway_info.items()
    )


def _sums(facts: Facts, names: Iterable[str]) -> int:
    """For summed variables: the synapses of each target."""
    total = 0
    for name in names:
        synapses = facts.infos[name]
        targets = facts.infos.get(f"{name.rpartition('.')[0]}.N_incoming")
        total += block(facts.size(synapses))
        total += block(4 * (facts.elements(targets) + 1)) if targets else 0
    return total


def room(events: float, neurons: int) -> int:
    """Events for which a monitor of that many neurons has room after so many `events`."""
    further = max(neurons, min(64 * neurons, _FURTHER))
    if further <= neurons:
        # Room for all of them at once, whatever there is already
        return math.ceil(events) + neurons
    found, reached = further, further - neurons
    while events > reached:
        found = max(2 * reached, reached + further)
        reached = found - neurons
    return found


def _monitors(facts: Facts, *, exactly: bool) -> int:
    total = 0
    for monitor, infos in facts.records.items():
        if facts.is_of_events(monitor):
            neurons = facts.neurons(monitor)
            rows = facts.events(monitor)
            rows = math.ceil(rows) if exactly else room(rows, neurons) if facts.seconds else 0
        else:
            rows = facts.rows(monitor)
            # Twice as many each time, beginning with 64
            rows = rows if exactly else max(64, 1 << (rows - 1).bit_length()) if rows else 0
        for info in infos:
            columns = info.shape[1] if info.kind == "dynamic2d" else 1
            itemsize = info.numpy_dtype.itemsize
            total += block(max(rows * columns * itemsize, 0 if exactly else itemsize))
    return total


def card_parts(facts: Facts, snapshots: int) -> Parts:
    """What a session takes of a card's memory.

    Parameters
    ----------
    facts : Facts
        Of a model for CUDA.
    snapshots : int
    """
    card = facts.manifest.card
    if card is None:
        return Parts()
    mirrored = set(card.mirrored)
    fixed = [v for v in facts.fixed() if v.name in mirrored]
    kept = [v for v in facts.changing() if v.name in mirrored and v.role != "clock"]
    ends = [v for v in facts.event_spaces() if v.name in mirrored] if facts.seconds else []
    copies = sum(block(facts.size(v)) for v in (*kept, *ends))
    events = sum(
        block(4 * _BLOCK * blocks) + block(4 * blocks)
        for blocks in (-(-neurons // _BLOCK) for neurons in card.events)
    )
    snapshot = copies + _flight(facts) + _monitors(facts, exactly=True)
    return Parts(
        arrays=sum(_mirror(facts, v) for v in fixed if not facts.is_synaptic(v))
        + (events if facts.seconds else 0),
        synapses=sum(_mirror(facts, v) for v in fixed if facts.is_synaptic(v))
        + _sums(facts, card.sums),
        queues=sum(_pathway(facts, name) for name in facts.manifest.pathway_info),
        baseline=copies,
        snapshots=snapshots * snapshot,
        monitors=_monitors(facts, exactly=False),
        context=CONTEXT,
    )
