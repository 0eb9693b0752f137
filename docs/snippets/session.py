from brian2 import *

import gpurun

set_device("gpurun", build_on_run=False)
seed(1)

inputs = PoissonGroup(64, rates=np.zeros(64) * Hz, name="inputs")
neurons = NeuronGroup(
    10,
    "dv/dt = -v/(20*ms) : 1",
    threshold="v > 1",
    reset="v = 0",
    method="exact",
    name="neurons",
)
synapses = Synapses(
    inputs,
    neurons,
    """w : 1
       dapre/dt = -apre/(20*ms) : 1 (event-driven)""",
    on_pre="v += w; apre += 0.0005",
    on_post="w = clip(w + apre, 0, 0.2)",
    name="synapses",
)
synapses.connect()
synapses.w = "0.1*rand()"
spikes = SpikeMonitor(neurons, name="spikes")
run(350 * ms)

model = gpurun.build()  # compiles, or finds the library in the cache

images = np.random.default_rng(1).uniform(0, 60, (5, 64))
with model.session(device="auto") as session:
    for image in images:
        result = session.run(
            {inputs.rates: image * Hz},  # what differs from the script
            carry=[synapses.w],  # what stays as the last run left it
            record=[spikes.count, spikes],  # what is read back
        )
        counts = result[spikes.count]  # a numpy array that is yours
        first = result[spikes].t[:1]  # all that the monitor recorded
        print(counts, first, f"{result.loop_time * 1e3:.1f} ms in the time loop")
    weights = session.read(synapses.w)
    session.advance(100 * ms)  # go on from here, spikes in flight included
