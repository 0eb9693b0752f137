"""Small steps on the way from brian2's files to one source file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpurun.brian.emit import amalgamate, load_patches, support_files


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exit(1);", "::gpurun::exit_requested(1);"),
        ("std::exit (EXIT_FAILURE);", "::gpurun::exit_requested(EXIT_FAILURE);"),
        ("if (x) ::exit(2);", "if (x) ::gpurun::exit_requested(2);"),
        ("abort();", "::gpurun::exit_requested();"),
        ("_exit(3);", "::gpurun::exit_requested(3);"),
        ("std::quick_exit(3);", "::gpurun::exit_requested(3);"),
        ("my_exit(1);", "my_exit(1);"),
        ("loop.exit(1);", "loop.exit(1);"),
        ("loop->exit(1);", "loop->exit(1);"),
        ("mine::exit(1);", "mine::exit(1);"),
        ("int exits = 3;", "int exits = 3;"),
        ('cout << "Error: no" << endl;', '::gpurun::complaint() << "Error: no" << endl;'),
        ('std::cout << "Error: no";', '::gpurun::complaint() << "Error: no";'),
        ('cout << "All is well";', 'cout << "All is well";'),
        ("a.resize(_new_size, _num_indices);", "::gpurun::grow_rows(a, _new_size, _num_indices);"),
        ("a.resize(_new_size);", "a.resize(_new_size);"),
    ],
)
def test_text_that_would_end_the_process_or_be_slow(text: str, expected: str) -> None:
    assert expected in unit(**{"code_objects/a.cpp": text})


def unit(model: str = "", **files: str) -> str:
    """The one source file made from `files`."""
    # What the anchored patches look for
    anchors = {"objects.h": "", "brianlib/spikequeue.h": ""}
    for patch in load_patches():
        anchors[patch.file] += patch.anchor * patch.count
    queue = {"brianlib/spikequeue.h": anchors.pop("brianlib/spikequeue.h")}
    brianlib = {"brianlib/spikequeue.cpp": "", **queue, "boundary.h": "", "memory.h": ""}
    headers = {**anchors, "network.h": "", "synapses_classes.h": ""}
    sources = amalgamate(
        {"objects.cpp": "", "network.cpp": "", **headers, **files}, model, brianlib
    )
    assert sources.units == ["model.cpp"]
    return sources.files["model.cpp"]


def test_code_objects_do_not_see_each_other() -> None:
    text = unit(
        model="int last;",
        **{
            "code_objects/b.cpp": "#define N 3\nint helper = N;\nvoid _run_b()\n{ helper++; }",
            "code_objects/a.cpp": "int helper = 1;\nvoid _run_a()\n{ helper++; }",
        },
    )
    first, second = text.index("namespace gpurun_unit_0"), text.index("namespace gpurun_unit_1")
    # Sorted by name, each in a namespace of its own that exports its entry point
    assert first < text.index("void _run_a()") < second < text.index("void _run_b()")
    assert "using gpurun_unit_0::_run_a;" in text
    assert "using gpurun_unit_1::_run_b;" in text
    assert text.index("#define N 3") < text.index("#undef N") < text.index("int last;")


def test_includes_are_at_the_top_and_there_once() -> None:
    text = unit(
        **{
            "code_objects/a.cpp": '#include "objects.h"\n#include <cmath>\nvoid _run_a()\n{}',
            "code_objects/b.cpp": '#  include "objects.h"\n#include <random>\nvoid _run_b()\n{}',
        }
    )
    head = text[: text.index("namespace")]
    assert head.count('#include "objects.h"') == 1
    assert "#include <cmath>" in head
    assert "#include <random>" in head
    assert "#include" not in text[text.index("namespace") :]
    assert head.index('"boundary.h"') < head.index('"objects.h"')


def test_the_order_of_files_does_not_matter() -> None:
    files = {"code_objects/a.cpp": "void _run_a()\n{}", "code_objects/b.cpp": "void _run_b()\n{}"}
    assert unit(**files) == unit(**dict(reversed(files.items())))


def test_support_files_are_brian2s_headers_and_our_boundary() -> None:
    import brian2

    found = support_files(Path(brian2.__file__).parent)
    assert {"brianlib/clocks.h", "brianlib/spikequeue.h", "boundary.h", "memory.h"} <= found.keys()
    assert "GPURUN_ABI_VERSION" in found["boundary.h"]
