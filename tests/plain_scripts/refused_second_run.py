# The first run can be computed; before the second one a network operation is added.
# random: no
# refused: network operation log_progress
# printed: first run: 6
from brian2 import *

G = NeuronGroup(2, 'dv/dt = (2 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                method='exact')
M = SpikeMonitor(G)
net = Network(G, M)
net.run(25*ms)
print('first run:', M.num_spikes)
lines = []


@network_operation(dt=10*ms)
def log_progress(t):
    lines.append((t/ms, M.num_spikes))


net.add(log_progress)
net.run(50*ms)
print(lines)
