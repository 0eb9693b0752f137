"""Takes gpurun along into the processes that a script starts with multiprocessing.

A forked child inherits everything. A spawned one imports the script anew, in a Python
that knows nothing of the ``gpurun`` command; it has to be told before it does so.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, field
from multiprocessing import spawn
from pathlib import Path
from typing import Any

from gpurun import events
from gpurun.cli.tally import ChildTally
from gpurun.config import configure


@dataclass(frozen=True)
class Inheritance:
    """What a child has to know.

    Attributes
    ----------
    changes : dict
        Settings from the command line.
    device : str
        Where the child computes.
    directory : str or None
        Where the generated sources are kept.
    seed : int or None
        The seed of a script that sets none.
    relay : str
        The file in which the parent looks for what the child did.
    plain : dict
        What `gpurun.brian.takeover.install` is told of scripts without ``set_device``.
    """

    changes: dict[str, Any]
    device: str
    directory: str | None
    seed: int | None
    relay: str
    plain: dict[str, Any] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Any, ...]:
        # Being unpickled is the only thing that happens to it in the child.
        return _arrive, (
            self.changes,
            self.device,
            self.directory,
            self.seed,
            self.relay,
            self.plain,
        )


def _arrive(*fields: Any) -> None:
    inheritance = Inheritance(*fields)
    from gpurun.brian import takeover

    configure(**inheritance.changes)
    takeover.install(
        device=inheritance.device,
        directory=inheritance.directory,
        seed=inheritance.seed,
        **inheritance.plain,
    )
    events.subscribe(ChildTally(Path(inheritance.relay)))
    pass_on(inheritance)


def pass_on(inheritance: Inheritance) -> None:
    """Have every spawned child take over `inheritance` before it imports the script."""
    original = spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        # There is no public hook. Unknown entries are ignored by the child, but it
        # unpickles them, and that comes before the import of the script.
        return {**original(name), "gpurun": inheritance}

    spawn.get_preparation_data = get_preparation_data
    # The fork server would import the script (newer Pythons do) without the above.
    multiprocessing.set_forkserver_preload([])
