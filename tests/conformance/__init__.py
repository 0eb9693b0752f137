"""brian2's own standalone test suite, run on gpurun and compared with brian2's device.

Several configurations (see :mod:`conformance.plan`) run the same tests in fresh
processes; their outcomes are compared test by test. `ci/conformance.sh` is the
entry point.
"""
