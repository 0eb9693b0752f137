"""How much memory a session of a model is going to take, before one is opened."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from gpurun.calls import check_duration
from gpurun.errors import OverrideError, SessionError, UnknownVariableError
from gpurun.estimate_card import card_parts
from gpurun.estimate_facts import ASSUMED_RATE, Facts
from gpurun.estimate_host import host_parts
from gpurun.estimate_types import Correction, MemoryEstimate, Parts
from gpurun.model import Manifest, Model, register
from gpurun.values import check_dimensions, convert

__all__ = ["ASSUMED_RATE", "Correction", "MemoryEstimate", "Parts", "estimate"]

_HERTZ = (0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0)


def _rate(name: str, value: Any) -> float:
    check_dimensions(name, value, _HERTZ, "hertz", require_unit=False)
    rate = float(convert(name, value, np.dtype(float)).item())
    if rate < 0:
        raise OverrideError(
            f"The rate of '{name}' is {rate:g} Hz, and cannot be negative.", name=name
        )
    return rate


def _rates(manifest: Manifest, rates: Any) -> tuple[dict[str, float], float]:
    """Rates by name, and that of all others."""
    if rates is None:
        return {}, ASSUMED_RATE
    if not isinstance(rates, Mapping):
        return {}, _rate("rates", rates)
    sources = [info.source for info in manifest.pathway_info.values()]
    sources += manifest.monitor_sources.values()
    known = {*manifest.monitors, *manifest.pathways, *sources}
    known |= {source.partition("[")[0] for source in sources}
    for name in rates:
        if name not in known:
            raise UnknownVariableError(
                f"There is no group or monitor of spikes named {name!r}. Rates can be given for "
                f"{', '.join(sorted(known)) or 'none'}.",
                name=name,
                candidates=tuple(sorted(known)),
            )
    return {name: _rate(name, value) for name, value in rates.items()}, ASSUMED_RATE


def estimate(
    model: Model, duration: Any = None, snapshots: int = 0, *, rates: Any = None
) -> MemoryEstimate:
    """See `Model.memory`."""
    seconds = check_duration(model.manifest, duration, "run")
    if seconds is None:
        seconds = model.manifest.duration
    if not isinstance(snapshots, numbers.Integral) or snapshots < 0:
        raise SessionError(f"The number of snapshots is an integer from 0, not {snapshots!r}.")
    facts = Facts(model.manifest, model.data, seconds, *_rates(model.manifest, rates))
    arrays = (*model.data.static.values(), *model.data.frozen.values())
    return MemoryEstimate(
        host=host_parts(facts, int(snapshots), model.library.stat().st_size),
        card=card_parts(facts, int(snapshots)),
        backend=model.manifest.backend,
        duration=seconds,
        snapshots=int(snapshots),
        events={
            monitor: facts.events(monitor)
            for monitor in model.manifest.monitors
            if facts.is_of_events(monitor)
        },
        model=sum(array.nbytes for array in arrays) + sum(map(len, model.code.files.values())),
    )


register(memory=estimate)
