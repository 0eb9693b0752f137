# Homeostasis: weights are scaled in regular intervals so that their sum stays the same. The
# sum is a summed variable of the target, the scaling is done by run_regularly.
# random: no
from brian2 import *

inputs = SpikeGeneratorGroup(20, (arange(200)*13) % 20, (arange(200)*0.9 + 0.3)*ms)
cells = NeuronGroup(3, '''dv/dt = -v/(12*ms) : 1
                          total : 1
                          rate_trace : 1''', threshold='v > 1',
                    reset='v = 0; rate_trace += 1', method='exact')
S = Synapses(inputs, cells, '''w : 1
                               total_post = w : 1 (summed)
                               dx/dt = -x/(10*ms) : 1 (event-driven)''',
             on_pre='v_post += w; x += 1', on_post='w += 0.01*x')
S.connect()
S.w = '0.1 + 0.01*((i*7 + j) % 5)'
S.run_regularly('w *= 2.0/total_post', dt=20*ms, when='end')
cells.run_regularly('rate_trace *= 0.9', dt=5*ms)
scaled = StateMonitor(cells, ['total', 'rate_trace'], record=True, dt=2*ms)
spikes = SpikeMonitor(cells)
run(190*ms)
print('sums', [round(float(x), 3) for x in bincount(S.j[:], S.w[:])], 'spikes', spikes.count[:])
