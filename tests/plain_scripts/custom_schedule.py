# The order of operations in a time step is changed: synapses before cells, monitors last, and
# code that is run at given places in the order.
# random: no
from brian2 import *

G = NeuronGroup(3, '''dv/dt = (1.5 - v)/(10*ms) : 1
                      seen : 1
                      total : 1
                      sampled = floor(10*v) : 1 (constant over dt)''', threshold='v > 1',
                reset='v = 0', method='exact')
G.v = [0, 0.3, 0.6]
S = Synapses(G, G, on_pre='v_post += 0.2', order=-1)
S.connect(condition='i < j')
G.run_regularly('seen = v', when='before_groups', order=2)
G.run_regularly('total += seen*0.01 + sampled', when='after_thresholds')
early = StateMonitor(G, ['v', 'seen'], record=True, when='start', dt=0.5*ms)
late = StateMonitor(G, ['v', 'sampled'], record=True, when='end', dt=0.5*ms)
M = SpikeMonitor(G, when='end', order=1)
net = Network(collect())
net.schedule = ['start', 'synapses', 'groups', 'thresholds', 'resets', 'end']
net.run(40*ms)
before = array(G.total)
net.schedule = None
net.run(40*ms)
print(M.count[:], before.round(2), len(early.t), len(late.t))
