"""Data sets of other libraries, by classes with their formats."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpurun.errors import DatasetError
from gpurun.stimulus.sources.dataset import DatasetSource
from tests.unit.stimulus.source_makers import CardTensor, Tensor

IMAGES = np.random.default_rng(7).integers(0, 256, (10, 4, 3), np.uint8)
LABELS = np.arange(10) * 7 % 5


class TorchvisionMNIST:
    """Items are (PIL image, int); ``targets`` is a tensor, and transforms may be there."""

    def __init__(self, transform: Any = None, target_transform: Any = None) -> None:
        self.data, self.targets = Tensor(IMAGES), Tensor(LABELS)
        self.transform, self.target_transform = transform, target_transform
        self.transforms = SimpleNamespace(target_transform=target_transform)

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        assert type(index) is int
        image, label = Image.fromarray(IMAGES[index]), int(LABELS[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return image, label


class HuggingFace:
    """Items are dicts, columns are got by their names, and slices of those are lists."""

    column_names = ("image", "label", "source")

    def __init__(self, image: str = "image", label: str = "label") -> None:
        self.column_names = [image, label, "source"]

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, key: Any) -> Any:
        image, label, source = self.column_names
        if key == label:
            return LABELS.tolist()
        assert type(key) is int, "other columns would read all images"
        return {image: Image.fromarray(IMAGES[key]), label: int(LABELS[key]), source: "test"}


class Subset:
    """As of ``torch.utils.data``."""

    def __init__(self, dataset: Any, indices: Any) -> None:
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]


def _check(source: DatasetSource, known: bool = True) -> None:
    assert (source.count, source.shape, source.dtype) == (10, (4, 3), np.uint8)
    if known:
        assert source.labels is not None and source.labels.tolist() == LABELS.tolist()
    else:
        assert source.labels is None
    images, labels = source.read([9, 3, 3])
    assert np.array_equal(images, IMAGES[[9, 3, 3]])
    assert labels is not None and labels.tolist() == LABELS[[9, 3, 3]].tolist()
    images, labels = source.read([])
    assert images.shape == (0, 4, 3) and images.dtype == np.uint8
    assert labels is not None and labels.shape == (0,) and labels.dtype.kind == "i"


def test_torchvision() -> None:
    _check(DatasetSource(TorchvisionMNIST()))
    to_tensor = TorchvisionMNIST(lambda image: Tensor(np.asarray(image)[None] / np.float32(255)))
    source = DatasetSource(to_tensor)
    assert (source.shape, source.dtype) == ((1, 4, 3), np.float32)
    assert np.array_equal(source.read([2])[0][0, 0], IMAGES[2] / np.float32(255))


def test_labels_that_a_transform_changes_are_not_known_beforehand() -> None:
    source = DatasetSource(TorchvisionMNIST(target_transform=lambda label: label + 10))
    assert source.labels is None
    _, labels = source.read([1, 0])
    assert labels is not None and labels.tolist() == (LABELS[[1, 0]] + 10).tolist()
    hidden = TorchvisionMNIST(target_transform=lambda label: label + 10)
    hidden.target_transform = None
    hidden.transforms.target_transform = lambda label: label + 10
    assert DatasetSource(hidden).labels is None


def test_a_list_that_is_not_of_the_first_items_label_is_no_list_of_labels() -> None:
    dataset = TorchvisionMNIST()
    dataset.targets = Tensor(LABELS + 1)
    source = DatasetSource(dataset)
    assert source.labels is None
    assert np.array_equal(source.read([1, 2])[1], LABELS[[1, 2]])


def test_labels_that_differ_from_the_list_are_noticed() -> None:
    """A transform of labels that is hidden in the items shows when they are read."""

    class Hidden(TorchvisionMNIST):
        def __getitem__(self, index: int) -> tuple[Any, Any]:
            image, label = super().__getitem__(index)
            return image, label % 4

    source = DatasetSource(Hidden())
    assert source.read([0, 1])[1] is not None
    with pytest.raises(DatasetError, match="Item 2 has another label"):
        source.read([1, 2])
    source = DatasetSource(Hidden(), label=lambda item: item[1])
    assert source.labels is None and np.array_equal(source.read([1, 2])[1], [2, 0])


def test_hugging_face() -> None:
    _check(DatasetSource(HuggingFace()))
    _check(DatasetSource(HuggingFace("img", "label"), label="label"))
    _check(DatasetSource(HuggingFace("picture", "kind"), "picture", "kind"))
    assert DatasetSource(HuggingFace("img", "fine_label")).read([1])[1] is None
    with pytest.raises(DatasetError, match=r"which of 'picture', 'kind', 'source' are the images"):
        DatasetSource(HuggingFace("picture", "kind"))
    with pytest.raises(DatasetError, match=r"Item 0, of type dict, has no 'y', only 'image'"):
        DatasetSource(HuggingFace(), label="y")


def test_subsets_know_their_labels() -> None:
    picked = [3, 1, 8]
    for indices in (picked, np.array(picked)):
        source = DatasetSource(Subset(TorchvisionMNIST(), indices))
        assert source.labels is not None and source.labels.tolist() == LABELS[picked].tolist()
        assert np.array_equal(source.read([2, 0])[0], IMAGES[[8, 3]])
    twice = DatasetSource(Subset(Subset(TorchvisionMNIST(), picked), [2, 2, 0]))
    assert twice.labels is not None and twice.labels.tolist() == LABELS[[8, 8, 3]].tolist()
    assert DatasetSource(Subset(list(zip(IMAGES, LABELS, strict=True)), picked)).labels is None


def test_tonic_frames_and_columns_of_labels() -> None:
    class Tonic:
        targets = LABELS.tolist()

        def __len__(self) -> int:
            return 10

        def __getitem__(self, index: int) -> Any:
            return np.full((5, 2, 4, 3), index, np.int16), self.targets[index]

    source = DatasetSource(Tonic())
    assert source.shape == (5, 2, 4, 3) and source.labels is not None
    assert source.read([6])[0].dtype == np.int16

    class MedMNIST(TorchvisionMNIST):
        """Labels are arrays of one element, all of them a column."""

        def __init__(self) -> None:
            self.labels = LABELS[:, None]

        def __getitem__(self, index: int) -> Any:
            return Image.fromarray(IMAGES[index]), self.labels[index]

    _check(DatasetSource(MedMNIST()))


def test_lists_of_pairs_of_images_and_of_mappings() -> None:
    pairs = list(zip(IMAGES, LABELS, strict=True))
    _check(DatasetSource(pairs), known=False)
    _check(DatasetSource([[image, label] for image, label in pairs]), known=False)
    _check(DatasetSource([{"x": x, "y": y} for x, y in pairs]), known=False)
    _check(DatasetSource([(y, x) for x, y in pairs], image=1, label=0), known=False)
    _check(DatasetSource(pairs, lambda item: item[0], lambda item: item[1]), known=False)
    for alone in ([Image.fromarray(image) for image in IMAGES], [(image,) for image in IMAGES]):
        images, labels = DatasetSource(alone).read([4])
        assert np.array_equal(images, IMAGES[[4]]) and labels is None
    assert DatasetSource(pairs, label=False).read([4])[1] is None
    nested = DatasetSource([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    assert nested.read([1])[0].tolist() == [[[5, 6], [7, 8]]]
    texts = DatasetSource([(image, f"class {label}") for image, label in pairs])
    assert np.array_equal(texts.read([0])[1], ["class 0"])


def test_boxes_are_no_labels() -> None:
    class Boxes(TorchvisionMNIST):
        def __init__(self) -> None:
            self.targets = [[1, 2, 3, 4]] * 10

        def __getitem__(self, index: int) -> Any:
            return IMAGES[index], {"box": [1, 2, 3, 4], "kind": index}

    with pytest.raises(DatasetError, match=r"item 0 is no single number .*label= "):
        DatasetSource(Boxes())
    source = DatasetSource(Boxes(), label=lambda item: item[1]["kind"])
    assert source.labels is None and np.array_equal(source.read([3])[1], [3])


def test_all_images_need_one_shape_and_type() -> None:
    items: list[Any] = [(image, 0) for image in IMAGES]
    items[4] = (IMAGES[4, :3], 0)
    items[5] = (IMAGES[5].astype(float), 0)
    source = DatasetSource(items)
    with pytest.raises(DatasetError, match=r"Image 4 is of uint8 .*\(3, 3\).*\(4, 3\)"):
        source.read([1, 4])
    with pytest.raises(DatasetError, match=r"Image 5 is of float64 .*uint8"):
        source.read([5])
    assert np.array_equal(source.read([6])[0], IMAGES[[6]])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "no items"),
        ({"train": 1, "test": 2}, r"mapping with the keys 'train', 'test'.*dataset\['train'\]"),
        ([(IMAGES[0], None)], "Item 0 has no label.*label=False"),
        ([(IMAGES[0], [1, 2])], "no single number"),
        ([(IMAGES[0], object())], "no single number"),
        ([[IMAGES[:4], LABELS[:4]]], "loader of batches"),
        ([(CardTensor(IMAGES[0]), 1)], "card's memory, one image at a time"),
        ([(Image.fromarray(IMAGES[0]).convert("P"), 1)], "palette"),
        ([("image.png", 1)], "real numbers"),
        ([(None, 1)], "real numbers"),
        ([(np.zeros(3, [("x", "i2"), ("t", "i8")]), 1)], "EventSource"),
        ([[[1], [2, 3]]], "cannot be made an array"),
    ],
)
def test_what_is_not_understood_is_refused(items: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        DatasetSource(items)


def test_it_is_pickled_with_its_data_set() -> None:
    source = DatasetSource([(image, 1) for image in IMAGES])
    assert np.array_equal(pickle.loads(pickle.dumps(source)).read([2])[0], IMAGES[[2]])
    assert repr(source) == "<DatasetSource: 10 images of uint8, shape (4, 3), with labels>"
