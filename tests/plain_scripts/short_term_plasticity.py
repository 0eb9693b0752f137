# Depression and facilitation of a synapse (Tsodyks and Markram, 1997), over several input
# rates.
# random: no
from brian2 import *

tau_m = 20*ms
tau_d, tau_f = 200*ms, 500*ms
rates = array([5, 10, 20, 40, 70])
train_indices = concatenate([full(int(r*0.6), k) for k, r in enumerate(rates)])
train_times = concatenate([0.01 + arange(int(r*0.6))/r for r in rates])*second

source = SpikeGeneratorGroup(len(rates), train_indices, train_times)
target = NeuronGroup(2*len(rates), 'dv/dt = -v/tau_m : 1', method='exact')
synapse_model = '''
U : 1
dx/dt = (1 - x)/tau_d : 1 (event-driven)
du/dt = (U - u)/tau_f : 1 (event-driven)
released : 1
'''
on_spike = '''
u += U*(1 - u)
released = u*x
x -= released
v_post += released
'''
depressing = Synapses(source, target, synapse_model, on_pre=on_spike)
depressing.connect(j='i')
facilitating = Synapses(source, target, synapse_model, on_pre=on_spike)
facilitating.connect(j='i + N_pre')
for syn, U in ((depressing, 0.6), (facilitating, 0.08)):
    syn.U = U
    syn.u = U
    syn.x = 1

released = StateMonitor(depressing, 'released', record=True, dt=1*ms)
voltage = StateMonitor(target, 'v', record=True, dt=0.5*ms)
run(620*ms)
steady = voltage.v[:, -200:].max(axis=1)
print('steady state, depressing  ', ['%.3f' % v for v in steady[:5]])
print('steady state, facilitating', ['%.3f' % v for v in steady[5:]])
