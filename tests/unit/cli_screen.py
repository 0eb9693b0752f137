"""A terminal: what it shows after it received some text."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b(.)|([\r\n\b])|([^\x1b\r\n\b]+)")


class Screen:
    """Understands what the command line may send, and refuses the rest.

    Parameters
    ----------
    rows, columns : int
        Size of the terminal.
    text : str, optional
        What it receives at first.
    """

    def __init__(self, rows: int, columns: int, text: str = "") -> None:
        self.rows = rows
        self.columns = columns
        self.scrolled: list[str] = []
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.region = (0, rows - 1)
        self.saved = (0, 0)
        self.history: list[str] = []  # of the last row
        self.receive(text)

    def receive(self, text: str) -> None:
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            assert match, f"unexpected {text[position : position + 20]!r}"
            position = match.end()
            numbers, final, escape, control, plain = match.groups()
            if final:
                self._sequence(numbers, final)
            elif escape == "7":
                self.saved = (self.row, self.column)
            elif escape == "8":
                self.row, self.column = self.saved
            elif escape == "D" or control == "\n":
                self._down()
            elif control == "\r":
                self.column = 0
            elif control == "\b":
                self.column = max(self.column - 1, 0)
            else:
                assert plain, f"unexpected escape {escape!r}"
                self._print(plain)

    def _sequence(self, numbers: str, final: str) -> None:
        values = [int(number) for number in re.findall(r"\d+", numbers)]
        if final == "r":
            top, bottom = values or (1, self.rows)
            self.region = (top - 1, bottom - 1)
            self.row = self.column = 0
        elif final == "H":
            self.row, self.column = values[0] - 1, values[1] - 1
        elif final == "A":
            self.row = max(self.row - (values or [1])[0], 0)
        elif (numbers, final) == ("2", "K"):
            self.cells[self.row] = [" "] * self.columns
        else:
            assert final == "m", f"unexpected sequence ESC[{numbers}{final}"

    def _down(self) -> None:
        top, bottom = self.region
        if self.row == bottom:
            gone = self.cells.pop(top)
            self.scrolled.append("".join(gone).rstrip())
            self.cells.insert(bottom, [" "] * self.columns)
        elif self.row < self.rows - 1:
            self.row += 1

    def _print(self, text: str) -> None:
        for letter in text:
            if self.column == self.columns:
                self.column = 0
                self._down()
            self.cells[self.row][self.column] = letter
            self.column += 1
        if self.row == self.rows - 1:
            self.history.append(self.lines[-1])

    @property
    def lines(self) -> list[str]:
        """The rows on the screen."""
        return ["".join(cells).rstrip() for cells in self.cells]

    @property
    def text(self) -> list[str]:
        """All that can be read, what has scrolled away first, without blank lines."""
        return [line for line in self.scrolled + self.lines if line]
