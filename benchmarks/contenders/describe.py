"""What a case is, as JSON: ``python -m gpurun.bench_contenders.describe CASE SIZE``.

A process of its own, because the network is made for it, and Brian keeps its devices in globals.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import brian2

from .named import case_named


def describe(name: str, size: str) -> dict[str, Any]:
    """Title, source and parameters of a case, and how its results are compared."""
    case = case_named(name)
    # Nothing may be compiled for this
    brian2.prefs.codegen.target = "numpy"
    made = case.create(size)
    parameters = {
        key: value
        for key, value in case.sizes[size].items()
        if isinstance(value, (int, float, str, bool))
    }
    # Trains are compared as such, also where a case reads them
    trains = {f"{name}.{part}" for name in made.spikes for part in "it"}
    values = dict.fromkeys([*made.reads, *made.distributions])
    parameters |= {"steps": made.steps, "dt in ms": 1000 * made.dt}
    for key in ("neurons", "synapses"):
        if (count := getattr(made, key)) is not None:
            parameters[key] = count
    return {
        "title": case.title,
        "source": case.source,
        "deterministic": case.deterministic,
        "spikes": list(made.spikes),
        "values": [name for name in values if name not in trains],
        # JSON has no infinity
        "exact_for": made.exact_for if made.exact_for < made.duration else None,
        "dt": made.dt,
        "steps": made.steps,
        "parameters": parameters,
    }


if __name__ == "__main__":
    print(json.dumps(describe(*sys.argv[1:])))
