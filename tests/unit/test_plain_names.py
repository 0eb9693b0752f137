"""Names in generated code do not depend on what a script has made before."""

from __future__ import annotations

from gpurun.brian.plain.names import canonical_names
from gpurun.brian.plain.recorder import Words


def test_numbers_are_the_lowest_that_keep_the_order() -> None:
    assert canonical_names(["group_4", "group_9", "group_11_pre"]) == {
        "group_4": "group",
        "group_9": "group_1",
        "group_11_pre": "group_2_pre",
    }


def test_a_name_without_number_keeps_its_place() -> None:
    assert canonical_names(["group", "group_7"]) == {"group": "group", "group_7": "group_1"}


def test_numbers_within_numbers() -> None:
    found = canonical_names(["a_3", "a_3_sub_5", "a_3_sub_2", "a_8_sub_2"])
    assert found == {
        "a_3": "a",
        "a_3_sub_2": "a_sub",
        "a_3_sub_5": "a_sub_1",
        "a_8_sub_2": "a_1_sub",
    }


def test_two_networks_of_the_same_make_have_the_same_names() -> None:
    one = ["neurongroup", "neurongroup_1", "synapses", "synapses_pre", "neurongroup_1_resetter"]
    other = [
        "neurongroup_2",
        "neurongroup_5",
        "synapses_3",
        "synapses_3_pre",
        "neurongroup_5_resetter",
    ]
    assert sorted(canonical_names(one).values()) == sorted(canonical_names(other).values())


def test_names_that_would_meet_stay_as_they_are() -> None:
    names = ["layer_4_inner", "layer_inner"]
    assert canonical_names(names) == {name: name for name in names}


def test_a_clock_is_not_called_as_a_function_of_c() -> None:
    assert canonical_names(["clock_3"]) == {"clock_3": "_clock"}


def test_words_are_replaced_whole_and_at_once() -> None:
    words = Words({"_timedarray_1": "_timedarray", "_timedarray_12": "_timedarray_1"})
    text = "_timedarray_12(t) + _timedarray_1(t); _timedarray_1_values[0]; _timedarray_123"
    assert (
        words(text) == "_timedarray_1(t) + _timedarray(t); _timedarray_values[0]; _timedarray_123"
    )
    assert Words({"same": "same"})("same text") == "same text"
