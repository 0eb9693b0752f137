"""The benchmark harness: interleaved contenders, honest statistics, one report.

A case is a file of the `benchmarks` folder. ``python -m gpurun.bench CASE`` runs it,
stores the report as JSON and renders the page of the documentation from it.
Speed is measured here and never asserted in a test.
"""
