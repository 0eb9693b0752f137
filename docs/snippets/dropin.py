from brian2 import *

set_device("cpp_standalone", build_on_run=False)
seed(1)

neurons = NeuronGroup(
    100, "dv/dt = (drive - v)/(10*ms) : 1\ndrive : 1", threshold="v > 1", reset="v = 0"
)
spikes = SpikeMonitor(neurons)
run(100 * ms)

device.build(run=False)
for drive in (0.9, 1.1, 2.0):
    device.run(run_args={neurons.drive: drive})
    print(drive, spikes.num_spikes)
