"""``python -m gpurun.bench.suite.readme``: puts the newest committed report into the documentation.

The README's figures, the page on benchmarks and its pictures say what the newest reports in
``benchmarks/results/suite`` say: the newest without a card, and the newest with one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpurun.bench.stats import Estimate
from gpurun.bench.suite import contender as names
from gpurun.bench.suite import figures, files
from gpurun.bench.suite.markdown import render
from gpurun.bench.suite.schema import MEASURED, Case, Contender, SuiteReport
from gpurun.bench.suite.summary import NEXT, first_result, is_own, measured, ratio
from gpurun.bench.suite.wording import factor, plain
from gpurun.bench.text import between, quantity, table
from gpurun.errors import ConfigError, GpurunError

README, PAGE = Path("README.md"), Path("docs", "benchmarks.md")
#: Folder of the pictures; each kind of report has one in it.
IMAGES = Path("docs", "images", "bench")
#: Drawn in it: text stays text, and files stay small.
FORMAT = "svg"
# What gpurun is made for, and the one network that all of Brian's papers measure.
_README_PICTURES = (
    ("diehl_cook_stdp", "stimuli"),
    ("diehl_cook_stdp", "parts"),
    ("cuba", "size"),
)
NOTHING = "Nothing has been measured yet: there is no report in `benchmarks/results/suite`."


@dataclass(frozen=True)
class Stored:
    """A committed report.

    Attributes
    ----------
    kind : str
        ``"cpu"`` or ``"card"``, which is also the name of its folder of pictures.
    path : Path
        Of its file, in the checkout.
    report : SuiteReport
    """

    kind: str
    path: Path
    report: SuiteReport

    @property
    def title(self) -> str:
        """A heading."""
        return "With a card" if self.kind == "card" else "Without a card"

    @property
    def source(self) -> str:
        """Where the figures are from, as the documentation says it."""
        return (files.FOLDER / self.path.name).as_posix()

    def pictures(self) -> dict[str, figures.Plan]:
        """What is drawn, by path in the checkout."""
        return {
            (IMAGES / self.kind / f"{one.name}.{FORMAT}").as_posix(): one
            for one in figures.plan(self.report)
        }


def stored(root: Path) -> list[Stored]:
    """The reports that the documentation of the checkout `root` shows."""
    found = []
    for kind, card in (("cpu", False), ("card", True)):
        newest = files.newest(root / files.FOLDER, card=card)
        if newest is not None:
            found.append(Stored(kind, *newest))
    return found


def figures_block(report: SuiteReport, source: str) -> str:
    """The README's figures: gpurun beside each of Brian's own contenders, whoever is faster.

    Parameters
    ----------
    report : SuiteReport
    source : str
        Name of the report's file.
    """
    # The first size of a case is the one that was asked for
    cases = list({case.name: case for case in reversed(report.cases)}.values())[::-1]
    rivals = {
        one.name: None
        for case in cases
        for one in measured(case)
        if not is_own(one) and one.name.startswith("brian2")
    }
    own = [(case, one) for case in cases for one in case.contenders if is_own(one)]
    own = [(case, one) for case, one in own if one.status == MEASURED]
    if not own:
        return f"No contender of gpurun was measured in `{source}`."
    following = [
        (_place(case, mine), _next(mine), *(_times(case, name, mine) for name in rivals))
        for case, mine in own
        if mine.values(NEXT, names.WALL)
    ]
    first = [
        (_place(case, mine), _first(mine), *(_first(_named(case, name)) for name in rivals))
        for case, mine in own
    ]
    machine, card = report.machine, report.card
    on = f"{machine.processor} with {machine.cores} cores"
    if card:
        on += f" and {', '.join(card.values())}"
    return "\n\n".join(
        (
            f"Measured on {report.created[:10]} by `{report.command}` on {plain(on)}; all "
            f"of it is in `docs/benchmarks.md` and `{source}`.",
            "**A stimulus after the first**: gpurun's median time, and how many times as long "
            "each of the others takes. Below 1, in bold, the other one is faster.",
            table(("Case", "gpurun", *rivals), following),
            "**The first result**: generating code, compiling, loading and one stimulus.",
            table(("Case", "gpurun", *rivals), first),
        )
    )


def _place(case: Case, mine: Contender) -> str:
    return f"{plain(case.title)}; {case.size}; `{mine.name}`"


def _named(case: Case, name: str) -> Contender | None:
    return next((one for one in case.contenders if one.name == name), None)


def _next(mine: Contender) -> str:
    return quantity(float(np.median(mine.values(NEXT, names.WALL))), "s")


def _times(case: Case, name: str, mine: Contender) -> str:
    other = _named(case, name)
    if other is None or other.status != MEASURED or not other.values(NEXT, names.WALL):
        return "" if other is None else other.status
    found = ratio(other.values(NEXT, names.WALL), mine.values(NEXT, names.WALL)).value
    return f"**{factor(found)}**" if found < 1 else factor(found)


def _first(one: Contender | None) -> str:
    whole: Estimate | None = None if one is None else first_result(one)
    if whole is not None:
        return quantity(whole.value, "s")
    return "" if one is None or one.status == MEASURED else one.status


def readme_text(text: str, reports: Sequence[Stored]) -> str:
    """`text` of the README with the figures of `reports`."""
    blocks = []
    for one in reports:
        blocks.append(figures_block(one.report, one.source))
        blocks += [
            f"![{plain(plan.caption)}]({path})"
            for path, plan in one.pictures().items()
            if (plan.case, plan.kind) in _README_PICTURES
        ]
    return between(text, "figures", "\n\n".join(blocks or [NOTHING]) + "\n")


def page_text(text: str, reports: Sequence[Stored]) -> str:
    """`text` of the page on benchmarks with the tables and pictures of `reports`."""
    blocks = []
    for one in reports:
        shown: dict[str, list[str]] = {}
        for path, plan in one.pictures().items():
            relative = Path(path).relative_to(PAGE.parent).as_posix()
            shown.setdefault(plan.case, []).append(f"![{plain(plan.caption)}]({relative})")
        blocks.append(f"**{one.title}**: `{one.source}`.\n\n{render(one.report, shown).strip()}")
    return between(text, "suite", "\n\n".join(blocks or [NOTHING]) + "\n")


def update(root: Path) -> list[Path]:
    """Write the README's figures, the page and its pictures from the newest reports.

    Returns
    -------
    list of Path
        What is different now, in the checkout.

    Raises
    ------
    ConfigError
        `root` is no checkout, a report cannot be read, or a page has no marks.
    NotSupportedError
        matplotlib is not installed.
    """
    for path in (README, PAGE):
        if not (root / path).is_file():
            raise ConfigError(f"{root} is no checkout of gpurun: it has no {path}.")
    reports = stored(root)
    changed = []
    for path, make in ((README, readme_text), (PAGE, page_text)):
        before = (root / path).read_text(encoding="utf-8")
        after = make(before, reports)
        if after != before:
            (root / path).write_text(after, encoding="utf-8")
            changed.append(path)
    return changed + _update_pictures(root, reports)


def _update_pictures(root: Path, reports: Sequence[Stored]) -> list[Path]:
    before = {path: path.read_bytes() for path in (root / IMAGES).glob(f"*/*.{FORMAT}")}
    after: set[Path] = set()
    for one in reports:
        folder = root / IMAGES / one.kind
        after.update(figures.draw(one.report, folder, formats=(FORMAT,), source=one.source))
    for path in before.keys() - after:
        path.unlink()
    changed = [path for path in after if before.get(path) != path.read_bytes()]
    return sorted(path.relative_to(root) for path in {*changed, *(before.keys() - after)})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 if something could not be read or written."""
    parser = argparse.ArgumentParser(
        prog="python -m gpurun.bench.suite.readme",
        description="Put the newest reports of 'gpurun bench' into the README and the docs.",
    )
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout")
    options = parser.parse_args(argv)
    try:
        for path in update(options.root):
            print(path)
    except GpurunError as error:
        print(f"gpurun.bench.suite.readme: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
