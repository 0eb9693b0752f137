"""How CUDA numbers the cards that NVML knows by UUID."""

from __future__ import annotations

import os
import subprocess
import sys

# Starting the driver on a sleeping machine with many cards takes a while (seconds).
_PATIENCE = 60

# Run by another process, because a process that has called cuInit cannot use CUDA in the
# processes it forks, and does not notice a later change of CUDA_VISIBLE_DEVICES. For a slice of
# a card the first version of cuDeviceGetUuid gives the card's own identity, as NVML does, and the
# second (CUDA 11.4) the slice's.
_LIST_CUDA = """\
import ctypes, sys
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError as error:
    sys.exit(f"libcuda.so.1 cannot be loaded ({error})")
count, device, uuid = ctypes.c_int(), ctypes.c_int(), (ctypes.c_ubyte * 16)()
status = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count))
if status == 100:
    sys.exit("CUDA sees no card")
if status:
    text = ctypes.c_char_p()
    cuda.cuGetErrorString(status, ctypes.byref(text))
    reason = (text.value or b"unknown").decode()
    sys.exit(f"the driver does not start CUDA (error {status}: {reason})")
for index in range(count.value):
    status, found = cuda.cuDeviceGet(ctypes.byref(device), index), []
    for name in ("cuDeviceGetUuid", "cuDeviceGetUuid_v2"):
        ask = getattr(cuda, name, None)
        known = not status and ask is not None and not ask(ctypes.byref(uuid), device)
        found.append(bytes(uuid).hex() if known else "-")
    print(*found)
"""


def _uuid(kind: str, digits: str) -> str | None:
    if len(digits) != 32:
        return None
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return kind + "-".join(parts)


def cuda_order() -> tuple[dict[str, int], str | None]:
    """Return CUDA's number of each card by its UUID, and why there are none.

    Slices of cards (MIG) are there, too, as ``MIG-...``; their card has the number of the first.
    Starts a process, which takes a second or more on a machine with many cards.
    """
    try:
        # Isolated: a script's own ctypes.py must not be imported.
        said = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LIST_CUDA],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, TypeError, subprocess.SubprocessError) as error:
        return {}, f"CUDA could not be asked for its cards ({error})"
    if said.returncode != 0:
        return {}, said.stderr.strip() or f"CUDA ended with status {said.returncode}"
    order: dict[str, int] = {}
    for index, line in enumerate(said.stdout.splitlines()):
        first, second, *_ = [*line.split(), "", ""]
        uuid = _uuid("GPU-", first)
        if uuid is None:
            continue
        # Slices of one card share its identity; the first is what a number reaches.
        order.setdefault(uuid, index)
        if second != first and (part := _uuid("MIG-", second)):
            order.setdefault(part, index)
    return order, None if order else "CUDA sees no card"


_known: dict[tuple[str | None, ...], dict[str, int]] = {}


def known_cuda_order() -> tuple[dict[str, int], str | None]:
    """As `cuda_order`, but asked once for each value of CUDA's variables of the environment."""
    names = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
    key = tuple(os.environ.get(name) for name in names)
    if key not in _known:  # two threads that come at once both ask, and learn the same
        order, problem = cuda_order()
        if problem is not None:
            return {}, problem
        _known[key] = order
    return dict(_known[key]), None
