"""A model's identity: what its loop computes, apart from backend, compiler and random draws."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from gpurun.brian.codeobject import base_name
from gpurun.model import Manifest


def identity(manifest: Manifest, definitions: Mapping[str, str]) -> str:
    """Digest of the variables, clocks and constants, and of the code objects' abstract code.

    Durations do not count, nor does what only the set-up computes: its results are values.

    Parameters
    ----------
    manifest : Manifest
    definitions : mapping of str to str
        Abstract code by name of the code object.
    """
    variables = [
        (info.name, info.dtype, info.kind, info.dimensions)
        for info in manifest.variables
        if info.kind != "static" or info.role == "timed_array"
    ]
    clocks = {name: repr(dt) for name, dt in manifest.clocks.items()}
    # Each run() of a script has code objects of its own, with the same code
    codes = {f"{base_name(name)}: {code}" for name, code in definitions.items()}
    text = json.dumps(
        [sorted(variables), clocks, dict(manifest.constants), sorted(codes)], sort_keys=True
    )
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
