# Heterogeneous delays along a line; runs end while spikes are still on their way, and the
# script looks at the arrivals after each of them.
# random: no
from brian2 import *

velocity = 1.5*mm/ms
space = 2*mm
source = SpikeGeneratorGroup(1, [0, 0, 0, 0, 0], [1, 4, 6, 12.4, 13]*ms)
line = NeuronGroup(15, '''x : meter
                          dv/dt = -v/(3*ms) : 1''', threshold='v > 0.5', reset='v = 0',
                   method='exact')
line.x = 'i*space'
S = Synapses(source, line, on_pre='v_post += 1')
S.connect()
S.delay = 'x_post/velocity'
reply = Synapses(line, line, on_pre='v_post -= 0.3')
reply.connect('i == j + 1')
reply.delay = '0.5*ms + 0.3*ms*i'
arrivals = SpikeMonitor(line)

seen = []
for piece in [4, 3, 5.5, 10, 20]:
    run(piece*ms)
    seen.append(arrivals.num_spikes)
print('arrived so far:', seen)
farthest = array([arrivals.i[arrivals.t < limit].max() for limit in [5, 10, 20]*ms])
print('farthest cell:', farthest)
