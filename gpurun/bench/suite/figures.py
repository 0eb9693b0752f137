"""Which figures a report of the suite has, and their files.

Drawing needs matplotlib; to know what there is to be drawn does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpurun.bench.suite import contender as names
from gpurun.bench.suite.schema import Case, SuiteReport
from gpurun.bench.suite.summary import NEXT, curve, first_result, measured, points, seconds_each
from gpurun.errors import ConfigError, NotSupportedError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Files of each figure.
FORMATS = ("png", "svg")
_DPI = 110
# Of the identifiers in an SVG, which are random otherwise
_SALT = "gpurun bench"


@dataclass(frozen=True)
class Plan:
    """One figure.

    Attributes
    ----------
    case, kind : str
        Of the name; kinds are the keys of :data:`CAPTIONS`.
    sizes : list of Case
        The case at the size that is shown; for the kind ``"size"`` at all that are comparable.
    """

    case: str
    kind: str
    sizes: list[Case]

    @property
    def name(self) -> str:
        """Name of its files, without the ending."""
        return f"{self.case}-{self.kind}"

    @property
    def heading(self) -> str:
        """The case, and the size if there is but one."""
        shown = self.sizes[0]
        return shown.title if self.kind == "size" else f"{shown.title} ({shown.size})"

    @property
    def caption(self) -> str:
        """What is shown, in words."""
        return f"{self.heading}: {CAPTIONS[self.kind]}"


CAPTIONS = {
    "parts": "where the time of a stimulus goes",
    "stimuli": "time until so many stimuli are done, with all that comes before the first",
    "size": "time of a stimulus over the size of the network",
    "steps": "time of the time loop over the number of its steps",
    "replicas": "stimuli per second over how many are presented at a time",
}


def plan(report: SuiteReport) -> list[Plan]:
    """The figures that the report has values for, in order.

    Those of one size show the first one that the report has of a case: that was asked for, the
    others make its scaling curve.
    """
    plans = []
    for name in dict.fromkeys(case.name for case in report.cases):
        sizes = [case for case in report.cases if case.name == name]
        plans += [Plan(name, kind, sizes[:1]) for kind, has in _HAS.items() if has(sizes[0])]
        if comparable := scaling(sizes)[1]:
            plans.append(Plan(name, "size", comparable))
    return plans


def _has_parts(case: Case) -> bool:
    return any(one.values(NEXT, names.WALL) for one in measured(case))


def _has_stimuli(case: Case) -> bool:
    return any(one.values(NEXT, names.WALL) and first_result(one) for one in measured(case))


def _has_steps(case: Case) -> bool:
    found = (curve(one, "steps") for one in measured(case))
    return any(one is not None and len(points(one)) > 1 for one in found)


def _has_replicas(case: Case) -> bool:
    return any(len(seconds_each(one)) > 1 for one in measured(case))


_HAS: dict[str, Callable[[Case], bool]] = {
    "parts": _has_parts,
    "stimuli": _has_stimuli,
    "steps": _has_steps,
    "replicas": _has_replicas,
}


def scaling(sizes: Sequence[Case]) -> tuple[str, list[Case]]:
    """The parameter that a scaling curve is over, and the sizes on it, smallest first.

    Networks of different sizes are comparable if they run for as many steps. If there are no two of
    these, one network is, run for different numbers of steps. Else there is nothing.
    """
    shown = [case for case in sizes if _has_parts(case)]
    for name, equal in (("neurons", "steps"), ("synapses", "steps"), ("steps", "neurons")):
        groups: dict[object, dict[float, Case]] = {}
        for case in shown:
            at, same = case.parameters.get(name), case.parameters.get(equal)
            if same is not None and isinstance(at, int | float) and at > 0:
                groups.setdefault(same, {}).setdefault(at, case)
        most = max(groups.values(), key=len, default={})
        if len(most) > 1:
            return name, [most[at] for at in sorted(most)]
    return "", []


def draw(
    report: SuiteReport,
    directory: Path,
    *,
    formats: Sequence[str] = FORMATS,
    source: str = "",
) -> list[Path]:
    """Draw all figures of a report; the same report gives the same files.

    Parameters
    ----------
    report : SuiteReport
    directory : Path
        Made if it is not there. Files are called ``CASE-KIND.png`` and ``CASE-KIND.svg``.
    formats : sequence of str
        Some of :data:`FORMATS`.
    source : str
        Where the values are from, such as the report's file name; it is kept in the files.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    NotSupportedError
        matplotlib is not installed.
    ConfigError
        A file cannot be written, or a format is not known.
    """
    for one in formats:
        if one not in FORMATS:
            raise ConfigError(f"Figures cannot be drawn as {one!r}: expected {list(FORMATS)}.")
    matplotlib, panels = _require()
    written = []
    with matplotlib.rc_context():
        # Whatever the user's own settings are
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {"svg.hashsalt": _SALT, "svg.fonttype": "none", "font.size": 9, "axes.titlesize": 10}
        )
        for one in plan(report):
            figure = panels.draw(report, one)
            written += [
                _save(figure, directory / f"{one.name}.{ending}", source) for ending in formats
            ]
    return written


def _save(figure: Figure, path: Path, source: str) -> Path:
    # No versions and no dates, so that files only change with what they show
    metadata: dict[str, Any] = {"Source": source} if source else {}
    if path.suffix == ".svg":
        metadata |= {"Date": None, "Creator": None}
    else:
        metadata |= {"Software": None}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=_DPI, metadata=metadata)
    except OSError as error:
        raise ConfigError(
            f"'{path}' cannot be written ({error.strerror or error}).",
            name="output",
            value=str(path),
        ) from error
    return path


def _require() -> tuple[Any, Any]:
    try:
        import matplotlib

        from gpurun.bench.suite import panels
    except ImportError as error:
        raise NotSupportedError(
            f"The figures need matplotlib, which cannot be imported ({error}). Install it with "
            "pip install 'gpurun[bench]', or pip install matplotlib.",
            what="matplotlib",
        ) from error
    return matplotlib, panels
