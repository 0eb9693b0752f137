"""What ends the work of the emulated nvcc."""

from __future__ import annotations


class Fatal(Exception):  # noqa: N818 - it is nvcc's own word
    """Something that nvcc itself refuses, printed as nvcc prints it."""


class SourceError(Exception):
    """Something in a source file that cannot be compiled.

    Parameters
    ----------
    path : str
        The file, as the user named it.
    line : int
        Counted from 1.
    text : str
        What is wrong with it.
    """

    def __init__(self, path: str, line: int, text: str):
        super().__init__(f"{path}:{line}: error: {text}")


class Unprepared(Exception):  # noqa: N818
    """Something that nvcc has to make first could not be made."""


class Misplaced(Exception):  # noqa: N818
    """Something in a text that cannot be compiled, at a position.

    Parameters
    ----------
    position : int
        Where in the text.
    text : str
        What is wrong there.
    """

    def __init__(self, position: int, text: str):
        super().__init__(position, text)
        self.position = position
        self.text = text
