"""The README, the page on benchmarks and its pictures say what the committed reports say."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from gpurun.bench.suite import case as cases
from gpurun.bench.suite import contender as names
from gpurun.bench.suite import files
from gpurun.bench.suite.readme import (
    FORMAT,
    IMAGES,
    NOTHING,
    PAGE,
    README,
    figures_block,
    main,
    page_text,
    readme_text,
    stored,
    update,
)
from gpurun.bench.suite.schema import Contender, Measure, SuiteReport
from gpurun.bench.text import between
from gpurun.errors import ConfigError
from tests.unit.bench_suite_reports import case, make, missing
from tests.unit.test_bench_suite_markdown import rows

ROOT = Path(__file__).parents[2]
ADVICE = "run `gpurun bench --update-docs`"


# -- what is committed ---------------------------------------------------------------


def test_the_readme_says_what_the_committed_reports_say() -> None:
    text = (ROOT / README).read_text(encoding="utf-8")
    assert readme_text(text, stored(ROOT)) == text, ADVICE


def test_the_page_says_what_the_committed_reports_say() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert page_text(text, stored(ROOT)) == text, ADVICE


def test_the_pictures_are_those_of_the_committed_reports() -> None:
    wanted = {path: one.source for one in stored(ROOT) for path in one.pictures()}
    found = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / IMAGES).rglob("*.*")}
    assert found.keys() == wanted.keys(), ADVICE
    for name, path in found.items():
        content = path.read_text(encoding="utf-8")
        assert f"<dc:source>{wanted[name]}</dc:source>" in content, f"{name}: {ADVICE}"
        assert len(content) < 100_000


def test_the_page_describes_every_case() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    described = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
    assert sorted(set(described) & set(cases.names())) == cases.names()


# -- how it is made ------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / PAGE).parent.mkdir()
    for path, mark in ((README, "figures"), (PAGE, "suite")):
        text = f"before\n<!-- begin {mark} -->\nold\n<!-- end {mark} -->\nafter\n"
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def keep(root: Path, report: SuiteReport) -> Path:
    return files.write(report, root / files.FOLDER)


def pictures(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in (root / IMAGES).rglob("*.*")}


def test_without_a_report_it_says_that_nothing_was_measured(checkout: Path) -> None:
    assert update(checkout) == [README, PAGE]
    keep(checkout, make(quick=True))
    assert update(checkout) == []
    for path in (README, PAGE):
        text = (checkout / path).read_text(encoding="utf-8")
        assert NOTHING in text and "old" not in text
        assert text.startswith("before\n") and text.endswith("after\n")


def test_update_writes_text_and_pictures_and_then_nothing_more(checkout: Path) -> None:
    path = keep(checkout, make(cases=make().cases[2:]))
    changed = update(checkout)
    assert changed[:2] == [README, PAGE]
    wanted = {
        f"docs/images/bench/cpu/beta-{kind}.{FORMAT}"
        for kind in ("parts", "stimuli", "steps", "replicas")
    }
    assert pictures(checkout) == {one.as_posix() for one in changed[2:]} == wanted
    page = (checkout / PAGE).read_text(encoding="utf-8")
    assert f"benchmarks/results/suite/{path.name}" in page
    assert "### The beta network (full)" in page
    assert "](images/bench/cpu/beta-parts.svg)" in page
    assert update(checkout) == []


def test_pictures_that_no_report_names_any_more_are_removed(checkout: Path) -> None:
    keep(checkout, make(cases=make().cases[2:]))
    update(checkout)
    later = "2026-11-29T00:00:00+00:00"
    absent = case("beta", "full", [missing("gpurun-cpu", "absent", "")])
    keep(checkout, make(created=later, cases=[absent]))
    assert len(update(checkout)) == 2 + 4
    assert pictures(checkout) == set()


def test_reports_with_and_without_a_card_stand_side_by_side(checkout: Path) -> None:
    old = "2026-11-01T00:00:00+00:00"
    keep(checkout, make(created=old, card={"name": "H100"}, cases=make().cases[2:]))
    keep(checkout, make(cases=make().cases[2:]))
    assert [one.kind for one in stored(checkout)] == ["cpu", "card"]
    update(checkout)
    page = (checkout / PAGE).read_text(encoding="utf-8")
    assert page.index("**Without a card**") < page.index("**With a card**")
    assert "H100" in (checkout / README).read_text(encoding="utf-8")
    assert {one.split("/")[3] for one in pictures(checkout)} == {"cpu", "card"}


def test_the_readme_shows_pictures_of_chosen_cases_only(checkout: Path) -> None:
    keep(checkout, make(cases=[dataclasses.replace(make().cases[2], name="diehl_cook_stdp")]))
    (one,) = stored(checkout)
    text = readme_text("<!-- begin figures -->\n<!-- end figures -->", [one])
    assert "](docs/images/bench/cpu/diehl_cook_stdp-stimuli.svg)" in text
    assert "-replicas" not in text


def test_the_command_names_what_it_changed(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(checkout)]) == 0
    assert capsys.readouterr().out.split() == ["README.md", "docs/benchmarks.md"]
    assert main(["--root", str(checkout / "docs")]) == 2
    assert "no checkout" in capsys.readouterr().err


def test_a_page_without_marks_is_refused(checkout: Path) -> None:
    (checkout / README).write_text("nothing here", encoding="utf-8")
    with pytest.raises(ConfigError, match="begin figures"):
        update(checkout)


# -- the figures ---------------------------------------------------------------------


def contender(name: str, first: float, following: float) -> Contender:
    measures = [
        Measure("setup", names.COMPILE, "s", [first - following]),
        Measure("first stimulus", names.WALL, "s", [following]),
        Measure("next stimulus", names.WALL, "s", [following] * 3),
    ]
    return Contender(name, name, "measured", "", "", {}, measures, [])


def test_figures_name_the_machine_the_date_and_the_file() -> None:
    text = figures_block(make(), "some/x.json")
    for part in ("2026-11-28", "`gpurun bench`", "A processor with 2 cores", "`some/x.json`"):
        assert part in text
    assert "and H100" in figures_block(make(card={"name": "H100"}), "x.json")


def test_figures_show_every_brian_contender_also_the_faster_ones() -> None:
    report = make(
        cases=[
            case(
                "alpha",
                "full",
                [
                    contender("gpurun-cpu", 5.0, 0.010),
                    contender("brian2-numpy", 1.0, 0.005),
                    contender("brian2-cpp", 9.0, 0.025),
                    contender("pygenn", 9.0, 0.001),
                    missing("brian2cuda", "absent", "no card"),
                ],
            ),
            case("alpha", "quick", [contender("gpurun-cpu", 77.0, 0.077)]),
            case(
                "beta",
                "full",
                [
                    contender("gpurun-cpu", 6.0, 0.020),
                    missing("brian2-cpp", "refused", "wrong spikes"),
                ],
            ),
        ]
    )
    following, first = figures_block(report, "x.json").split("**The first result**")
    assert rows(following, "Case") == {
        "The alpha network; full; `gpurun-cpu`": {
            "Case": "The alpha network; full; `gpurun-cpu`",
            "gpurun": "10.0 ms",
            "brian2-numpy": "**0.500**",
            "brian2-cpp": "2.50",
        },
        "The beta network; full; `gpurun-cpu`": {
            "Case": "The beta network; full; `gpurun-cpu`",
            "gpurun": "20.0 ms",
            "brian2-numpy": "",
            "brian2-cpp": "refused",
        },
    }
    found = rows(first, "Case")["The alpha network; full; `gpurun-cpu`"]
    assert (found["gpurun"], found["brian2-numpy"], found["brian2-cpp"]) == (
        "5.00 s",
        "1.00 s",
        "9.00 s",
    )


def test_figures_without_a_contender_of_gpurun_say_so() -> None:
    report = make(cases=[case("alpha", "full", [contender("brian2-cpp", 9.0, 0.02)])])
    assert figures_block(report, "x.json").startswith("No contender of gpurun")


def test_text_between_marks_is_all_that_changes() -> None:
    text = "a\n<!-- begin x -->\nb\n<!-- end x -->\nc"
    assert between(between(text, "x", "new"), "x", "new") == between(text, "x", "new")
    assert "b\n<!-- end" not in between(text, "x", "new")
