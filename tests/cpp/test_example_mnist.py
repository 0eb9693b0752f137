"""The MNIST example on small files of the same format: it learns, and goes on where it was."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.unit.stimulus.source_makers import write_idx

SCRIPT = Path(__file__).parents[2] / "examples" / "mnist_stdp.py"
COMMAND = Path(sys.executable).parent / "gpurun"
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte",
         "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")  # fmt: skip
OPTIONS = ("--neurons", "16", "--quick", "--train", "160", "--test", "40", "--device", "cpu")


def patterns() -> np.ndarray:
    """Two bars that lie, two that stand, of 28x28 pixels."""
    found = np.zeros((4, 28, 28))
    found[0, 4:9, 3:25] = found[1, 18:23, 3:25] = 220
    found[2, 3:25, 4:9] = found[3, 3:25, 18:23] = 220
    return found


def write_data(folder: Path) -> None:
    """Bars that are shifted by up to two pixels, some of them dim, in the files of MNIST."""
    random = np.random.default_rng(8)
    folder.mkdir()
    for part, count in (("train", 200), ("t10k", 60)):
        labels = random.integers(0, 4, count).astype(np.uint8)
        images = patterns()[labels] * random.uniform(0.3, 1, (count, 1, 1))
        for number, (down, right) in enumerate(random.integers(-2, 3, (count, 2))):
            images[number] = np.roll(images[number], (down, right), (0, 1))
        packed = part == "t10k"
        end = ".gz" if packed else ""
        write_idx(folder / f"{part}-images-idx3-ubyte{end}", images.astype(np.uint8), packed=packed)
        write_idx(folder / f"{part}-labels-idx1-ubyte{end}", labels, packed=packed)


def command(folder: Path, output: str, *more: str) -> list[str]:
    data = ("--data", str(folder / "data"), "--output", str(folder / output))
    return [str(COMMAND), "--quiet", str(SCRIPT), *OPTIONS, *data, *more]


def example(folder: Path, output: str, *more: str, expected: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        command(folder, output, *more),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == expected, f"{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def saved(folder: Path, output: str) -> dict[str, np.ndarray]:
    with np.load(folder / output / "weights.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("mnist")
    write_data(folder / "data")
    text, _ = example(folder, "whole")
    return folder, text


def test_it_learns(trained: tuple[Path, str]) -> None:
    """Four classes: chance is 10 of 40."""
    folder, text = trained
    found = re.search(r"Test accuracy: [\d.]+% \((\d+) of 40, seed 0\)", text)
    assert found and int(found[1]) > 28, text
    told = re.findall(r"image (\d+) of 160: ([\d.]+)% of 20 training images", text)
    assert [int(number) for number, _ in told] == [40, 80, 120, 160]
    result = saved(folder, "whole")
    assert (result["truth"] == result["guesses"]).sum() == int(found[1])
    weights = result["weights"].reshape(784, 16)
    np.testing.assert_allclose(weights.sum(axis=0), 78.0)
    assert weights.min() >= 0
    # Of all bars, that of its class fits a neuron's weights best
    names = result["names"]
    assert set(names) <= {-1, 0, 1, 2, 3} and (names >= 0).sum() > 8
    best = (patterns().reshape(4, 784) @ weights).argmax(axis=0)
    assert (best == names)[names >= 0].mean() > 0.8
    assert {path.name for path in (folder / "whole").iterdir()} == {
        "weights.npz", "receptive_fields.png", "confusion_matrix.png",
    }  # fmt: skip


def test_killed_and_resumed_it_comes_to_the_same(trained: tuple[Path, str]) -> None:
    folder, _ = trained
    # Frequent checkpoints, so that a kill comes between two of them
    frequent = folder / "frequent.py"
    text = SCRIPT.read_text()
    assert text.count("CHECKPOINT_EVERY = 500") == 1
    frequent.write_text(text.replace("CHECKPOINT_EVERY = 500", "CHECKPOINT_EVERY = 7"))
    started = command(folder, "resumed", "--checkpoint", str(folder / "train.h5"), "--resume")
    started[started.index(str(SCRIPT))] = str(frequent)
    job = subprocess.Popen(started, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    for line in job.stdout:
        if line.startswith("image 80 of 160"):
            break
    job.send_signal(signal.SIGKILL)
    job.wait()
    job.stdout.close()
    assert not (folder / "resumed").exists()

    done = subprocess.run(started, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = re.search(r"going on after (\d+) of 160 presentations", done.stdout)
    assert found and int(found[1]) >= 77, done.stdout
    assert "image 40 of 160" not in done.stdout
    whole, resumed = saved(folder, "whole"), saved(folder, "resumed")
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)

    # Another order of images cannot go on from there
    _, said = example(
        folder,
        "other",
        "--checkpoint",
        str(folder / "train.h5"),
        "--resume",
        "--seed",
        "3",
        expected=1,
    )
    assert "another order" in said


def test_without_the_files_it_names_them(tmp_path: Path) -> None:
    _, said = example(tmp_path, "none", expected=1)
    assert all(name in said for name in FILES) and "--data" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--train", "201"), "--train asks for 201 images, and there are 200"),
        (("--test", "0"), "start at 1"),
        (("--seed", "-1"), "--seed at 0"),
    ],
)
def test_impossible_requests(
    trained: tuple[Path, str], arguments: tuple[str, ...], message: str
) -> None:
    folder, _ = trained
    _, said = example(folder, "none", *arguments, expected=1)
    assert message in said
    assert not (folder / "none").exists()
