# Synapses with a state of their own that goes on in time: NMDA-like kinetics, summed into the
# target (after Wang, 1999).
# random: no
from brian2 import *

tau_rise, tau_decay, alpha = 2*ms, 100*ms, 0.5*kHz
source = SpikeGeneratorGroup(12, arange(48) % 12, sort((arange(48)*37 % 150 + 1))*ms)
target = NeuronGroup(3, '''
    dv/dt = (-(v + 70*mV) - g_nmda*block*(v - 0*mV) - 0.05*s_gaba*(v + 80*mV))/(15*ms) : volt
    block = 1/(1 + 0.28*exp(-v/(16*mV))) : 1
    g_nmda : 1
    s_gaba : 1
''', threshold='v > -52*mV', reset='v = -65*mV', refractory=2*ms, method='rk2')
target.v = -70*mV
nmda = Synapses(source, target, '''
    g_nmda_post = w*s : 1 (summed)
    ds/dt = -s/tau_decay + alpha*x*(1 - s) : 1 (clock-driven)
    dx/dt = -x/tau_rise : 1 (clock-driven)
    w : 1 (constant)
''', on_pre='x += 1', method='rk2')
nmda.connect()
nmda.w = '0.3 + 0.2*j'
gaba = Synapses(source, target, '''s_gaba_post = s : 1 (summed)
                                       ds/dt = -s/(10*ms) : 1 (clock-driven)''',
                on_pre='s += 1', method='exact')
gaba.connect('i % 3 == 0')

gating = StateMonitor(nmda, ('s', 'x'), record=nmda[0, 2])
voltage = StateMonitor(target, ['v', 'g_nmda'], record=True)
spikes = SpikeMonitor(target)
run(200*ms)
print('spikes', spikes.count[:], 'highest gating %.3f' % gating.s.max())
