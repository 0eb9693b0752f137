"""The digits example learns, repeats itself, and writes what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpurun.datasets import digits

SCRIPT = Path(__file__).parents[2] / "examples" / "digits_stdp.py"
COMMAND = Path(sys.executable).parent / "gpurun"
PICTURES = ("receptive_fields.png", "confusion_matrix.png")
# As many neurons as --quick has, so that the model is compiled once for all tests here.
TINY = ("--neurons", "100", "--train", "30", "--passes", "1", "--test", "10")


def example(
    output: Path, *arguments: str, expected: int = 0, **environment: str
) -> tuple[str, str]:
    """Run the example in a folder of its own; returns stdout and stderr."""
    done = subprocess.run(
        [
            str(COMMAND),
            "--quiet",
            str(SCRIPT),
            *arguments,
            "--device",
            "cpu",
            "--output",
            "new/out",
        ],
        cwd=output,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == expected, f"{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def saved(output: Path) -> dict[str, np.ndarray]:
    with np.load(output / "new" / "out" / "weights.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    output = tmp_path_factory.mktemp("quick")
    text, _ = example(output, "--quick")
    return text, output


def test_quick_is_far_above_chance(quick: tuple[str, Path]) -> None:
    """Five seeds gave 61 to 83 of 100 held-out images; chance is 10."""
    text, output = quick
    found = re.search(r"Held-out accuracy: ([\d.]+)% \((\d+) of 100, seed 0;", text)
    assert found, text
    right = int(found[2])
    assert right > 50
    assert float(found[1]) == right

    result = saved(output)
    assert result["truth"].shape == result["guesses"].shape == (100,)
    assert (result["truth"] == result["guesses"]).sum() == right
    assert set(result["names"]) <= {-1, *range(10)}


def test_accuracy_is_printed_while_it_learns(quick: tuple[str, Path]) -> None:
    text, _ = quick
    running = [float(word) for word in re.findall(r"running accuracy +([\d.]+)%", text)]
    assert len(running) == 3
    assert max(running) > 40


def test_weights_have_become_digits(quick: tuple[str, Path]) -> None:
    _, output = quick
    result = saved(output)
    weights, names = result["weights"], result["names"]
    assert weights.shape == (64, 100)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=0), 7.0)
    assert (result["theta"] > 0).all(), "every neuron has won something"

    # A receptive field looks like the mean image of the digit it is named after.
    images, labels = digits()
    means = np.array([images[labels == digit].mean(axis=0).ravel() for digit in range(10)])
    means = means / np.linalg.norm(means, axis=1, keepdims=True)
    alike = (means @ weights).argmax(axis=0)
    assert (alike == names)[names >= 0].mean() > 0.6


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_drawn(name: str, quick: tuple[str, Path]) -> None:
    from matplotlib.image import imread

    text, output = quick
    assert name in text
    picture = imread(output / "new" / "out" / name)
    height, width = picture.shape[:2]
    assert min(height, width) > 300
    assert len(np.unique(picture[..., :3].reshape(-1, 3), axis=0)) > 20, "it is (nearly) blank"


def test_same_seed_same_result_other_seed_other_result(tmp_path: Path) -> None:
    results = []
    for name, seed in (("first", "5"), ("again", "5"), ("other", "6")):
        folder = tmp_path / name
        folder.mkdir()
        example(folder, *TINY, "--seed", seed)
        results.append(saved(folder))
    first, again, other = results
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["weights"], other["weights"])


@pytest.mark.parametrize(
    ("package", "library", "missing"),
    [
        ("matplotlib", "matplotlib", PICTURES),
        ("sklearn", "scikit-learn", ("confusion_matrix.png",)),
    ],
)
def test_without_a_library_it_says_so(
    package: str, library: str, missing: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / f"{package}.py").write_text(
        f"raise ModuleNotFoundError(\"No module named '{package}'\", name='{package}')\n"
    )
    text, _ = example(tmp_path, *TINY, PYTHONPATH=str(tmp_path))
    for name in missing:
        assert re.search(rf"No {name}: .* needs {library}, which cannot be imported", text), text
    assert saved(tmp_path)["weights"].shape == (64, 100)
    drawn = {path.name for path in tmp_path.rglob("*.png")}
    assert drawn == set(PICTURES) - set(missing)
    assert text.count(".png") == len(PICTURES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--train", "1700"), "share 1797 images"),
        (("--test", "0"), "start at 1"),
        (("--seed", "-1"), "--seed at 0"),
    ],
)
def test_impossible_requests(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    _, said = example(tmp_path, *arguments, expected=1)
    assert message in said
    assert not list(tmp_path.iterdir())
