# A thousand cells, here fewer, of Izhikevich (2003) with thalamic noise in each millisecond.
# random: yes
# statistics: v_end counts_exc counts_inh
import sys

from brian2 import *

seed(int(sys.argv[1]) if len(sys.argv) > 1 else 2003)
rng = np.random.RandomState(2003)
Ne, Ni = 320, 80
re, ri = rng.rand(Ne), rng.rand(Ni)
defaultclock.dt = 0.5*ms

eqs = '''
dv/dt = (0.04*v**2 + 5*v + 140 - u + I + noise)/ms : 1
du/dt = a*(b*v - u)/ms : 1
I : 1
noise : 1
a : 1 (constant)
b : 1 (constant)
c : 1 (constant)
d : 1 (constant)
'''
neurons = NeuronGroup(Ne + Ni, eqs, threshold='v >= 30', reset='v = c; u += d', method='euler')
neurons.a = concatenate([0.02*ones(Ne), 0.02 + 0.08*ri])
neurons.b = concatenate([0.2*ones(Ne), 0.25 - 0.05*ri])
neurons.c = concatenate([-65 + 15*re**2, -65*ones(Ni)])
neurons.d = concatenate([8 - 6*re**2, 2*ones(Ni)])
neurons.v = -65
neurons.u = 'b*v'
neurons.run_regularly('noise = (5*int(i < Ne) + 2*int(i >= Ne))*randn(); I = 0', dt=1*ms)

S = Synapses(neurons, neurons, 'w : 1', on_pre='I_post += w')
S.connect(p=0.1)
S.w = '(0.5*int(i < Ne) - 1.0*int(i >= Ne))*rand()'
spikes = SpikeMonitor(neurons)
run(250*ms)

v_end = array(neurons.v)
counts_exc, counts_inh = array(spikes.count[:Ne]), array(spikes.count[Ne:])
plot(spikes.t/ms, spikes.i, 'k.', ms=0.5)
show()
