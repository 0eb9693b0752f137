# Trials with fresh noise in each, in a loop over restore: the trials have to differ.
# random: yes
# statistics: first_spikes v_ends
import sys

from brian2 import *

seed(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
G = NeuronGroup(120, 'dv/dt = (1.1 - v)/(10*ms) + 0.15*xi*sqrt(2/(10*ms)) : 1',
                threshold='v > 1', reset='v = 0', refractory=1*ms, method='euler')
M = SpikeMonitor(G)
store()
first_spikes, v_ends = [], []
for trial in range(4):
    restore()
    run(60*ms)
    trains = M.spike_trains()
    first_spikes += [float(trains[k][0]/ms) if len(trains[k]) else 60.0 for k in range(120)]
    v_ends += list(G.v[:])
first_spikes, v_ends = array(first_spikes), array(v_ends)
same = [array_equal(v_ends[:120], v_ends[120*k:120*k + 120]) for k in range(1, 4)]
print('trials that repeat the first:', sum(same))
