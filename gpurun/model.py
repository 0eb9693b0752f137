"""The Model: what a compiled Brian2 script is, without brian2.

A `Model` is immutable. It holds the **code** (the sources, and how to compile
them), the **data** (static arrays and the frozen set-up) and the **manifest**,
which describes every variable. It can be pickled and used in a process that has
no brian2; the library is compiled again there if the cache has no copy of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.errors import SessionError
from gpurun.estimate_types import MemoryEstimate

#: Raised whenever the C boundary or the manifest changes incompatibly.
ABI_VERSION = 4
MANIFEST_FORMAT = 2


@dataclass(frozen=True)
class VariableInfo:
    """One variable of the model.

    Attributes
    ----------
    name : str
        Unique name, ``"group.variable"``.
    c_name : str
        Name in the generated code.
    dtype : str
        NumPy dtype string, little-endian or native (``"float64"``, ``"bool"``, ...).
    kind : {"array", "dynamic", "dynamic2d", "static"}
        Fixed size; a vector; a matrix that grows by rows; input data.
    shape : tuple of int
        Shape at build time; for ``"static"`` the shape the user gave.
    dimensions : tuple of float
        Exponents of the seven SI base units.
    unit : str
        The SI unit in words, ``"1"`` if dimensionless.
    writable : bool
        Whether an override can set it.
    changes : bool
        Whether a run can change it (a superset).
    resizes : bool
        Whether a run can change its size.
    scalar : bool
        Whether it is shared by all elements of its group.
    role : str
        ``"state"``, ``"delay"``, ``"timed_array"``, ``"clock"``, ``"monitor"`` or ``"internal"``.
    """

    name: str
    c_name: str
    dtype: str
    kind: str
    shape: tuple[int, ...]
    dimensions: tuple[float, ...]
    unit: str
    writable: bool
    changes: bool
    resizes: bool
    scalar: bool
    role: str

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """`dtype` as NumPy's object."""
        return np.dtype(self.dtype)


@dataclass(frozen=True)
class SpikeGeneratorInfo:
    """A SpikeGeneratorGroup: size, time step (s), and the name of its clock."""

    size: int
    dt: float
    period: float


@dataclass(frozen=True)
class PoissonInputInfo:
    """A PoissonInput: N, time step (s), and the names of its two variables.

    `weight` is None when the weight is an expression and cannot be overridden.
    """

    n: int
    dt: float
    rate: float
    parameters: str
    weight: str | None


@dataclass(frozen=True)
class PathwayInfo:
    """A synaptic pathway: which spikes it sends where.

    Attributes
    ----------
    source : str
        The group whose spikes it sends, ``"group"`` or ``"group[10:20]"``.
    sources, delay : str
        Names of the variables with the source neuron of each synapse, and the delays.
    first, size : int
        The source neurons: the first, and how many.
    dt : float
        Their time step in seconds; nan if it varies.
    tracked : bool
        Whether a reset puts back only the synapses of neurons that spiked.
    """

    source: str
    sources: str
    delay: str
    first: int
    size: int
    dt: float
    tracked: bool


@dataclass(frozen=True)
class CardInfo:
    """What a CUDA model has in a card's memory, besides its pathways.

    Attributes
    ----------
    mirrored : tuple of str
        Variables that kernels use.
    events : tuple of int
        For each threshold, the number of neurons.
    sums : tuple of str
        For each summed variable, the variable with the target of each synapse.
    """

    mirrored: tuple[str, ...]
    events: tuple[int, ...]
    sums: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """Everything a Session has to know about a model. Durations in seconds.

    `backend` is ``"cpu"`` or ``"cuda"``.
    """

    backend: str
    brian2: str
    gpurun: str
    variables: tuple[VariableInfo, ...]
    aliases: Mapping[str, tuple[str, ...]]
    clocks: Mapping[str, float]
    monitors: Mapping[str, tuple[str, ...]]
    timed_arrays: Mapping[str, str]
    spike_generators: Mapping[str, SpikeGeneratorInfo]
    poisson_inputs: Mapping[str, PoissonInputInfo]
    constants: Mapping[str, str]
    durations: tuple[float, ...]
    threads: int
    setup_random: bool
    setup_opaque: bool
    seeded: bool
    tail_draws: bool
    run_random: bool
    static_state: tuple[str, ...]
    #: What the time loop computes and with which variables: the same on every backend, and
    #: after a rebuild.
    identity: str = ""
    #: Which random numbers it draws, "mersenne" or "philox".
    rng: str = "mersenne"
    #: Synaptic pathways, in the order of the boundary's numbers.
    pathways: tuple[str, ...] = ()
    #: The clocks of monitors that record in every one of their steps, by monitor.
    monitor_clocks: Mapping[str, str] = field(default_factory=dict)
    #: What monitors record from, by monitor: ``"group"``, or ``"group[10:20]"``.
    monitor_sources: Mapping[str, str] = field(default_factory=dict)
    #: Whether set-up code stands behind the last ``run()`` of the script.
    trailing: bool = False
    #: More about `pathways`, by name.
    pathway_info: Mapping[str, PathwayInfo] = field(default_factory=dict)
    #: None for the CPU.
    card: CardInfo | None = None
    format: int = MANIFEST_FORMAT
    abi: int = ABI_VERSION

    @property
    def duration(self) -> float:
        """Model time of the whole script in seconds."""
        return float(sum(self.durations))

    def to_json(self) -> str:
        """The manifest as JSON text, keys sorted."""
        return json.dumps(asdict(self), sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Inverse of `to_json`."""
        raw = json.loads(text)
        raw["variables"] = tuple(
            VariableInfo(
                **{
                    **entry,
                    "shape": tuple(entry["shape"]),
                    "dimensions": tuple(entry["dimensions"]),
                }
            )
            for entry in raw["variables"]
        )
        raw["spike_generators"] = {
            name: SpikeGeneratorInfo(**entry) for name, entry in raw["spike_generators"].items()
        }
        raw["poisson_inputs"] = {
            name: PoissonInputInfo(**entry) for name, entry in raw["poisson_inputs"].items()
        }
        raw["pathway_info"] = {
            name: PathwayInfo(**entry) for name, entry in raw["pathway_info"].items()
        }
        if raw["card"] is not None:
            raw["card"] = CardInfo(**{name: tuple(value) for name, value in raw["card"].items()})
        for name in ("aliases", "monitors"):
            raw[name] = {key: tuple(value) for key, value in raw[name].items()}
        for name in ("durations", "static_state", "pathways"):
            raw[name] = tuple(raw[name])
        return cls(**raw)


@dataclass(frozen=True)
class Code:
    """Sources and how to compile them.

    Attributes
    ----------
    files : mapping
        Relative file name -> text.
    units : tuple of str
        The files to hand to the C++ compiler.
    flags, link_flags, include_dirs : tuple of str
        For the C++ compiler.
    fingerprint : str
        Digest of the preprocessed unit where it includes files of the user, else "".
    cuda_units : tuple of str
        The files to hand to nvcc; empty in a model for the CPU. What cards they are compiled
        for is a matter of the machine.
    cuda_flags : tuple of str
        For nvcc itself.
    light_units : tuple of str
        Those of `units` that no time loop is in: they are optimised less, for a shorter build.
    """

    files: Mapping[str, str]
    units: tuple[str, ...]
    flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    include_dirs: tuple[str, ...]
    fingerprint: str = ""
    cuda_units: tuple[str, ...] = ()
    cuda_flags: tuple[str, ...] = ()
    light_units: tuple[str, ...] = ()

    def digest(self, *context: str) -> str:
        """Key of the compiled library: sources, flags and `context` (compilers, CPU, cards)."""
        state = hashlib.blake2b(digest_size=20)
        for part in (
            str(ABI_VERSION),
            *context,
            self.fingerprint,
            *self.flags,
            "--link",
            *self.link_flags,
            "--include",
            *self.include_dirs,
            "--units",
            *self.units,
            "--cuda",
            *self.cuda_units,
            *self.cuda_flags,
            "--light",
            *self.light_units,
        ):
            state.update(part.encode() + b"\0")
        for name in sorted(self.files):
            state.update(name.encode() + b"\0" + self.files[name].encode() + b"\0")
        return state.hexdigest()


def digest_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Digest of names, dtypes, shapes and bytes of `arrays`."""
    state = hashlib.blake2b(digest_size=20)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        state.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        state.update(array.view(np.uint8).reshape(-1).data if array.size else b"")
    return state.hexdigest()


@dataclass(frozen=True)
class Data:
    """Static arrays (by C name) and the frozen set-up.

    Attributes
    ----------
    static : mapping of str to ndarray
    frozen : mapping of str to ndarray or None
        Values of all other variables after set-up, by variable name.
    random_state : bytes
        State of the random number generators after set-up, or ``b"seed N"``.
    setup_state : bytes
        Their state before set-up, for models whose set-up code has to run at every opening.
    """

    static: Mapping[str, np.ndarray]
    frozen: Mapping[str, np.ndarray] = field(default_factory=dict)
    random_state: bytes = b""
    setup_state: bytes = b""

    def digest(self) -> str:
        """Digest of all of it."""
        state = hashlib.blake2b(digest_size=20)
        state.update(digest_arrays(self.static).encode())
        state.update(digest_arrays(self.frozen).encode())
        state.update(self.random_state)
        return state.hexdigest()


_session_factory: Callable[..., Any] | None = None
_redraw: Callable[[Model, int], Model] | None = None
_ensure_library: Callable[[Model], Path] | None = None
_estimate: Callable[..., MemoryEstimate] | None = None


def register(
    *,
    session: Callable[..., Any] | None = None,
    redraw: Callable[[Model, int], Model] | None = None,
    library: Callable[[Model], Path] | None = None,
    memory: Callable[..., MemoryEstimate] | None = None,
) -> None:
    """Let higher layers provide what `Model`'s methods do (imports go one way only)."""
    global _session_factory, _redraw, _ensure_library, _estimate
    _session_factory = session or _session_factory
    _redraw = redraw or _redraw
    _ensure_library = library or _ensure_library
    _estimate = memory or _estimate


@dataclass(frozen=True, eq=False)
class Model:
    """A compiled Brian2 script. Made by :func:`gpurun.build`.

    Attributes
    ----------
    manifest : Manifest
        Variables, clocks, monitors, durations.
    code : Code
        Sources and compiler flags.
    data : Data
        Static arrays and the frozen set-up.
    key : str
        Digest of the code: models with the same key share a library.
    resolver : object or None
        Finds variables for Brian objects (``syn.w``, monitors); None in a model that was
        unpickled, where only names work.
    """

    manifest: Manifest
    code: Code
    data: Data
    key: str
    resolver: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "index", {info.name: n for n, info in enumerate(self.manifest.variables)}
        )

    index: Mapping[str, int] = field(init=False, repr=False)

    @property
    def digest(self) -> str:
        """Digest of code and data: equal digests mean equal behaviour for equal seeds."""
        return hashlib.blake2b((self.key + self.data.digest()).encode(), digest_size=20).hexdigest()

    @property
    def library(self) -> Path:
        """Path of the compiled library, compiled again if the cache has lost it.

        Raises
        ------
        BuildError, ToolchainError
            It had to be compiled again and could not be.
        """
        if _ensure_library is None:
            raise SessionError("import gpurun before using a Model")
        return _ensure_library(self)

    def session(self, device: str | int = "auto", **options: Any) -> Any:
        """Open a :class:`~gpurun.session.Session` of this model.

        Parameters
        ----------
        device : str or int, optional
            ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or a card's number.
        **options
            See :class:`~gpurun.session.Session`.

        Raises
        ------
        ConfigError
            `device` is not understood.
        DeviceUnavailableError
            The device cannot be used.
        """
        if _session_factory is None:
            raise SessionError("import gpurun before using a Model")
        return _session_factory(self, device=device, **options)

    def memory(
        self, duration: Any = None, snapshots: int = 0, *, rates: Any = None
    ) -> MemoryEstimate:
        """Bytes that a session will take, by part, of the host's memory and of the card's.

        No session is opened, and no memory is taken for one.

        Parameters
        ----------
        duration : Quantity or float (s), optional
            Of a run whose monitors record in memory; the script's if left out. Zero for a
            session that is only opened.
        snapshots : int, optional
            How many `Session.store` is going to keep.
        rates : Quantity or float (Hz), or mapping of str to such, optional
            Spikes per second and neuron, of which the size of spike monitors and queues
            depends: one for all, or by the names of groups or monitors. 10 Hz where nothing
            is said, and for the monitor of a SpikeGeneratorGroup what it holds.

        Raises
        ------
        DurationError, UnitMismatchError
            As `Session.run`.
        UnknownVariableError, OverrideError
            `rates` names what does not exist, or has a rate that cannot be.
        BuildError, ToolchainError
            The library, whose size counts, had to be compiled again and could not be.
        """
        if _estimate is None:
            raise SessionError("import gpurun before using a Model")
        return _estimate(self, duration, snapshots, rates=rates)

    def redraw(self, seed: int) -> Model:
        """A sibling of this model with connectivity and initial values drawn anew.

        The set-up is run again from a random stream that starts with `seed`; a ``seed(n)``
        in the script still takes effect where it stands.

        Raises
        ------
        SeedError
            `seed` is not an integer in [0, 2**32).
        """
        if _redraw is None:
            raise SessionError("import gpurun before using a Model")
        return _redraw(self, seed)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "manifest": self.manifest.to_json(),
            "code": self.code,
            "data": self.data,
            "key": self.key,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        object.__setattr__(self, "manifest", Manifest.from_json(state["manifest"]))
        for name in ("code", "data", "key"):
            object.__setattr__(self, name, state[name])
        object.__setattr__(self, "resolver", None)
        self.__post_init__()

    def __repr__(self) -> str:
        return (
            f"<Model {self.key[:12]}: {len(self.manifest.variables)} variables, "
            f"{self.manifest.duration:g} s, backend {self.manifest.backend}>"
        )
