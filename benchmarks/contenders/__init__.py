"""The contenders of ``gpurun bench``; `gpurun.bench.suite.contender` says what they do."""
