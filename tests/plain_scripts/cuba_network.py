# A network with current-based synapses and exact integration (after Vogels and Abbott, 2005),
# drawn at random by seed.
# random: no
import brian2 as b2
import numpy as np
from brian2 import ms, mV

b2.seed(42)
rng = np.random.default_rng(7)
n_exc, n_inh = 240, 60
params = {'taum': 20*ms, 'taue': 5*ms, 'taui': 10*ms, 'Vt': -50*mV, 'Vr': -60*mV, 'El': -49*mV}

neurons = b2.NeuronGroup(
    n_exc + n_inh,
    '''dv/dt  = (ge + gi - (v - El))/taum : volt (unless refractory)
       dge/dt = -ge/taue : volt
       dgi/dt = -gi/taui : volt''',
    threshold='v > Vt', reset='v = Vr', refractory=5*ms, method='exact', namespace=params)
neurons.v = params['Vr'] + rng.uniform(size=n_exc + n_inh)*(params['Vt'] - params['Vr'])

exc = b2.Synapses(neurons[:n_exc], neurons, 'w : volt (constant)', on_pre='ge += w')
exc.connect(p=0.06)
exc.w = '(1.62 + 0.3*rand())*mV'
inh = b2.Synapses(neurons[n_exc:], neurons, on_pre='gi -= 9*mV')
inh.connect(p=0.06)

spikes = b2.SpikeMonitor(neurons)
trace = b2.StateMonitor(neurons, 'v', record=range(0, 300, 60))
net = b2.Network(b2.collect())
net.run(250*ms)

counts = np.array(spikes.count)
print('spikes:', spikes.num_spikes, 'silent cells:', int(np.sum(counts == 0)))
