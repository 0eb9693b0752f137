"""Runs functions that build and run Brian2 models, in runtime mode and resident."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from brian2 import prefs, seed, start_scope
from brian2.devices import device_module

from gpurun import events
from gpurun.brian.plain.device import ResidentRuntimeDevice

#: What plain models run on: the CPU, or "cuda" (see tests/conftest.py).
BACKEND = os.environ.get("GPURUN_TEST_BACKEND", "cpu")
#: Quick to compile, and the same arithmetic in both ways.
FLAGS = ["-w", "-O0", "-ffp-contract=off"]


@contextmanager
def preferences() -> Iterator[None]:
    """NumPy as reference and for set-up code, and quick compiles."""
    before = prefs.codegen.target, prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.target, prefs.codegen.cpp.extra_compile_args_gcc = "numpy", FLAGS
    try:
        yield
    finally:
        prefs.codegen.target, prefs.codegen.cpp.extra_compile_args_gcc = before


@contextmanager
def resident(backend: str = BACKEND) -> Iterator[ResidentRuntimeDevice]:
    """Run plain Brian2 code resident meanwhile."""
    active = device_module.active_device
    device = ResidentRuntimeDevice(backend, backend)
    device_module.active_device = device
    device.activate()
    start_scope()
    try:
        with preferences():
            yield device
    finally:
        device.residents.close()
        device_module.active_device = active
        start_scope()


@contextmanager
def runtime() -> Iterator[None]:
    """Run it in Brian's runtime mode meanwhile."""
    # Whatever other tests have left behind
    active = device_module.active_device
    device_module.active_device = device_module.runtime_device
    clock: Any = device_module.runtime_device.defaultclock
    before = clock.dt
    start_scope()
    try:
        with preferences():
            yield
    finally:
        clock.dt = before
        device_module.active_device = active
        start_scope()


def in_both_ways(model: Callable[[], Any], backend: str = BACKEND) -> tuple[Any, Any]:
    """What `model` returns in runtime mode, and resident."""
    with runtime():
        seed(7)
        reference = model()
    with resident(backend):
        seed(7)
        return reference, model()


@contextmanager
def builds() -> Iterator[list[events.BuildFinished]]:
    """The builds that end meanwhile."""
    found: list[events.BuildFinished] = []

    def watch(event: events.Event) -> None:
        if isinstance(event, events.BuildFinished):
            found.append(event)

    end = events.subscribe(watch)
    try:
        yield found
    finally:
        end()
