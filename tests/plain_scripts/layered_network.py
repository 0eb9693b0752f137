# A feed-forward network with given weight matrices; patterns are presented as currents, one
# after the other, and a read-out is computed with numpy.
# random: no
import numpy as np
from brian2 import *

prefs.codegen.target = 'numpy'     # small networks do not need a compiler
rng = np.random.default_rng(99)
sizes = [16, 10, 4]
weights = [rng.normal(0.06, 0.25, (a, b)) for a, b in zip(sizes[:-1], sizes[1:])]
patterns = (rng.random((4, sizes[0])) > 0.5).astype(float)

layers = []
for size in sizes:
    layers.append(NeuronGroup(size, '''dv/dt = (I - v)/(10*ms) : 1 (unless refractory)
                                       I : 1''',
                              threshold='v > 1', reset='v = 0', refractory=3*ms, method='exact'))
connections = []
for source, target, matrix in zip(layers[:-1], layers[1:], weights):
    pre, post = matrix.nonzero()
    S = Synapses(source, target, 'w : 1', on_pre='v_post += w')
    S.connect(i=pre, j=post)
    S.w = matrix[pre, post]
    connections.append(S)
output = SpikeMonitor(layers[-1])
hidden = SpikeMonitor(layers[1])
net = Network(layers, connections, output, hidden)
net.store('rest')

answers = np.zeros((len(patterns), sizes[-1]))
for k, pattern in enumerate(patterns):
    net.restore('rest')
    layers[0].I = 1.8*pattern
    net.run(60*ms)
    answers[k] = output.count
    print('pattern', k, '->', answers[k], 'hidden spikes', hidden.num_spikes)
