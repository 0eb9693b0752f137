# A common signal drives all cells through a linked variable, and pairs of cells share a slow
# one.
# random: no
from brian2 import *

rhythm = NeuronGroup(1, '''dtheta/dt = 2*pi*8*Hz : 1
                           drive = 1.2 + 0.6*sin(theta) : 1''', method='euler')
pools = NeuronGroup(5, 'da/dt = -a/(80*ms) : 1', method='exact')
cells = NeuronGroup(10, '''dv/dt = (common*(1 + 0.05*i) - v - shared_a)/(10*ms) : 1
                           common : 1 (linked)
                           shared_a : 1 (linked)''',
                    threshold='v > 1', reset='v = 0', method='euler')
cells.common = linked_var(rhythm, 'drive')
cells.shared_a = linked_var(pools, 'a', index=arange(10)//2)
fatigue = Synapses(cells, pools, on_pre='a_post += 0.1')
fatigue.connect(j='i//2')

trace = StateMonitor(cells, ['v', 'common', 'shared_a'], record=[0, 9], dt=1*ms)
spikes = SpikeMonitor(cells)
run(250*ms)
print(spikes.count[:])
print('shared by the last pair: %.4f' % cells.shared_a[9])
