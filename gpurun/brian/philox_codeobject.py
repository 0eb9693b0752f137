"""The CPU's code objects of the time loop with ``rng="philox"``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from brian2.codegen.targets import codegen_targets

from gpurun.brian.codeobject import GpurunCPPCodeObject, base_name
from gpurun.brian.random_functions import draws_from_streams, register_random_functions
from gpurun.errors import BuildError, NotSupportedError

RNGS = ("mersenne", "philox")

# Code object numbers are 16 bits of the counter
_MOST_CODE_OBJECTS = 1 << 16
# Where brian2's templates turn to an element, or to what is done once for all
_ELEMENT = re.compile(r"^[ \t]*(?:const (?:size_t|int) |int )?_vectorisation_idx = ([^;]+);", re.M)
_ALL = "0xffffffffu"


class GpurunPhiloxCPPCodeObject(GpurunCPPCodeObject):
    """A code object that draws each element's random numbers from a stream of its own."""


codegen_targets.add(GpurunPhiloxCPPCodeObject)
register_random_functions(GpurunPhiloxCPPCodeObject, "static inline")


def loop_numbers(code_objects: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of the code objects of the time loop, the same on every backend.

    Parameters
    ----------
    code_objects : mapping
        All code objects of a device, by name.
    """
    found = [n for n, codeobj in code_objects.items() if draws_from_streams(type(codeobj))]
    # A code object of each run() goes on with the numbers of the one before
    names = sorted({base_name(name) for name in found})
    if len(names) > _MOST_CODE_OBJECTS:
        raise NotSupportedError(
            f"The model has {len(names)} code objects in its time loop; the random numbers can "
            f"tell {_MOST_CODE_OBJECTS} apart.",
            what="rng",
        )
    return {name: names.index(base_name(name)) for name in sorted(found)}


def with_elements(text: str, name: str, numbers: Mapping[str, int]) -> str:
    """The C++ `text` of code object `name`, saying at which element it is before it draws."""
    if name not in numbers or "own_stream()" not in text:
        return text

    def said(match: re.Match[str]) -> str:
        element = "(uint32_t)_idx" if match[1].strip() == "_idx" else _ALL
        return f"{match[0]} ::gpurun::begin_element({numbers[name]}u, {element});"

    text, found = _ELEMENT.subn(said, text)
    if not found:
        raise BuildError(
            f"The code of '{name}' draws random numbers, but gpurun cannot find where it turns to "
            "an element. The installed brian2 is not the version this gpurun was made for; install "
            "the pinned version, or use rng='mersenne'.",
            command=[],
            directory="",
            returncode=None,
            output=text,
        )
    return text


def numbered_units(generated: Mapping[str, str], code_objects: Mapping[str, Any]) -> dict[str, str]:
    """The `generated` files, with `with_elements` applied to those of the time loop."""
    numbers = loop_numbers(code_objects)
    return {
        file: with_elements(text, _name(file), numbers) if file.endswith(".cpp") else text
        for file, text in generated.items()
    }


def _name(file: str) -> str:
    return file.removeprefix("code_objects/").removesuffix(".cpp")


def element_headers() -> dict[str, str]:
    """The headers that such a model needs beyond the others, by file name."""
    found = {"philox.h": "gpurun.cuda_templates", "element_stream.h": "gpurun.cpp_templates"}
    return {
        name: resources.files(package).joinpath(name).read_text(encoding="utf-8")
        for name, package in found.items()
    }
