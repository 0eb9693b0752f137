"""A sweep over two parameters, on as many sessions as the machine has use for.

    gpurun examples/sweep.py
    gpurun examples/sweep.py --device 0

How often does a noisy neuron fire, for each input and each time constant? Every point is run
several times with noise of its own. The results file goes on where it stopped: run the script
again, and only what is missing is run.
"""

import argparse

import numpy as np
from brian2 import NeuronGroup, SpikeMonitor, ms, run, second, set_device

import gpurun
from gpurun.config import settings

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--output", default="sweep.zarr", help="results file")
options = parser.parse_args()

set_device("gpurun", build_on_run=False)
neuron = NeuronGroup(
    20,
    """dv/dt = (drive - v)/tau + 0.2*xi/sqrt(tau) : 1 (unless refractory)
       drive : 1 (shared)
       tau : second (shared, constant)""",
    threshold="v > 1",
    reset="v = 0",
    refractory=2 * ms,
    method="euler",
    name="neuron",
)
neuron.tau = 10 * ms
spikes = SpikeMonitor(neuron, record=False, name="spikes")
run(0.5 * second)
model = gpurun.build()

drives = np.linspace(0.6, 1.6, 6)
taus = [5 * ms, 10 * ms, 20 * ms]
with gpurun.Scheduler(model, settings().device, seed=1) as scheduler:
    sweep = scheduler.sweep(
        {neuron.drive: drives, neuron.tau: taus},
        options.output,
        repeats=options.repeats,
        record=[spikes.count],
    )
print(f"{sweep.ran} runs made, {len(drives) * len(taus) * options.repeats} in {sweep.path}")

# Spikes per second of a neuron, by input (rows) and time constant (columns)
rates = np.zeros(sweep.shape)
for result in sweep.results:
    place = np.unravel_index(result.facts["sweep"]["point"], sweep.shape)
    rates[place] += result["spikes.count"].mean() / 0.5 / options.repeats
print("drive " + "".join(f"{tau / ms:6.0f} ms" for tau in taus))
for drive, row in zip(drives, rates, strict=True):
    print(f"{drive:5.1f} " + "".join(f"{rate:6.1f} Hz" for rate in row))
