# Which part of the network takes how long: a run with profiling, whose summary has one line
# for each object; the times differ, the rest does not.
# random: no
from brian2 import *

G = NeuronGroup(50, 'dv/dt = (1.5 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                method='exact', name='G')
G.v = 'i/50.0'
S = Synapses(G, G, on_pre='v_post -= 0.001', name='S')
S.connect(j='(i + 1) % N_post')
M = SpikeMonitor(G, name='M')
net = Network(collect())
net.run(100*ms, profile=True)
names = [name for name, _ in net.profiling_info]
print(sorted(names))
summary = profiling_summary(net, show=3)
print(len(str(summary).splitlines()) >= 3)
