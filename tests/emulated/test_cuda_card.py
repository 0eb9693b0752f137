"""Sessions give a card back as they found it, and an error of the card ends a session at most."""

from __future__ import annotations

import numpy as np
import pytest

from . import card_programs, isolated

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("use", card_programs.USES)
def test_memory_is_given_back(use: str) -> None:
    before, after = isolated.run(card_programs.memory_before_and_after, use, "leaks=fatal")
    assert after == before


def test_memory_is_given_back_with_the_last_view() -> None:
    """A borrowed view keeps its library, on a card as on the CPU, and that its memory."""
    before, held, after = isolated.run(card_programs.memory_while_a_view_lives, "leaks=fatal")
    assert held <= before
    assert after == before


def test_a_sticky_error() -> None:
    first, *later = isolated.run(card_programs.assertion_on_the_card, "order=forward")
    kind, message, fields = first
    assert kind == "DeviceError"
    assert fields["error"] == "cudaErrorAssert"
    assert fields["sticky"]
    assert fields["file"]
    assert fields["line"] > 0
    assert "device-side assert" in message
    for kind, message, _ in later:
        assert kind == "SessionError"
        assert "lost its device" in message
        assert "new process" in message


def test_a_full_card() -> None:
    (kind, message, fields), before, after = isolated.run(
        card_programs.full_card, "memory=4M leaks=fatal"
    )
    assert kind == "DeviceMemoryError", message
    assert 0 < fields["free"] <= 4 * 2**20 < fields["needed"]
    # Nothing of the failed session is left, and the process goes on
    assert before
    assert after


def test_results_on_the_card() -> None:
    values = isolated.run(card_programs.results_on_the_card)
    assert len(values) > 7
    for name, through_host, on_card in values:
        assert on_card.dtype == through_host.dtype, name
        assert np.array_equal(on_card, through_host), name


def test_results_on_the_card_need_cupy() -> None:
    kind, message, t = isolated.run(card_programs.results_on_the_card_without_cupy)
    assert kind == "NotSupportedError"
    assert "CuPy" in message
    assert t == 0


def test_stimuli_from_the_card() -> None:
    """An override reads the memory of its batch; nothing goes through the host."""
    found = isolated.run(card_programs.stimuli_from_the_card)
    assert found["device"] == "cuda:0"
    assert [size for _, size in found["batches"]] == [4 * 160, 4 * 160, 2 * 160] * 2
    expected = [
        first + 160 * number for first, size in found["batches"] for number in range(size // 160)
    ]
    assert found["written"] == expected
    assert not found["host"]
    assert "get" not in found["calls"]
    assert found["same"] == [True] * 20
