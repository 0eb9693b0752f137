# Propagation of a volley through a chain of noisy pools (Diesmann, Gewaltig and Aertsen,
# 1999).
# random: yes
# statistics: v_end
import sys

from brian2 import *

seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1999)
taum = 10*ms
taupsp = 0.325*ms
weight = 7.5*mV
Vr = -70*mV
Vt = -55*mV
sigma = 2*mV
rest = 7*mV
n_groups, group_size = 6, 60

eqs = '''
dV/dt = (-(V - Vr) + rest + x)/taum + sigma*sqrt(2/taum)*xi : volt
dx/dt = (-x + y)/taupsp : volt
dy/dt = -y/taupsp : volt
'''
P = NeuronGroup(n_groups*group_size, eqs, threshold='V > Vt', reset='V = Vr', refractory=1*ms,
                method='euler')
P.V = 'Vr + rest + randn()*sigma'
pools = [P[k*group_size:(k + 1)*group_size] for k in range(n_groups)]
pulse = SpikeGeneratorGroup(85, arange(85), linspace(48, 52, 85)*ms)

S = Synapses(P, P, on_pre='y += weight', delay=5*ms)
for pool, following in zip(pools[:-1], pools[1:]):
    S.connect(i=repeat(arange(pool.start, pool.stop), group_size),
              j=tile(arange(following.start, following.stop), group_size))
Sinput = Synapses(pulse, pools[0], on_pre='y += weight')
Sinput.connect()

spikes = SpikeMonitor(P)
run(100*ms)

v_end = array(P.V)
reached = [sum((spikes.i >= pool.start) & (spikes.i < pool.stop)) > group_size//2 for pool in pools]
print('pools that the volley reached:', int(sum(reached)))
plot(spikes.t/ms, spikes.i/group_size, '.')
yticks(arange(n_groups))
show()
