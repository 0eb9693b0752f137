"""BindsNET, which has no form of the image case that could be compared with the others."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from gpurun.bench.suite.case import Case
from gpurun.bench.suite.contender import Absent

#: Of case files with the network of Diehl & Cook.
IMAGES = "diehl_cook"
OTHER_MODEL = (
    "BindsNET is installed, but its neurons have no synaptic conductances: its DiehlAndCook2015 "
    "adds weights to the membrane potential. That is another model, and its results cannot agree "
    "with those of this case"
)


def bindsnet(case: Case, size: str, folder: Path) -> NoReturn:
    """Say why it takes no part.

    Raises
    ------
    Absent
        Always.
    """
    if find_spec("bindsnet") is None:
        raise Absent("BindsNET is not installed: pip install bindsnet")
    if not case.name.startswith(IMAGES):
        raise Absent("there is no BindsNET form of this case")
    raise Absent(OTHER_MODEL)


CONTENDERS: dict[str, Callable[[Case, str, Path], NoReturn]] = {"bindsnet": bindsnet}
