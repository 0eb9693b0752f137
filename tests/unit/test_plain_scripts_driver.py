"""The driver of the plain scripts: it has to see differences, and the scripts have to be plain."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import plain_scripts_compare as comparing
from tests import plain_scripts_driver as driver
from tests.plain_scripts_driver import Outcome, Script

ALL = driver.scripts()
NOISY = Script(Path("noisy.py"), random=True, statistics=("v",))
REFUSED = Script(Path("bad.py"), random=False, refused=("network", "control"))
MESSAGE = (
    "Traceback (most recent call last):\n  run(1*ms)\ngpurun.errors.PlainScriptError: 'obj' "
    "(bad.py, line 3) is the network operation 'control'. Use '--device runtime'.\n"
)


@pytest.fixture
def header(tmp_path: Path) -> Callable[[str], Script]:
    def read(text: str) -> Script:
        (tmp_path / "script.py").write_text(text + "\nfrom brian2 import *\n# random: maybe\n")
        return driver.read_header(tmp_path / "script.py")

    return read


# -- the scripts -------------------------------------------------------------------


def test_there_are_as_many_as_promised() -> None:
    refused = [script for script in ALL if script.refused]
    assert len(ALL) - len(refused) >= 36
    assert len(refused) >= 8
    assert all(script.name.startswith("refused_") == bool(script.refused) for script in ALL)
    assert len([script for script in ALL if script.random and not script.refused]) >= 6


@pytest.mark.parametrize("script", ALL, ids=lambda script: script.name)
def test_a_script_is_plain(script: Script) -> None:
    text = script.path.read_text(encoding="utf-8")
    assert re.search(r"^(from|import) brian2", text, re.M)
    assert not re.search(r"gpurun|set_device|device\.|standalone", text)
    assert "run(" in text
    first = text.splitlines()[0]
    assert first.startswith("# ") and not first.startswith("# random")
    # A noisy script has to give other numbers where another seed is asked for
    assert ("sys.argv[1]" in text) == bool(script.statistics)


# -- headers -----------------------------------------------------------------------


def test_header(header: Callable[[str], Script]) -> None:
    script = header(
        "# A model.\n# random: no\n# arguments: --cells 3\n# reference: cython\n"
        "# tolerance: 1E-12 because exp differs"
    )
    assert not script.random
    assert script.arguments == ("--cells", "3")
    assert script.compiled
    assert script.tolerance == 1e-12
    assert header("# A\n# random: yes\n# statistics: v w").statistics == ("v", "w")
    refused = header("# A\n# random: yes\n# refused: f\n# printed: first run: 6")
    assert refused.refused == ("f",) and refused.printed == "first run: 6"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# A model.", "expected '# random: yes'"),
        ("# random: perhaps", "expected '# random: yes'"),
        ("# random: no\n# tolerance: 1e-9", "needs a reason"),
        ("# random: no\n# tolerance: 1e-9 because ", "needs a reason"),
        ("# random: no\n# tolerence: 1e-9", "unknown entries"),
        ("# random: no\n# reference: weave", "only reference"),
        ("# random: yes", "name their statistics"),
        ("# random: no\n# statistics: v", "name their statistics"),
    ],
)
def test_bad_header(header: Callable[[str], Script], text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        header(text)


# -- comparing ---------------------------------------------------------------------


def outcome(stdout: str = "", **values: object) -> Outcome:
    return Outcome(0, stdout, "", {name: np.asarray(value) for name, value in values.items()})


def test_equal_outcomes() -> None:
    one = outcome("3 spikes\n", v=[1.0, np.nan, -np.inf], n=3, empty=np.zeros((0, 4)))
    assert comparing.compare(one, outcome("3 spikes\n", **one.values)) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"v": [1.0, np.nan, 2.0 + 4e-16]}, "v: 1 of 3 differ"),
        ({"v": [1.0, 0.0, 2.0]}, "v: nan or infinite"),
        ({"v": [1.0, np.nan]}, "v: shape"),
        ({"v": np.array([1.0, np.nan, 2.0], np.float32)}, "v: dtype"),
        ({"n": 4}, "n: 1 of 1"),
        ({"more": 4}, "more: not there in the reference"),
    ],
)
def test_differences(changed: dict[str, object], message: str) -> None:
    expected = outcome(v=[1.0, np.nan, 2.0], n=3)
    [line] = comparing.compare(expected, outcome(**{**expected.values, **changed}))
    assert line.startswith(message)
    if message.startswith("v: 1 of 3"):
        assert (
            comparing.compare(expected, outcome(**{**expected.values, **changed}), tolerance=1e-15)
            == []
        )
    else:
        assert comparing.compare(expected, outcome(**{**expected.values, **changed}), tolerance=1.0)


def test_a_missing_value() -> None:
    assert comparing.compare(outcome(v=1.0, w=2.0), outcome(v=1.0)) == ["w: missing"]


def test_what_is_printed_is_compared_without_times() -> None:
    report = "Starting simulation\n200. ms (100%) simulated in {}\n3 spikes\n"
    one, other = outcome(report.format("< 1s")), outcome(report.format("4s"))
    assert comparing.compare(one, other) == []
    assert comparing.compare(one, outcome(report.format("4s") + "more\n")) == [
        "printed: 3 and 4 lines"
    ]
    [line] = comparing.compare(one, outcome(one.stdout.replace("3 spikes", "4 spikes")))
    assert "'4 spikes'" in line


def test_kolmogorov_smirnov() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 400))
    assert comparing.kolmogorov_smirnov(first, second) > 0.01
    assert comparing.kolmogorov_smirnov(first, second + 0.5) < 1e-4
    assert comparing.kolmogorov_smirnov(first, second * 2) < 1e-4
    assert comparing.kolmogorov_smirnov(first, first) == 1.0
    # Of 400 tests of equal distributions about 20 have a p-value below 5 %
    chances = [comparing.kolmogorov_smirnov(*rng.normal(size=(2, 60))) for _ in range(400)]
    assert 5 <= sum(chance < 0.05 for chance in chances) <= 40


def test_noise_is_compared_by_its_distribution() -> None:
    rng = np.random.default_rng(2)

    def draw(shift: float = 0.0, fixed: int = 7) -> Outcome:
        return outcome(v=rng.normal(shift, size=300), fixed=fixed)

    assert comparing.compare_noisy(NOISY, [draw(), draw()], [draw(), draw()]) == []
    [line] = comparing.compare_noisy(NOISY, [draw(), draw()], [draw(0.6), draw(0.6)])
    assert line.startswith("v: another distribution")
    assert comparing.compare_noisy(NOISY, [draw(), draw()], [draw(), draw(fixed=8)]) == [
        "fixed: 1 of 1 differ"
    ]
    same = draw()
    assert comparing.compare_noisy(NOISY, [draw(), draw()], [same, same]) == [
        "v: does not depend on the seed"
    ]
    without = dataclasses.replace(NOISY, statistics=("w",))
    assert comparing.compare_noisy(without, [draw(), draw()], [draw(), draw()]) == [
        "w: not there, or empty"
    ]


def test_files_are_compared() -> None:
    one, other = Outcome(0, "", "", {}, {"a": b"1"}), Outcome(0, "", "", {}, {"a": b"2"})
    assert comparing.compare(one, other) == ["files: other contents"]
    assert comparing.compare(one, other, tolerance=1e-9) == []
    assert comparing.compare(one, Outcome(0, "", ""), tolerance=1e-9) == [
        "files: [], expected ['a']"
    ]


def test_that_gpurun_was_at_work_has_to_be_seen() -> None:
    said = "gpurun: 3 runs, 0.3 s of model time, 1.0 s of wall time (0.1 s in runs)\n"
    assert comparing.resident(Outcome(0, "", "INFO\n" + said)) == []
    assert comparing.resident(Outcome(0, "", said.replace("3 runs", "no run was finished")))
    assert comparing.resident(Outcome(0, said, ""))


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "message"),
    [
        (1, "", MESSAGE, None),
        (0, "", MESSAGE, "it was not refused"),
        (1, "", MESSAGE.replace("control", ""), "does not say 'control'"),
        (1, "", MESSAGE.replace("line 3", ""), "does not say where"),
        (1, "", MESSAGE.replace("bad.py", "worse.py"), "does not say where"),
        (1, "", MESSAGE + MESSAGE, "2 tracebacks"),
        (
            1,
            "",
            MESSAGE.replace("runtime", "") + "gpurun: --device runtime may be faster",
            "runtime'",
        ),
        (1, "[1. 2. 3.]\n", MESSAGE, "printed before that"),
    ],
)
def test_refusals(status: int, stdout: str, stderr: str, message: str | None) -> None:
    lines = comparing.refusal(REFUSED, Outcome(status, stdout, stderr))
    assert len(lines) == (message is not None)
    assert message is None or message in lines[0]


def test_what_is_printed_before_a_refusal() -> None:
    script = dataclasses.replace(REFUSED, printed="first")
    assert comparing.refusal(script, Outcome(1, "first\n", MESSAGE)) == []
    assert comparing.refusal(script, Outcome(1, "", MESSAGE)) == ["printed before that: ''"]


# -- collecting --------------------------------------------------------------------

COLLECTED = """
# random: no
import sys
from brian2 import *
G = NeuronGroup(3, 'dv/dt = -v/(10*ms) : 1', threshold='v > 0.9', reset='v = 0', method='exact',
                name='group')
G.v = [0, 0.5, 2]
nested = {'monitors': [SpikeMonitor(G, name='spikes')]}
S = Synapses(G, G, 'w : 1', on_pre='v_post += w', name='syn')
S.connect(i=[2], j=[0])
S.w, S.delay = 3, 0.2*ms
net = Network(G, S, nested['monitors'])
net.run(0.1*ms)
numbers = [1, 2.5]
other = Network(NeuronGroup(1, 'x : 1', name='apart'))
word, _hidden = 'text', 5
print(sys.argv[1:], __name__)
sys.exit(3)
"""


def test_a_script_is_run_and_its_objects_are_collected(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(COLLECTED)
    script = dataclasses.replace(NOISY, path=path, arguments=("a", "b"))
    found = driver.run(script, "python", tmp_path / "there")
    assert found.status == 3, found.stderr
    assert found.stdout == "['a', 'b'] __main__\n"
    values = found.values
    assert values["G.v"].tolist() == [0.0, 0.5 * math.exp(-0.01), 0.0]
    assert values["G._spikespace"].tolist() == []  # a run ends with no event left over
    assert values["nested[monitors][0].i"].tolist() == [2]
    assert values["S.w"].tolist() == [3.0]
    assert values["S._pre.delay"].tolist() == [0.0002]
    assert values["net.t"] == values["defaultclock.t"] == values["G.clock.t"] == 0.0001
    assert values["other.t"] == 0
    assert values["other[apart].x"].tolist() == [0.0]
    assert [values[f"numbers[{k}]"].tolist() for k in range(2)] == [1, 2.5]
    assert not [name for name in values if name.startswith(("_", "word", "pi"))]
