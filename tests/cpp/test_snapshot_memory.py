"""What storing under a name that is taken needs of the memory, and what is left if it fails."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import brian2 as b2
import numpy as np
import pytest
from brian2.units import ms

from tests import models

# Above what the C library may keep for itself when it is freed
CELLS = 8 * 2**20
MARGIN = 16 * 2**20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no limit of address space")


def wide() -> SimpleNamespace:
    """A variable of 64 MiB, which begins with one value for all."""
    models.new_script()
    cells = b2.NeuronGroup(CELLS, "dv/dt = -v/(10*ms) : 1", method="exact", name="cells")
    b2.run(0.1 * ms)
    return SimpleNamespace(cells=cells)


@contextlib.contextmanager
def no_more_memory() -> Iterator[None]:
    """Let this process have a little more than it has now, and not another copy."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + MARGIN
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_an_older_snapshot_outlives_a_store_that_fails() -> None:
    script = models.built(wide)
    with script.model.session() as session:
        # Kept as one number
        session.store("a")
        session.run({"cells.v": np.arange(CELLS, dtype=float)})
        with no_more_memory(), pytest.raises(MemoryError):
            session.store("a")
        assert session.read("cells.v", view=True)[-1] > 0
        session.restore("a")
        assert session.t == 0
        assert not session.read("cells.v", view=True).any()


def test_storing_again_needs_no_memory() -> None:
    script = models.built(wide)
    with script.model.session() as session:
        session.run({"cells.v": np.arange(CELLS, dtype=float)})
        session.store("a")
        session.advance(0.1e-3)
        later = session.read("cells.v")
        with no_more_memory():
            session.store("a")
            with pytest.raises(MemoryError):
                session.store("b")
        session.advance(0.1e-3)
        session.restore("a")
        assert np.array_equal(session.read("cells.v", view=True), later)
        assert session.snapshots == ("a",)
