# A recording that has to include the state after the last step: it is added by hand.
# random: no
from brian2 import *

G = NeuronGroup(3, 'dv/dt = (1 + i - v)/(10*ms) : 1', method='exact')
decayed = StateMonitor(G, 'v', record=True, dt=2*ms)
run(20*ms)
print(len(decayed.t), decayed.t[-1])
decayed.record_single_timestep()
print(len(decayed.t), decayed.t[-1], decayed.v[:, -1] == G.v[:])
run(10*ms)
print(len(decayed.t), decayed.t[-1])
