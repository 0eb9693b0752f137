# Objects are switched off and on with `active`: plasticity only while learning, monitors only
# in the test phase.
# random: no
from brian2 import *

inputs = SpikeGeneratorGroup(5, tile(arange(5), 12), (arange(60)*4 + 2)*ms)
output = NeuronGroup(1, 'dv/dt = -v/(8*ms) : 1', threshold='v > 1', reset='v = 0', method='exact')
S = Synapses(inputs, output, 'w : 1', on_pre={'transmit': 'v_post += 2*w', 'learn': 'w += 0.02'})
S.connect()
S.w = 0.3
test_spikes = SpikeMonitor(output)
training_trace = StateMonitor(S, 'w', record=[0, 4], dt=1*ms)

test_spikes.active = False
run(80*ms)
S.learn.active = False
test_spikes.active = True
training_trace.active = False
run(80*ms)
S.learn.active = True
output.active = False
run(40*ms)
print('weights', S.w[:], 'spikes in the test', test_spikes.num_spikes)
