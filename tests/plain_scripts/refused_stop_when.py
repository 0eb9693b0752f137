# A run that is stopped from Python when a condition is met.
# random: no
# refused: network operation stop_when_done
from brian2 import *

G = NeuronGroup(5, 'dv/dt = (2 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                method='exact')
M = SpikeMonitor(G)


def stop_when_done(t):
    if M.num_spikes > 20:
        stop()


checker = NetworkOperation(stop_when_done, dt=5*ms)
net = Network(G, M, checker)
net.run(1*second)
print(net.t, M.num_spikes)
