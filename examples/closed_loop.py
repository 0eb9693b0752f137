"""The next stimulus depends on the last answer: a loop closed in Python.

    gpurun examples/closed_loop.py

How strong must the input be for a population to fire a given number of spikes?
Python runs the network, reads the spike count, and chooses the next run's input
from it. No stimulus list can be written beforehand, so every answer is waited
for: under gpurun it costs one time loop, not a new process.

Everything here is Brian's own: `python examples/closed_loop.py` prints the same.
"""

from brian2 import *

set_device("cpp_standalone", build_on_run=False)
seed(4)  # the same input noise in every run, so that only the rates differ

inputs = PoissonGroup(200, rates=0 * Hz)
neurons = NeuronGroup(
    30,
    """dv/dt = -v / (20*ms) : 1 (unless refractory)
       dtheta/dt = -theta / (100*ms) : 1""",
    threshold="v > 1 + theta",
    reset="v = 0; theta += 0.05",
    refractory=3 * ms,
    method="exact",
)
synapses = Synapses(inputs, neurons, on_pre="v += 0.06")
synapses.connect(p=0.25)
spikes = SpikeMonitor(neurons)
run(500 * ms)

device.build(run=False)


def count_spikes(rate):
    """Present inputs of one rate, and return how many spikes they caused."""
    device.run(run_args={inputs.rates: rate})
    return spikes.num_spikes


for target in [50, 200, 400]:
    low, high = 0 * Hz, 200 * Hz  # too weak and too strong
    for run_number in range(1, 21):
        rate = (low + high) / 2
        answer = count_spikes(rate)
        print(f"target {target}  run {run_number:2d}  {rate / Hz:8.4f} Hz  {answer:4d} spikes")
        if abs(answer - target) <= 0.01 * target:
            break
        # The choice: stronger after too few spikes, weaker after too many
        low, high = (rate, high) if answer < target else (low, rate)
