# A balanced network with conductance-based synapses (Vogels and Abbott, 2005; benchmark 1 of
# Brette et al., 2007), small and for a short time.
# random: no
from brian2 import *

seed(2007)
taum = 20*ms
taue = 5*ms
taui = 10*ms
Vt = -50*mV
Vr = -60*mV
El = -60*mV
Ee = 0*mV
Ei = -80*mV
we = 1.2
wi = 13.0

eqs = '''
dv/dt = (ge*(Ee-v) + gi*(Ei-v) - (v-El) + drive)/taum : volt (unless refractory)
dge/dt = -ge/taue : 1
dgi/dt = -gi/taui : 1
drive : volt (constant)
'''
P = NeuronGroup(400, eqs, threshold='v > Vt', reset='v = Vr', refractory=5*ms, method='euler')
P.v = 'Vr + rand()*(Vt - Vr)'
P.ge = '(randn()*1.5 + 4)*0.1'
P.gi = '(randn()*12 + 20)*0.01'
P.drive = '11*mV + 2*mV*rand()'

Pe = P[:320]
Pi = P[320:]
Ce = Synapses(Pe, P, on_pre='ge += 0.05*we')
Ci = Synapses(Pi, P, on_pre='gi += 0.05*wi')
Ce.connect('i != j', p=0.05)
Ci.connect('i != j', p=0.05)
print(len(Ce), 'excitatory and', len(Ci), 'inhibitory synapses')

s_mon = SpikeMonitor(P)
r_mon = PopulationRateMonitor(Pe)
run(200*ms, report='text')

print('mean rate %.2f Hz' % (s_mon.num_spikes/(400*0.2)))
subplot(211)
plot(s_mon.t/ms, s_mon.i, ',k')
ylabel('Neuron index')
subplot(212)
plot(r_mon.t/ms, r_mon.smooth_rate(window='flat', width=5*ms)/Hz)
xlabel('Time (ms)')
show()
