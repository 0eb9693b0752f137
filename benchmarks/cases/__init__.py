"""The cases of ``gpurun bench``, one file each; `gpurun.bench.suite.case` says what they hold."""
