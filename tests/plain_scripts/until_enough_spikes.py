# Runs in pieces until enough spikes were seen, with progress on the way.
# random: no
from brian2 import *

G = NeuronGroup(3, 'dv/dt = (1.05 + 0.1*i - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                method='euler')
G.v = [0.1, 0.5, 0.3]
M = SpikeMonitor(G)
net = Network(G, M)
pieces = 0
while M.count[0] < 6 and net.t < 0.5*second:
    net.run(7*ms)
    pieces += 1
    if pieces % 10 == 0:
        print('after', net.t, M.count[:])
print(pieces, 'pieces;', 'mean interval %.2f ms' % mean(diff(M.spike_trains()[0]/ms)))
