"""The parts of the CUDA benchmarks that need neither a card nor a compiler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2.units import second

from benchmarks import diehl_cook, upstream_cuda
from benchmarks.diehl_cook import FULL, SMALL, Size
from gpurun.bench import cases, clocks, gpu_report, report
from gpurun.bench.card import BenchmarkCard
from gpurun.bench.contenders import rounds_within
from gpurun.errors import ConfigError
from gpurun.toolchain_cuda import CudaToolkit

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
TESTS = """<?xml version="1.0"?>
<testsuites><testsuite tests="4" failures="1" errors="1" skipped="1" time="12.5">
<testcase classname="tests.gpu.test_card" name="test_good"/>
<testcase classname="tests.gpu.test_card" name="test_skipped"><skipped/></testcase>
<testcase classname="tests.gpu.test_card" name="test_bad"><failure/></testcase>
<testcase classname="tests.gpu.test_philox" name="test_broken"><error/></testcase>
</testsuite></testsuites>
"""


def toolkit(folder: Path, **changes: Any) -> CudaToolkit:
    values: dict[str, Any] = {
        "nvcc": str(folder / "bin" / "nvcc"),
        "version": "13.0",
        "root": str(folder),
        "source": "system",
        "include_dirs": (str(folder / "include"),),
        "library_dirs": (str(folder / "lib"),),
        "curand": str(folder / "lib" / "libcurand.so"),
        "missing": (),
    }
    return CudaToolkit(**{**values, **changes})


# -- rounds and clocks -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "per_round", "most", "in_a_row", "rounds"),
    [
        (100.0, 1.0, 200, 5, 100),
        (103.9, 1.0, 200, 5, 100),
        (100.0, 0.1, 200, 5, 200),
        (3.0, 1.0, 200, 5, 5),
        (-20.0, 1.0, 200, 5, 5),
        (7.0, 2.0, 10, 1, 3),
    ],
)
def test_rounds_fill_the_time_in_whole_turns(
    seconds: float, per_round: float, most: int, in_a_row: int, rounds: int
) -> None:
    assert rounds_within(seconds, per_round, most, in_a_row=in_a_row) == rounds


@pytest.mark.parametrize(("per_round", "most", "in_a_row"), [(0.0, 5, 5), (1.0, 7, 5), (1.0, 0, 1)])
def test_rounds_that_are_no_turns_are_refused(per_round: float, most: int, in_a_row: int) -> None:
    with pytest.raises(ConfigError, match="whole turns"):
        rounds_within(10.0, per_round, most, in_a_row=in_a_row)


def test_processor_time_is_that_of_the_block_alone() -> None:
    with clocks.Stopwatch() as wall, clocks.CpuStopwatch() as used:
        sum(n * n for n in range(300_000))
    assert 0 < used.own < 10 * wall.seconds
    assert used.children == 0


def test_a_case_is_told_how_long_it_may_take(tmp_path: Path) -> None:
    from gpurun.bench.__main__ import main

    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "told.py").write_text(
        'TITLE = "Told"\ndef measure(recording):\n'
        '    recording.parameters["seconds"] = recording.seconds\n'
    )
    assert main(["told", "--seconds", "12.5", "--root", str(tmp_path)]) == 0
    [path] = (tmp_path / "benchmarks" / "results").glob("*.json")
    assert report.read(path).parameters == {"seconds": 12.5}
    assert cases.Recording(quick=True).seconds is None


# -- the network -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [FULL, SMALL])
def test_a_saturated_stimulus_leaves_nothing_to_chance(size: Size) -> None:
    step = float(diehl_cook.STEP / second)
    seen = set()
    for number in range(4):
        rates = diehl_cook.saturated(number, size)
        assert rates.shape == (size.inputs,)
        [firing] = np.flatnonzero(rates)
        # 1 is what a uniform random number can be at most
        assert rates[firing] * step > 1
        seen.add(int(firing))
    assert len(seen) == 4


def test_sizes_say_how_much_there_is() -> None:
    size = Size(side=3, neurons=5, steps=7)
    assert diehl_cook.first_weights(size).shape == (size.synapses,) == (45,)
    assert diehl_cook.stimulus(0, size).shape == (9,)


# -- brian2cuda ------------------------------------------------------------------------


def test_only_the_standard_is_changed() -> None:
    text = 'FLAGS = -I. -std=c++11 -arch=sm_90 -w -Xcompiler "-O3 -std=gnu++11"\n\t$(NVCC) -dc'
    assert upstream_cuda.with_cpp17(text) == (
        'FLAGS = -I. -std=c++17 -arch=sm_90 -w -Xcompiler "-O3 -std=gnu++17"\n\t$(NVCC) -dc'
    )


def test_a_makefile_without_the_defect_is_noticed() -> None:
    with pytest.raises(ConfigError, match=r"1\.0b1"):
        upstream_cuda.with_cpp17("FLAGS = -std=c++17")


def test_the_installed_makefile_has_the_defect() -> None:
    import brian2cuda

    path = Path(brian2cuda.__file__).parent / "templates" / "makefile"
    assert "-std=c++17" in upstream_cuda.with_cpp17(path.read_text(encoding="utf-8"))


def test_curand_of_the_toolkit_needs_no_flags(tmp_path: Path) -> None:
    assert upstream_cuda.curand_flags(toolkit(tmp_path), tmp_path / "links") == []
    assert not (tmp_path / "links").exists()


def test_curand_of_the_wheels_is_linked(tmp_path: Path) -> None:
    header, library = tmp_path / "cu13/include/curand.h", tmp_path / "cu13/lib/libcurand.so.10"
    for path in (header, header.with_name("curand_kernel.h"), header.with_name("cuda.h"), library):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    links = tmp_path / "links"
    of_toolkit = toolkit(tmp_path, curand=None)
    flags = upstream_cuda.curand_flags(of_toolkit, links, [tmp_path])
    # A second build into the same folder
    assert upstream_cuda.curand_flags(of_toolkit, links, [tmp_path]) == flags
    assert {path.name for path in links.iterdir()} == {
        "curand.h", "curand_kernel.h", "libcurand.so",
    }  # fmt: skip
    assert (links / "libcurand.so").resolve() == library
    assert flags == [f"-I{links}", f"-L{links}", f"-Xlinker=-rpath={library.parent}"]


def test_a_missing_curand_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nvidia-curand"):
        upstream_cuda.curand_flags(toolkit(tmp_path, curand=None), tmp_path / "links", [tmp_path])


# -- reports ---------------------------------------------------------------------------


def test_an_emulated_card_is_called_so(tmp_path: Path) -> None:
    real = BenchmarkCard("A card", (9, 0), "580.1", toolkit(tmp_path, identity="nvcc: NVIDIA"))
    assert not real.emulated
    assert real.parameters() == {"card": "A card", "driver": "580.1", "nvcc": "13.0"}
    identity = "nvcc: the emulated CUDA compiler driver"
    emulated = BenchmarkCard("A card", (9, 0), "580.1", toolkit(tmp_path, identity=identity))
    assert emulated.emulated
    assert emulated.parameters()["card"] == "emulated"


def test_results_of_tests_are_read(tmp_path: Path) -> None:
    path = tmp_path / "tests.xml"
    path.write_text(TESTS)
    assert gpu_report.test_results(path) == {
        "tests": 4, "failures": 1, "errors": 1, "skipped": 1, "seconds": 12.5,
        "failed": ["tests.gpu.test_card.test_bad", "tests.gpu.test_philox.test_broken"],
    }  # fmt: skip


@pytest.mark.parametrize("text", [None, "", "<testsuites>", "<other/>"])
def test_results_that_are_not_there_are_empty(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "tests.xml"
    if text is not None:
        path.write_text(text)
    assert gpu_report.test_results(path) == {}


def test_one_file_says_it_all_and_the_page_finds_it(tmp_path: Path) -> None:
    stored = sorted(RESULTS.glob("presentation-*.json"))[-1]
    measured, output = tmp_path / "measured", tmp_path / "output"
    measured.mkdir()
    (measured / stored.name).write_text(stored.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "tests.xml").write_text(TESTS)
    arguments = [str(tmp_path / "tests.xml"), str(measured), str(output)]
    assert gpu_report.main([*arguments, "--tests-status", "1", "--benchmark-status", "2"]) == 0
    [path] = output.glob("gpu-*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content.keys() >= {"commit", "cards", "driver", "toolkit", "tests", "benchmarks"}
    assert content["statuses"] == {"tests": 1, "benchmark": 2}
    assert content["tests"]["failures"] == 1
    assert report.newest(output) == {"presentation": report.read(stored)}


def test_a_file_without_benchmarks_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "gpu-1.json").write_text('{"benchmarks": []}')
    assert report.newest(tmp_path) == {}
    (tmp_path / "gpu-2.json").write_text('{"benchmarks": [{}]}')
    with pytest.raises(ConfigError, match=r"gpu-2\.json"):
        report.newest(tmp_path)
    (tmp_path / "gpu-2.json").write_text("{")
    with pytest.raises(ConfigError, match=r"gpu-2\.json"):
        report.newest(tmp_path)


def test_no_emulated_card_is_on_the_page() -> None:
    for path in RESULTS.glob("*.json"):
        for one in report.read_all(path):
            assert one.quick or one.parameters.get("card") != "emulated"
