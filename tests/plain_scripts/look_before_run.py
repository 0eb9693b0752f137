# A user who looks at everything before the first run: number of synapses, weights, delays,
# indices, matrices made from them, values of expressions.
# random: no
from brian2 import *

seed(8)
G = NeuronGroup(10, '''dv/dt = (I - v)/(10*ms) : 1
                       I = 1.05 + 0.05*i + push : 1
                       push : 1''', threshold='v > 1', reset='v = 0', method='euler')
G.v = 'rand()'
S = Synapses(G, G, 'w : 1', on_pre='v_post += w')
S.connect(condition='i != j', p=0.4)
S.w = '0.1*rand()'
S.delay = '1*ms + 2*ms*rand()'

print(len(S), 'synapses,', S.w[:].mean(), max(S.delay))
W = zeros((10, 10))
W[S.i[:], S.j[:]] = S.w[:]
row_sums = W.sum(axis=1)
S.w /= row_sums.max()
print('from cell 3 to', S.j[3, :], 'with', S.w[3, :])
before = {'I': array(G.I), 'high': array(G.v['v > 0.5']), 'mean delay': float(mean(S.delay))}
G.push['i > 6'] = '0.2*v'

M = SpikeMonitor(G)
run(100*ms)
after = array(S.w)
print('same weights afterwards:', all(after == W[S.i[:], S.j[:]]/row_sums.max()))
print('spikes', M.count[:])
