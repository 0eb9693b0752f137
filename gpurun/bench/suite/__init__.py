"""``gpurun bench``: what a user can choose on this machine, side by side in one run.

`case` says what a file of ``benchmarks/cases`` holds, `contender` what one of
``benchmarks/contenders`` does, `schema` what the report is.
"""
