# Structural plasticity: synapses are added between runs, and delays of both pathways are
# changed.
# random: no
from brian2 import *

source = SpikeGeneratorGroup(6, arange(6), (1 + arange(6))*ms, period=10*ms)
target = NeuronGroup(3, '''dv/dt = -v/(8*ms) : 1
                           dz/dt = -z/(20*ms) : 1''', threshold='v > 1', reset='v = 0; z += 1',
                     method='exact')
S = Synapses(source, target, 'w : 1', on_pre='v_post += w', on_post='w *= 0.95')
S.connect('i // 2 == j')
S.w = 0.6
S.pre.delay = 0.5*ms
S.post.delay = '0.2*ms*(1 + i)'
M = SpikeMonitor(target)
numbers = []
for stage in range(3):
    run(25*ms)
    new = (arange(6) + stage + 1) % 3
    S.connect(i=arange(6)[::2], j=new[::2])
    S.w['i % 2 == 0 and w == 0'] = 0.25
    S.post.delay = '0.1*ms*(1 + i)'
    numbers.append((len(S), M.num_spikes))
run(25*ms)
print(numbers, M.count[:])
weights = array(S.w)
