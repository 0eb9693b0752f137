"""Where stimuli are prepared and kept: in the host's memory, or a card's through CuPy."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gpurun.arrays import require_cupy
from gpurun.config import parse_device, settings
from gpurun.errors import DeviceUnavailableError, NotSupportedError

_told: set[str] = set()


def _tell_once(message: str) -> None:
    if message not in _told:
        _told.add(message)
        warnings.warn(message, RuntimeWarning, stacklevel=4)


def _card_fails(number: int) -> str | None:
    """Why CuPy cannot use a card, None if it can. ImportError where there is no CuPy."""
    import cupy  # pyright: ignore[reportMissingImports]

    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy's classes are not known without CuPy
        return str(error)
    if number < count:
        return None
    return f"there is no card with the number {number}" if count else "there is no card"


class Place:
    """The host's memory.

    Attributes
    ----------
    name : str
        ``"cpu"`` or ``"cuda:0"``.
    """

    name = "cpu"

    @staticmethod
    def choose(device: str | int) -> Place:
        """The place that `device` stands for.

        Parameters
        ----------
        device : str or int
            ``"cpu"``, ``"cuda"``, ``"cuda:1"``, the number of a card, or ``"auto"``: what
            ``gpurun --device`` or ``GPURUN_DEVICE`` says, else the first card that CuPy can
            use, else the CPU.

        Raises
        ------
        ConfigError
            `device` is not understood.
        DeviceUnavailableError
            A card was asked for by name and CuPy is missing or finds none.
        """
        spec = parse_device(device)
        asked = spec.kind != "auto"
        if not asked:
            spec = parse_device(settings().device)
        if spec.kind == "cpu":
            return Place()
        try:
            why = _card_fails(spec.index or 0)
        except ImportError as error:
            if not asked:
                return Place()
            why = f"CuPy cannot be imported ({error}); pip install cupy-cuda13x"
        if why is None:
            return Card(spec.index or 0)
        if asked:
            raise DeviceUnavailableError(
                f"Stimuli cannot be prepared on '{spec}': {why}. Use device='cpu'; a session on a "
                "card takes stimuli from there too.",
                device=str(spec),
            )
        _tell_once(
            f"CuPy is installed but cannot use a card ({why}); stimuli are prepared on the CPU."
        )
        return Place()

    @staticmethod
    def near(session_device: str) -> Place:
        """The best place for stimuli of a session on this device."""
        if session_device == "cpu":
            return Place()
        try:
            return Place.choose(session_device)
        except DeviceUnavailableError as error:
            _tell_once(f"{error.message} This is done now.")
            return Place()

    def hold(self, array: Any) -> Any:
        """`array` here, C-contiguous; not copied if it is so already."""
        if hasattr(array, "get") and hasattr(array, "__cuda_array_interface__"):
            array = array.get()
        return np.ascontiguousarray(array)

    def stage(self, images: Any) -> Any:
        """A batch of images, wherever they are, here."""
        return self.hold(images)

    def begin(self) -> Any:
        """Context in which batches are prepared."""
        return _Nothing()

    def release(self) -> None:
        """What is prepared from now on may take the memory of batches that were given back."""

    def budget(self) -> int:
        """Bytes that two batches and what is needed to prepare them may take."""
        return 128 * 2**20


class Card(Place):
    """The memory of one card.

    Batches are prepared in a stream of their own, from page-locked memory, so that copies and
    encoders run beside a simulation.

    Parameters
    ----------
    number : int
        CUDA's number of the card.
    """

    def __init__(self, number: int) -> None:
        try:
            self._cupy = require_cupy("Preparing stimuli on a card")
        except NotSupportedError as error:
            raise DeviceUnavailableError(error.message, device=f"cuda:{number}") from error
        self.name = f"cuda:{number}"
        self._device = self._cupy.cuda.Device(number)
        with self._device:
            self._stream = self._cupy.cuda.Stream(non_blocking=True)
        self._pinned: Any = None
        self._pinned_bytes = 0

    def hold(self, array: Any) -> Any:
        """`array` on the card, C-contiguous."""
        with self._device:
            return self._cupy.ascontiguousarray(self._cupy.asarray(array))

    def stage(self, images: Any) -> Any:
        """A batch of images on the card, through page-locked memory."""
        if not isinstance(images, np.ndarray):
            return self.hold(images)
        # An earlier copy may still read it
        self._stream.synchronize()
        staged = self._page_locked(images.nbytes)[: images.nbytes]
        staged = staged.view(images.dtype).reshape(images.shape)
        np.copyto(staged, images)
        there = self._cupy.empty(images.shape, images.dtype)
        there.set(staged, stream=self._stream)
        return there

    def _page_locked(self, size: int) -> np.ndarray:
        """Host memory from which a copy does not keep the host waiting."""
        if size > self._pinned_bytes:
            self._pinned = self._cupy.cuda.alloc_pinned_memory(size)
            self._pinned_bytes = size
        return np.frombuffer(self._pinned, np.uint8, count=self._pinned_bytes)

    def begin(self) -> Any:
        """Context in which batches are prepared, in a stream of their own."""
        return _OnStream(self._device, self._stream)

    def release(self) -> None:
        """What is prepared from now on may take the memory of batches that were given back."""
        # Memory that was given back goes to this stream's next batch, while another stream may
        # still be reading it
        with self._device:
            event = self._cupy.cuda.get_current_stream().record()
            self._stream.wait_event(event)

    def budget(self) -> int:
        """A part of the memory that is free now."""
        with self._device:
            free, _ = self._cupy.cuda.runtime.memGetInfo()
        return int(min(free // 4, 512 * 2**20))


class _Nothing:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class _OnStream:
    """CuPy works on this card and stream, and all is done when the context ends."""

    def __init__(self, device: Any, stream: Any) -> None:
        self._device, self._stream = device, stream

    def __enter__(self) -> None:
        self._device.__enter__()
        self._stream.__enter__()

    def __exit__(self, *error: object) -> None:
        try:
            self._stream.synchronize()
        finally:
            self._stream.__exit__(*error)
            self._device.__exit__(*error)
