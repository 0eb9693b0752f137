# Results are picked with conditions in strings, slices and subgroups, and recorded values by
# index.
# random: no
# tolerance: 1e-15 because NumPy squares by multiplying, and C++ calls pow
from brian2 import *

G = NeuronGroup(12, '''dv/dt = (I - v)/(10*ms) : 1
                       I : 1 (constant)
                       energy = v**2/2 : 1''', threshold='v > 1', reset='v = 0', method='exact')
G.I = 'i*0.2'
part = G[4:9]
M = SpikeMonitor(part, variables=['v'])
all_spikes = SpikeMonitor(G, variables=['I', 'energy'], when='after_thresholds')
trace = StateMonitor(G, ('v', 'energy'), record=[2, 5, 11])
run(70*ms)
print(G.v['I > 1.5'], part.v[1:3], G.energy['i % 4 == 0'])
print(trace[5].energy[-3:], trace.v[0, ::200], M.values('v')[2])
part.v = 'i*0.1'
G.v['i < 2'] = 0.77
run(30*ms)
high = G.indices['v > 0.5']
order = array(all_spikes.i[:10])
