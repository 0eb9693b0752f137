"""Finds the headers of a project, and writes C++ for those that hold CUDA.

A header is the project's if it stands next to what includes it or in a folder given by ``-I``.
One that holds a launch or ``__shared__``, and every one that includes such a header, is written
to a private folder; the ``#include`` lines that lead there name the copies. All others are left
where they are.
"""

from __future__ import annotations

import os
import re

from .rewrite import Edit, apply_edits, edits_of, needs_rewriting

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*("[^"\n]+"|<[^>\n]+>)', re.MULTILINE)
# Given by -I now and then, but nobody's project.
_SYSTEM = ("/usr/include", "/usr/local/include")


class SourceFile:
    """A source or header and what it includes.

    Attributes
    ----------
    path : str
        As the compiler would name it.
    text : str
        What is in it.
    included : list
        For each ``#include``: where its name stands (with quotes or brackets), that name, and
        the file, if it is the project's.
    """

    def __init__(self, path: str):
        self.path = path
        # Bytes that are not UTF-8 (in comments, mostly) come through unchanged.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            self.text = file.read()
        self.included: list[tuple[int, int, str, SourceFile | None]] = []


class Project:
    """The files that a source consists of.

    Parameters
    ----------
    source : str
        The source.
    folders : list of str
        Where its headers may be, in the order in which the compiler looks.
    foreign : list of str
        Folders of headers that are left alone.
    """

    def __init__(self, source: str, folders: list[str], foreign: list[str]):
        self._foreign = tuple(os.path.realpath(one) for one in (*foreign, *_SYSTEM))
        self._folders = [one for one in folders if not self._is_foreign(one)]
        self._files: dict[str, SourceFile] = {}
        self.source = self._load(source)
        self.copied = self._which_to_copy()
        self.names: frozenset[str] = frozenset(
            name[1:-1] for file in self._files.values() for _, _, name, _ in file.included
        )

    @property
    def headers(self) -> list[SourceFile]:
        """The project's headers that the source includes."""
        return [file for file in self._files.values() if file is not self.source]

    def _is_foreign(self, path: str) -> bool:
        path = os.path.realpath(path)
        return any(path == one or path.startswith(one + os.sep) for one in self._foreign)

    def _find(self, includer: str, name: str) -> str | None:
        quoted, name = name[0] == '"', name[1:-1]
        if os.path.isabs(name):
            return name if os.path.isfile(name) and not self._is_foreign(name) else None
        for folder in [os.path.dirname(includer)] * quoted + self._folders:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return None if self._is_foreign(path) else path
        return None

    def _load(self, path: str) -> SourceFile:
        key = os.path.realpath(path)
        if key in self._files:
            return self._files[key]
        file = self._files[key] = SourceFile(path)
        for match in _INCLUDE.finditer(file.text):
            found = self._find(path, match[1])
            target = self._load(found) if found else None
            file.included.append((match.start(1), match.end(1), match[1], target))
        return file

    def _which_to_copy(self) -> set[SourceFile]:
        copied = {file for file in self._files.values() if needs_rewriting(file.text)}
        while True:
            more = {
                file
                for file in self._files.values()
                if file not in copied and any(target in copied for *_, target in file.included)
            }
            if not more:
                return copied
            copied |= more

    def write(self, folder: str) -> dict[str, str]:
        """Write C++ for the files that need it.

        Parameters
        ----------
        folder : str
            An empty one.

        Returns
        -------
        dict
            Paths that the compiler will see, to those that the user knows.
        """
        order = [file for file in self._files.values() if file in self.copied]
        copies = {
            file: os.path.join(folder, str(number), os.path.basename(file.path))
            for number, file in enumerate(order)
        }
        origins = {copy: file.path for file, copy in copies.items()}
        for file, copy in copies.items():
            edits: list[Edit] = edits_of(file.text, file.path)
            for start, end, name, target in file.included:
                if target in copies:
                    edits.append((start, end, f'"{copies[target]}"'))
                elif target is not None and name[0] == '"':
                    # It may have been found next to a file that is elsewhere now.
                    absolute = os.path.abspath(target.path)
                    origins[absolute] = target.path
                    edits.append((start, end, f'"{absolute}"'))
            shown = file.path.replace("\\", "\\\\").replace('"', '\\"')
            os.makedirs(os.path.dirname(copy))
            with open(copy, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
                out.write(f'#line 1 "{shown}"\n' + apply_edits(file.text, edits))
        return origins
