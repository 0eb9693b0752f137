"""A figure from a script that knows nothing of standalone mode.

Run it with `python` or with `gpurun`: it builds a network, runs it, reads what came out, changes
the input by that, and runs it again. The numbers are the same.
"""

from brian2 import *

seed(7)
tau, goal = 20 * ms, 15 * Hz
cells = NeuronGroup(
    200,
    """dv/dt = (drive + bias - v)/tau : 1 (unless refractory)
       drive : 1 (shared)
       bias : 1 (constant)""",
    threshold="v > 1",
    reset="v = 0",
    refractory=2 * ms,
    method="exact",
)
cells.bias = "0.4*rand()"
recurrent = Synapses(cells, cells, on_pre="v_post -= 0.01", delay=1.5 * ms)
recurrent.connect(p=0.1)
spikes = SpikeMonitor(cells)

rates, drives, level, seen = [], [], 0.7, 0
for trial in range(8):
    cells.drive = level
    run(100 * ms)
    # What a run has recorded is there, and what is set here counts from the next one on
    rate = (spikes.num_spikes - seen) / len(cells) / (100 * ms)
    seen = spikes.num_spikes
    rates.append(rate / Hz)
    drives.append(level)
    print(f"{trial}: drive {level:.3f}, {rate / Hz:.2f} Hz")
    level += 0.01 * (goal - rate) / Hz

plot(drives, rates, "o-")
xlabel("drive"), ylabel("rate (Hz)")
savefig("rates.png")
