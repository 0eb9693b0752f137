"""Pictures show the right numbers in the right places."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from gpurun.errors import NotSupportedError, StimulusError
from gpurun.readout import draw_confusions, draw_receptive_fields, weight_matrix
from tests.unit.readout_host import OnCard

PNG = b"\x89PNG\r\n\x1a\n"


def mosaic(figure: Figure) -> np.ndarray:
    """The pixels handed to imshow, nan where nothing is drawn."""
    (image,) = figure.axes[0].images
    pixels = image.get_array()
    assert pixels is not None
    return np.ma.filled(pixels.astype(float), np.nan)


def corners(figure: Figure) -> list[tuple[str, int, int]]:
    """Text, row and column of the names, in the order of drawing."""
    texts = [(text.get_text(), text.get_position()) for text in figure.axes[0].texts]
    return [(text, int(row), int(column)) for text, (column, row) in texts]


def shown_at(figure: Figure, top: int, left: int, shape: tuple[int, int]) -> np.ndarray:
    return mosaic(figure)[top : top + shape[0], left : left + shape[1]]


# -- receptive fields ----------------------------------------------------------


def test_each_neuron_is_shown_beside_its_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    weights = rng.random((6, 7))
    names = np.array([4, -1, 0, 4, 2, -1, 0])
    path = tmp_path / "fields.png"
    figure = draw_receptive_fields(weights, (2, 3), names, path=path, title="Fields")
    labels = corners(figure)
    assert [label[0] for label in labels] == ["0", "0", "2", "4", "4", "–", "–"]
    for neuron, (_, top, left) in zip([2, 6, 4, 0, 3, 1, 5], labels, strict=True):
        assert np.array_equal(shown_at(figure, top, left, (2, 3)), weights[:, neuron].reshape(2, 3))
    # What is not a field is a frame
    assert np.isfinite(mosaic(figure)).sum() == weights.size
    assert np.isnan(mosaic(figure)[[0, -1]]).all() and np.isnan(mosaic(figure)[:, [0, -1]]).all()
    assert figure.axes[0].get_title() == "Fields"
    assert len(figure.axes) == 2 and figure.axes[1].get_ylabel() == "synaptic weight"
    assert path.read_bytes().startswith(PNG)


def test_order_of_index_and_no_names() -> None:
    weights = np.arange(12.0).reshape(4, 3)
    named = draw_receptive_fields(weights, (2, 2), [2, 0, 1], order="index")
    assert [label[0] for label in corners(named)] == ["2", "0", "1"]
    plain = draw_receptive_fields(weights, (2, 2))
    assert corners(plain) == []
    np.testing.assert_array_equal(mosaic(plain), mosaic(named))
    assert shown_at(plain, 1, 1, (2, 2)).tolist() == [[0, 3], [6, 9]]


@pytest.mark.parametrize(("neurons", "shape"), [(1, (2, 2)), (5, (1, 40)), (5, (40, 1))])
def test_unusual_shapes_are_drawn_whole(neurons: int, shape, tmp_path: Path) -> None:
    weights = np.random.default_rng(4).random((shape[0] * shape[1], neurons))
    figure = draw_receptive_fields(weights, shape, np.zeros(neurons, int), path=tmp_path / "x.png")
    assert np.isfinite(mosaic(figure)).sum() == weights.size
    assert len(corners(figure)) == neurons
    assert (tmp_path / "x.png").stat().st_size > 1000


def test_scale_of_weights_of_one_and_of_both_signs() -> None:
    (image,) = draw_receptive_fields([[0.5], [2.0]], (1, 2)).axes[0].images
    assert image.get_clim() == (0, 2)
    (image,) = draw_receptive_fields([[-3.0], [2.0]], (1, 2)).axes[0].images
    assert image.get_clim() == (-3, 3)
    (image,) = draw_receptive_fields([[0.0], [0.0]], (1, 2)).axes[0].images
    assert image.get_clim() == (0, 1)


def test_synapses_of_a_sparse_network() -> None:
    i, j, weights = [0, 3, 1, 1], [1, 0, 0, 0], [0.5, 1.0, 0.25, 0.25]
    table = weight_matrix(weights, i, j, inputs=4, neurons=3)
    nan = np.nan
    expected = [[nan, 0.5, nan], [0.5, nan, nan], [nan, nan, nan], [1, nan, nan]]
    np.testing.assert_array_equal(table, expected)
    np.testing.assert_array_equal(weight_matrix(OnCard(weights), i, j), table[:, :2])

    flat = draw_receptive_fields(weights, (2, 2), [0, 1, 2], i=i, j=j, neurons=3)
    whole = draw_receptive_fields(table, (2, 2), [0, 1, 2])
    np.testing.assert_array_equal(mosaic(flat), mosaic(whole))
    np.testing.assert_array_equal(shown_at(flat, 1, 1, (2, 2)), [[nan, 0.5], [nan, 1]])


def test_weight_zero_is_a_synapse() -> None:
    assert weight_matrix([0.0], [0], [0]).tolist() == [[0]]


def test_a_shuffled_list_of_synapses_is_the_same_table() -> None:
    rng = np.random.default_rng(6)
    table = rng.random((5, 4))
    i, j = np.divmod(rng.permutation(20), 4)
    assert np.array_equal(weight_matrix(table[i, j], i, j), table)


@pytest.mark.parametrize(
    ("arguments", "name", "message"),
    [
        ({"weights": np.ones((3, 2))}, "weights", r"shape \(3, 2\), expected \(4, neurons\)"),
        ({"weights": np.ones(8)}, "weights", "give i and j"),
        ({"weights": np.ones((4, 0))}, "weights", "expected"),
        ({"weights": np.full((4, 2), np.inf)}, "weights", "infinite"),
        ({"weights": np.full((4, 2), np.nan)}, "weights", "none but nan"),
        ({"names": [1]}, "names", "has 1 elements, expected 2"),
        ({"names": [0.5, 1]}, "names", "Give integers"),
        ({"order": "size"}, "order", "'size', expected one of name, index"),
        ({"shape": (4,)}, "shape", "rows and columns"),
        ({"shape": (0, 4)}, "shape", "rows and columns"),
        ({"weights": np.ones(2), "i": [0, 1]}, "j", "'j' is missing"),
        ({"weights": np.ones(2), "i": [0], "j": [0, 1]}, "i", "1 elements, but there are 2"),
        ({"weights": np.ones(2), "i": [0, 4], "j": [0, 1]}, "i", "from 0 to 4, expected 0 to 3"),
        ({"weights": np.ones((2, 2)), "i": [0], "j": [0]}, "weights", "for each synapse"),
        ({"weights": [np.nan], "i": [0], "j": [0]}, "weights", "not finite"),
    ],
)
def test_unusable_weights_are_named(arguments, name: str, message: str) -> None:
    usual = {"weights": np.ones((4, 2)), "shape": (2, 2)}
    with pytest.raises(StimulusError, match=message) as caught:
        draw_receptive_fields(**{**usual, **arguments})
    assert caught.value.fields["name"] == name


# -- confusions --------------------------------------------------------------------


def test_confusions_are_shown_with_their_numbers(tmp_path: Path) -> None:
    table = np.array([[5, 0, 1], [0, 3, 0], [2, 0, 4]])
    path = tmp_path / "confusions.png"
    figure = draw_confusions(table, [3, 8, -1], path)
    np.testing.assert_array_equal(mosaic(figure), table)
    numbers = {(row, column): text for text, row, column in corners(figure)}
    assert numbers == {(0, 0): "5", (0, 2): "1", (1, 1): "3", (2, 0): "2", (2, 2): "4"}
    axes = figure.axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == ["3", "8", "-1"]
    assert axes.get_title() == "12 of 15 recognised"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("class shown", "answer")
    assert path.read_bytes().startswith(PNG)


def test_confusions_as_parts_and_without_any() -> None:
    figure = draw_confusions([[0.75, 0.25], [0.0, 1.0]])
    assert [label[0] for label in corners(figure)] == ["0.75", "0.25", "1.00"]
    assert figure.axes[0].get_title() == ""
    empty = draw_confusions(np.zeros((2, 2), int))
    assert corners(empty) == [] and empty.axes[0].get_title() == "0 of 0 recognised"


@pytest.mark.parametrize(
    ("table", "classes", "name", "message"),
    [
        (np.ones((2, 3)), None, "table", r"shape \(2, 3\), expected \(classes, classes\)"),
        ([[1, -1], [0, 1]], None, "table", "negative"),
        ([[1, 0], [0, 1]], [1, 2, 3], "classes", "3 elements, but the table has 2 rows"),
    ],
)
def test_unusable_tables_are_named(table, classes, name: str, message: str) -> None:
    with pytest.raises(StimulusError, match=message) as caught:
        draw_confusions(table, classes)
    assert caught.value.fields["name"] == name


# -- without matplotlib ---------------------------------------------------------------


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw, arguments in (
        (draw_receptive_fields, (np.ones((4, 1)), (2, 2))),
        (draw_confusions, (np.eye(2),)),
    ):
        with pytest.raises(NotSupportedError, match="matplotlib") as caught:
            draw(*arguments)
        assert "pip install 'gpurun[images]'" in str(caught.value)
        assert caught.value.fields["what"] == "matplotlib"


def test_pyplot_and_optional_libraries_are_not_imported_by_the_package() -> None:
    import subprocess

    program = (
        "import sys, gpurun.readout as r; "
        "print([m for m in ('sklearn', 'matplotlib', 'brian2') if m in sys.modules]); "
        "r.draw_confusions([[1]]); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
