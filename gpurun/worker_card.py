"""The environment of a process that is to see one card only, from before CUDA starts."""

from __future__ import annotations

import os
from collections.abc import Mapping

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def pinned(backend: str, number: int, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a worker on card `number` of this process.

    The worker sees that card as its first. It gets the card's UUID, which means the same card in
    every order; a number only where nobody knows the UUID.

    Parameters
    ----------
    backend : {"cpu", "cuda"}
        Without a card nothing is changed.
    number : int
        As CUDA counts in this process.
    environ : mapping, optional
        Instead of this process's own.

    Notes
    -----
    CUDA ignores an entry that does not exist and all that follow; a worker then finds no card,
    and says so.
    """
    environment = dict(os.environ if environ is None else environ)
    if backend == "cuda":
        environment[_VISIBLE] = _entry(number, environment.get(_VISIBLE))
    return environment


def _entry(number: int, visible: str | None) -> str:
    # Here, because a worker on the CPU shall not wait for NVML's module
    from gpurun import nvml

    uuid, _ = nvml.uuid_of(number)
    if uuid is not None:
        return uuid
    entries = [str(n) for n in range(number + 1)] if visible is None else visible.split(",")
    # A number that is not there must not become another card
    return entries[number].strip() if number < len(entries) else "-1"
