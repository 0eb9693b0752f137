"""Everything that knows Brian2. No other part of gpurun imports it."""
