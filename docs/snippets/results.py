from brian2 import *

import gpurun

set_device("gpurun", build_on_run=False)
seed(1)

neurons = NeuronGroup(
    20,
    """dv/dt = (drive - v)/(10*ms) : volt
       drive : volt""",
    threshold="v > 10*mV",
    reset="v = 0*mV",
    method="exact",
    name="neurons",
)
spikes = SpikeMonitor(neurons, name="spikes")
trace = StateMonitor(neurons, "v", record=[0, 19], name="trace")
run(100 * ms)
model = gpurun.build()

# Write: each result is one run of the file
with model.session() as session:
    for strength in (11, 12, 20) * mV:
        overrides = {neurons.drive: strength}
        result = session.run(overrides, record=[spikes, trace, spikes.count], seed=3)
        result.save("sweep.zarr", overrides=overrides)

# Read: nothing is loaded but what is asked for
results = gpurun.open_results("sweep.zarr")
for record in results:
    strength = record.facts["overrides"]["neurons.drive"]["value"]
    first = record["spikes"].t[:1]  # one chunk
    print(f"run {record.number}: {strength * 1e3:.0f} mV, {len(record['spikes'])} spikes", first)

counts = results["spikes.count"].values[:]  # of all runs
print(counts.shape, counts.sum(axis=1))
v = results["trace"].to_xarray().v  # run, time, neuron
print(dict(v.sizes), v.attrs["units"], float(v.sel(neuron=19).max()))
