# An f-I curve with store and restore around each point, so that the network is built once.
# random: no
from brian2 import *

tau, gl = 15*ms, 10*nS
E_L, V_t, V_r = -70*mV, -50*mV, -60*mV
neuron = NeuronGroup(1, '''dv/dt = (E_L - v)/tau + I/(gl*tau) : volt (unless refractory)
                           I : amp''',
                     threshold='v > V_t', reset='v = V_r', refractory=3*ms, method='euler')
neuron.v = E_L
monitor = SpikeMonitor(neuron)
store()

currents = arange(0.1, 0.6, 0.05)*nA
rates = []
for current in currents:
    restore()
    neuron.I = current
    run(200*ms)
    rates.append(monitor.num_spikes/0.2)
print(rates)

restore()
print('after the last restore:', defaultclock.t, monitor.num_spikes, neuron.v[0])
plot(currents/nA, rates, 'o-')
show()
