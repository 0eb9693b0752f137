"""What do the synaptic weights do? Halve and double them between runs.

    gpurun examples/weights_between_runs.py

The network is compiled once. Its first run draws connections and weights; the
runs after it are the same network, with the same input spikes, and only the
weights changed. The last run has the first run's weights again, and gives the
first run's spikes again.

Everything here is Brian's own: `python examples/weights_between_runs.py` prints
the same table. There every run is a new process; under gpurun the network stays
in memory, and a run costs its weights and its time loop.
"""

from brian2 import *

set_device("cpp_standalone", build_on_run=False)
seed(20)  # every device.run below gets this seed: same connections, same input spikes

inputs = PoissonGroup(100, rates=20 * Hz)
neurons = NeuronGroup(
    11, "dv/dt = -v / (20*ms) : volt", threshold="v > 15*mV", reset="v = 0*mV", method="exact"
)
synapses = Synapses(inputs, neurons, "w : volt", on_pre="v += w")
synapses.connect(p=0.6)
synapses.w = "(0.2 + 1.2*rand()) * mV"
spikes = SpikeMonitor(neurons)
run(1 * second)

device.build(run=False)  # compile; nothing runs yet

# The weights are drawn by the compiled code, so they are known after a first run.
device.run()
weights = synapses.w[:]
print(f"{len(weights)} synapses, mean weight {mean(weights) / mV:.3f} mV")
print("weights  spikes  spikes of each neuron")
print(f"drawn    {spikes.num_spikes:6d}  {spikes.count[:]}")

for name, factor in [("halved", 0.5), ("doubled", 2), ("as drawn", 1)]:
    device.run(run_args={synapses.w: factor * weights})
    print(f"{name:8} {spikes.num_spikes:6d}  {spikes.count[:]}")
