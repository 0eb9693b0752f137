"""Data sets that are read in pieces, from arrays, files and other libraries' data sets."""

from gpurun.stimulus.sources.choose import source

__all__ = ["source"]
