"""Everything that knows Brian2. No other part of gpurun imports it."""

# First of all: importing brian2 registers the device, which imports the modules of this
# package, and none of them may be half imported by then.
import brian2 as _brian2  # noqa: F401
