# A sparse network of excitatory and inhibitory cells with external Poisson input (Brunel,
# 2000), scaled down.
# random: yes
# statistics: isi counts
import sys

from brian2 import *

seed(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
N_E, N_I, C_E, C_I = 320, 80, 32, 8
J, g = 0.5*mV, 5.0
tau, theta, V_r, tau_rp, D = 20*ms, 20*mV, 10*mV, 2*ms, 1.5*ms
nu_ext = 1.2*theta/(J*C_E*tau)

neurons = NeuronGroup(N_E + N_I, 'dv/dt = -v/tau : volt (unless refractory)',
                      threshold='v > theta', reset='v = V_r', refractory=tau_rp, method='exact')
neurons.v = 'rand()*theta'
exc, inh = neurons[:N_E], neurons[N_E:]
exc_synapses = Synapses(exc, neurons, on_pre='v += J', delay=D)
exc_synapses.connect(p=C_E/N_E)
inh_synapses = Synapses(inh, neurons, on_pre='v += -g*J', delay=D)
inh_synapses.connect(p=C_I/N_I)
external = PoissonInput(target=neurons, target_var='v', N=C_E, rate=nu_ext, weight=J)

rate_monitor = PopulationRateMonitor(neurons)
spike_monitor = SpikeMonitor(neurons)
run(400*ms)

counts = array(spike_monitor.count)
isi = concatenate([diff(train/ms) for train in spike_monitor.spike_trains().values()])[::7]
print('mean rate below 100 Hz:', mean(counts)/0.4 < 100)
