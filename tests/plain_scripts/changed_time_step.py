# One network goes on with a finer time step and then with a coarser one, with spikes on their
# way and cells in their refractory time.
# random: no
from brian2 import *

defaultclock.dt = 0.1*ms
G = NeuronGroup(5, 'dv/dt = (1.3 + 0.1*i - v)/(10*ms) : 1 (unless refractory)',
                threshold='v > 1', reset='v = 0', refractory=2*ms, method='euler')
S = Synapses(G, G, on_pre='v_post += 0.05')
S.connect(condition='i != j')
S.delay = '1*ms + 0.4*ms*abs(i - j)'
M = SpikeMonitor(G)
trace = StateMonitor(G, 'v', record=[0, 4])
run(40*ms)
first = M.num_spikes
defaultclock.dt = 0.05*ms
run(40*ms)
second = M.num_spikes
defaultclock.dt = 0.2*ms
run(40*ms)
print(first, second, M.num_spikes, len(trace.t))
