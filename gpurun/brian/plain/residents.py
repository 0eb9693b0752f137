"""The sessions that compute the runs of plain scripts, by the code that they run."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from gpurun.brian.plain.recorder import Recording
from gpurun.brian.plain.session import PlainSession
from gpurun.brian.plain.sync import values_of
from gpurun.build import code_key, ready_library
from gpurun.errors import PlainScriptError
from gpurun.model import Data, Model

#: More than a script has networks under way at a time; each holds one of them in memory.
_MOST = 4
_SEED = b"seed 0"


class Residents:
    """Sessions that stay open from one run to the next.

    Parameters
    ----------
    device : str
        Where sessions are opened, as in :func:`gpurun.config.parse_device`.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._open: OrderedDict[str, PlainSession] = OrderedDict()

    def close(self) -> None:
        """Give all memory back."""
        for session in self._open.values():
            session.close()
        self._open.clear()

    def model_of(self, recording: Recording, recorded: set[Any]) -> Model:
        """The model of a recording, with the script's present values as its frozen set-up."""
        key = ready_library(recording.code, recording.manifest)
        data = Data(recording.static, values_of(recording, recorded), _SEED)
        return Model(recording.manifest, recording.code, data, key)

    def session(self, recording: Recording, recorded: set[Any]) -> PlainSession:
        """A session with the code of a recording; what state it is in does not matter.

        Raises
        ------
        BuildError, ToolchainError, DeviceUnavailableError, DeviceMemoryError
        PlainScriptError
            C++ functions with state of their own would begin anew.
        """
        key = code_key(recording.code)
        found = self._open.get(key)
        if found is None:
            self._refuse_new_state(recording)
            while len(self._open) >= _MOST:
                self._open.popitem(last=False)[1].close()
            # What static variables hold stays between runs in runtime mode, too
            found = self._open[key] = PlainSession(
                self.model_of(recording, recorded), device=self.device, keep_static_state=True
            )
        self._open.move_to_end(key)
        return found

    def _refuse_new_state(self, recording: Recording) -> None:
        functions = set(recording.manifest.static_state)
        for session in self._open.values():
            shared = functions & set(session.model.manifest.static_state)
            if shared:
                name = min(shared)
                raise PlainScriptError(
                    f"The C++ function '{name}' may hold static state, and the network has changed "
                    "since it ran: its new code would begin with new static state. Keep the state "
                    "in a variable of a group instead, or run the script with '--device runtime'.",
                    what=name,
                    line=None,
                )
