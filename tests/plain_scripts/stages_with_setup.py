# Several runs in a row: between them synapses are scaled, currents are switched, and cells
# are perturbed, without a look at the results.
# random: no
from brian2 import *

tau = 10*ms
cells = NeuronGroup(20, '''dv/dt = (I + s - v)/tau : 1
                           ds/dt = -s/(5*ms) : 1
                           I : 1''',
                    threshold='v > 1', reset='v = 0', refractory=2*ms, method='exact')
cells.I = linspace(0.8, 1.6, 20)
ring = Synapses(cells, cells, 'w : 1', on_pre='s_post += w', delay=3*ms)
ring.connect(j='(i + k) % N_post for k in range(1, 3)')
ring.w = 0.2
spikes = SpikeMonitor(cells)
trace = StateMonitor(cells, 'v', record=[0, 10])

run(60*ms)                      # spontaneous
cells.I[:10] += 0.5             # half of the ring gets more
run(60*ms)
ring.w *= -1                    # excitation becomes inhibition
ring.w['i > j'] = 0.4
run(60*ms)
cells.v = 0
cells.I = 0
run(40*ms)

edges = [0, 60, 120, 180, 220]*ms
per_stage, _ = histogram(spikes.t/ms, edges/ms)
print('spikes in each stage:', per_stage)
