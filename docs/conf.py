"""Configuration of the documentation."""

from __future__ import annotations

from importlib import metadata

project = "gpurun"
author = "the gpurun developers"
copyright = author
release = version = metadata.version("gpurun")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "myst_parser",
    "numpydoc",
]
exclude_patterns = ["_build", "snippets"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

html_theme = "furo"
html_title = f"gpurun {release}"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections say it in words
autosummary_generate = False
# Members are listed by autodoc, with all of their text.
numpydoc_show_class_members = False
# A broken reference in a docstring is a warning, and so an error.
nitpicky = True
nitpick_ignore = [
    ("py:func", "from_environment"),  # gpurun.config's own
    ("py:meth", "building"),  # the cache's, not for users
]
