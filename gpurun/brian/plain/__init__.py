"""Scripts that never call ``set_device``: Brian's runtime mode, with a resident time loop.

See ``docs/design/plain_scripts.md``.
"""
