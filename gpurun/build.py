"""From sources to a cached library and a Model."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gpurun import events
from gpurun.cache import Cache
from gpurun.errors import SeedError
from gpurun.instance import Instance
from gpurun.library import HOST_ONLY, Library
from gpurun.model import Code, Data, Manifest, Model, digest_arrays, register
from gpurun.toolchain import cpu_features, find_cxx, preprocess
from gpurun.toolchain_pieces import compile_pieces
from gpurun.values import check_seed

LIBRARY = "model.so"
_FROZEN = "frozen.npz"
_RANDOM_STATE = "random_state"

#: Libraries that this process has found or made, by key.
_libraries: dict[str, Path] = {}


def code_key(code: Code) -> str:
    """Key of the library of `code` for this machine's compilers, cards and (perhaps) CPU."""
    if code.cuda_units:
        # Here, because a model for the CPU shall not wait for NVML's module
        from gpurun.toolchain_nvcc import architectures, find_nvcc

        cuda = find_nvcc()
        context = [*cuda.identity, *architectures(cuda.toolkit)]
    else:
        compiler = find_cxx()
        context = [compiler.identity, *compiler.command]
    if any(
        flag.startswith(("-march=native", "-mcpu=native", "-mtune=native")) for flag in code.flags
    ):
        context.append(cpu_features())
    return code.digest(*context)


def _write_sources(code: Code, directory: Path) -> None:
    for name, text in code.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def fingerprint(code: Code, directory: Path) -> str:
    """Digest of the preprocessed units: what they include counts, wherever it lies."""
    _write_sources(code, directory)
    state = hashlib.blake2b(digest_size=20)
    for unit in code.units:
        text = preprocess(
            Path(unit),
            flags=code.flags,
            # Seen from `cwd`, so that the place does not matter, nor whether it is a relative path
            include_dirs=[".", *code.include_dirs],
            cwd=directory,
        )
        state.update(text)
    for unit in code.cuda_units:
        from gpurun.toolchain_nvcc import preprocess_cuda

        state.update(
            preprocess_cuda(
                Path(unit),
                flags=code.cuda_flags,
                host_flags=code.flags,
                include_dirs=[".", *code.include_dirs],
                cwd=directory,
            )
        )
    return state.hexdigest()


def _compile(code: Code, directory: Path) -> float:
    """Compile `code`, whose sources are in `directory`, into `LIBRARY` there."""
    # Relative, so that the key says all there is to say about the command
    include_dirs = [".", *code.include_dirs]
    if code.cuda_units:
        from gpurun.toolchain_nvcc import architectures, compile_cuda_shared, find_nvcc

        compiler = find_nvcc()
        return compile_cuda_shared(
            [Path(unit) for unit in (*code.units, *code.cuda_units)],
            Path(LIBRARY),
            flags=code.cuda_flags,
            host_flags=code.flags,
            link_flags=code.link_flags,
            architectures=architectures(compiler.toolkit),
            include_dirs=include_dirs,
            cwd=directory,
            compiler=compiler,
        )
    return compile_pieces(
        [Path(unit) for unit in code.units],
        Path(LIBRARY),
        light=[Path(unit) for unit in code.light_units],
        flags=list(code.flags),
        link_flags=list(code.link_flags),
        include_dirs=include_dirs,
        cwd=directory,
    )


def compile_code(code: Code, manifest: Manifest, key: str) -> tuple[Path, float]:
    """Return the library of `code` and the seconds spent compiling (0.0 from the cache).

    Raises
    ------
    BuildError, ToolchainError, CacheError
    """
    seconds = 0.0

    def make(directory: Path) -> None:
        nonlocal seconds
        _write_sources(code, directory)
        (directory / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
        seconds += _compile(code, directory)
        # Nobody shall find a library that cannot be loaded or is not this model's
        names = [info.name for info in manifest.variables]
        Library(directory / LIBRARY, names, device=HOST_ONLY)

    entry = Cache().build("code", key, make)
    return entry / LIBRARY, seconds


def _library_of(model: Model) -> Path:
    path = _libraries.get(model.key)
    if path is None or not path.exists():
        # The model may come from a machine with another compiler or processor
        path, _ = compile_code(model.code, model.manifest, code_key(model.code))
        _libraries[model.key] = path
    return path


def ready_library(code: Code, manifest: Manifest) -> str:
    """Compile (or find) the library of `code`, telling those who watch; returns its key.

    Raises
    ------
    BuildError, ToolchainError, CacheError
    """
    began = time.perf_counter()
    key = code_key(code)
    events.emit(events.BuildStarted(key))
    path, seconds = compile_code(code, manifest, key)
    _libraries[key] = path
    events.emit(
        events.BuildFinished(key, time.perf_counter() - began, seconds, cached=seconds == 0.0)
    )
    return key


def _load_frozen(entry: Path) -> tuple[dict[str, np.ndarray], bytes]:
    with np.load(entry / _FROZEN, allow_pickle=False) as stored:
        frozen = {name: stored[name] for name in stored.files if name != _RANDOM_STATE}
        return frozen, stored[_RANDOM_STATE].tobytes()


def _frozen_data(model: Model, static: Mapping[str, np.ndarray], seed: int | None) -> Data:
    """Run the set-up, or take its result from the cache where it is always the same."""
    manifest = model.manifest
    # Opaque set-up code may depend on anything, and runs at every opening anyway
    fixed = not manifest.setup_opaque and (not manifest.setup_random or seed is not None)
    stream_seed = secrets.randbits(32) if seed is None else seed
    if not fixed:
        return Instance.draw(model, dict(static), stream_seed)
    key = hashlib.blake2b(
        f"{model.key} {digest_arrays(static)} {seed}".encode(), digest_size=20
    ).hexdigest()

    drawn: list[Data] = []

    def make(directory: Path) -> None:
        data = Instance.draw(model, dict(static), stream_seed)
        drawn.append(data)
        np.savez(
            directory / _FROZEN,
            allow_pickle=False,
            **{_RANDOM_STATE: np.frombuffer(data.random_state, np.uint8)},
            **data.frozen,
        )

    entry = Cache().build("data", key, make)
    frozen, state = (drawn[-1].frozen, drawn[-1].random_state) if drawn else _load_frozen(entry)
    if not manifest.seeded and seed is None:
        # The set-up is the same every time, the noise of an unseeded script is not
        state = b"seed %d" % stream_seed
    return Data(dict(static), frozen, state)


def build_model(
    manifest: Manifest,
    code: Code,
    static: Mapping[str, np.ndarray],
    *,
    resolver: Any = None,
    seed: int | None = None,
) -> Model:
    """Compile (or find) the library, freeze the set-up, and return the Model.

    Parameters
    ----------
    manifest : Manifest
    code : Code
    static : mapping
        Static arrays by C name.
    resolver : object, optional
        See `Model`.
    seed : int, optional
        Start of the random stream for the set-up; fresh entropy if left out.

    Raises
    ------
    BuildError, ToolchainError, CacheError
    SimulationError
        The set-up code raised an error.
    """
    began = time.perf_counter()
    key = code_key(code)
    events.emit(events.BuildStarted(key))
    path, seconds = compile_code(code, manifest, key)
    _libraries[key] = path
    model = Model(manifest, code, Data(dict(static)), key, resolver)
    data = _frozen_data(model, static, seed)
    model = replace(model, data=data)
    events.emit(
        events.BuildFinished(key, time.perf_counter() - began, seconds, cached=seconds == 0.0)
    )
    return model


def _redraw(model: Model, seed: int) -> Model:
    if (checked := check_seed(seed)) is None:
        raise SeedError("redraw() needs an integer seed.", seed=seed)
    return replace(model, data=Instance.draw(model, dict(model.data.static), checked))


def export_sources(code: Code, directory: Path) -> None:
    """Write the sources of `code` into `directory` (for reading; builds do not use them)."""
    _write_sources(code, directory)


register(redraw=_redraw, library=_library_of)
