"""What keeps a checkpoint from being loaded into a model, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpurun.checkpoint_header import Checkpoint, CheckpointHeader, StoredVariable
from gpurun.errors import CheckpointError
from gpurun.model import Manifest, VariableInfo
from gpurun.values import dimension_text

_MOST = 8  # differences that a message lists


@dataclass(frozen=True)
class Difference:
    """One thing that a checkpoint and a model do not have in common.

    Attributes
    ----------
    what : str
        ``"missing"`` (a variable that only the model has), ``"unknown"`` (one that only the file
        has), ``"dtype"``, ``"kind"``, ``"shape"``, ``"unit"``, ``"clock"``, ``"constant"`` or
        ``"identity"``.
    name : str
        Of the variable, clock or constant; empty for the identity.
    saved, expected : object
        What the file has, and what the model has; None for nothing.
    """

    what: str
    name: str
    saved: Any
    expected: Any

    def __str__(self) -> str:
        if self.what == "missing":
            return f"the file has no variable '{self.name}'"
        if self.what == "unknown":
            return f"the model has no variable '{self.name}'"
        if self.what == "identity":
            return "the model is defined in another way (its equations, functions or objects)"
        if self.what in ("clock", "constant"):
            saved, expected = (
                f"is not there {where}" if value is None else f"is {value} {where}"
                for value, where in (
                    (self.saved, "in the file"),
                    (self.expected, "in the model"),
                )
            )
            return f"the {self.what} '{self.name}' {saved} and {expected}"
        return (
            f"'{self.name}': the {self.what} is {self.saved} in the file and {self.expected} "
            "in the model"
        )


def differences(checkpoint: Checkpoint | CheckpointHeader, manifest: Manifest) -> list[Difference]:
    """List all differences; an empty list means that the checkpoint fits.

    The sizes of vectors that grow, or whose size the set-up code decides, are not compared: they
    are part of the state. Nor is the backend.

    Parameters
    ----------
    checkpoint : Checkpoint or CheckpointHeader
    manifest : Manifest
    """
    header = checkpoint.header if isinstance(checkpoint, Checkpoint) else checkpoint
    found: list[Difference] = []
    expected = {info.name: info for info in manifest.variables}
    for name, info in expected.items():
        stored = header.variables.get(name)
        if stored is None:
            # A static array is in the file only if an override has changed it
            if info.kind == "static":
                continue
            found.append(Difference("missing", name, None, info.dtype))
        else:
            found.extend(_compare(name, stored, info))
    for name, stored in header.variables.items():
        if name not in expected:
            found.append(Difference("unknown", name, stored.dtype, None))
    found.extend(_entries("clock", header.clocks, manifest.clocks))
    found.extend(_entries("constant", header.constants, manifest.constants))
    if header.identity != manifest.identity:
        found.append(Difference("identity", "", header.identity, manifest.identity))
    return found


def _compare(name: str, stored: StoredVariable, info: VariableInfo) -> Iterator[Difference]:
    if stored.dtype != info.numpy_dtype.name:
        yield Difference("dtype", name, stored.dtype, info.numpy_dtype.name)
    if stored.kind != info.kind:
        yield Difference("kind", name, stored.kind, info.kind)
    elif not _shapes_agree(stored.shape, info):
        yield Difference("shape", name, stored.shape, info.shape)
    if stored.dimensions != info.dimensions:
        yield Difference("unit", name, _unit(stored.dimensions), _unit(info.dimensions))


def _shapes_agree(shape: tuple[int, ...], info: VariableInfo) -> bool:
    if info.kind == "array":
        return shape == info.shape
    # Rows are recorded steps, columns are recorded neurons
    return len(shape) == len(info.shape) and shape[1:] == info.shape[1:]


def _unit(dimensions: Sequence[float]) -> str:
    return dimension_text(dimensions) if dimensions else "not known"


def _entries(
    what: str, saved: Mapping[str, Any], expected: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in sorted({*saved, *expected}):
        pair = saved.get(name), expected.get(name)
        # The time step of a clock without one is nan
        if pair[0] != pair[1] and str(pair[0]) != str(pair[1]):
            yield Difference(what, name, *pair)


def other_model(
    checkpoint: Checkpoint | CheckpointHeader, found: Sequence[Difference]
) -> CheckpointError:
    """Make the error that says what differs.

    Parameters
    ----------
    checkpoint : Checkpoint or CheckpointHeader
    found : sequence of Difference
        From `differences`; at least one.
    """
    header = checkpoint.header if isinstance(checkpoint, Checkpoint) else checkpoint
    lines = [f"  {difference}" for difference in found[:_MOST]]
    if len(found) > _MOST:
        lines.append(f"  and {len(found) - _MOST} more")
    return CheckpointError(
        "\n".join(
            [
                f"The checkpoint {header.path} was saved by another model:",
                *lines,
                "Nothing was taken from it. load(path, only=[...]) takes over variables that are "
                "the same in both.",
            ]
        ),
        path=header.path,
        reason="other_model",
        differences=tuple(found),
    )
