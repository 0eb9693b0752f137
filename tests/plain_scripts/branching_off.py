# What would have happened: from one stored moment, with spikes on their way and cells
# refractory, the network goes on in several ways.
# random: no
from brian2 import *

G = NeuronGroup(8, '''dv/dt = (I - v)/(10*ms) : 1 (unless refractory)
                      I : 1''', threshold='v > 1', reset='v = 0', refractory=4*ms, method='exact')
G.I = '1.1 + 0.1*i'
S = Synapses(G, G, '''w : 1
                      deligible/dt = -eligible/(15*ms) : 1 (event-driven)''',
             on_pre='''v_post += w
                       eligible += 0.2
                       w = clip(w - 0.1*eligible, -1, 1)''')
S.connect(j='(i + k) % N_post for k in range(1, 4)')
S.w = 0.3
S.delay = '1*ms + 1.7*ms*((i + j) % 4)'
M = SpikeMonitor(G)
trace = StateMonitor(G, 'v', record=[0, 7], dt=0.5*ms)
run(25.3*ms)
store('here')
ends = {}
for name, push in [('nothing', 0), ('excited', 0.5), ('nothing again', 0)]:
    restore('here')
    G.I += push
    run(15*ms)
    run(9.9*ms)
    ends[name] = array([*G.v, *S.w, M.num_spikes])
    store(name)
restore('excited')
run(5*ms)
print('reproducible:', array_equal(ends['nothing'], ends['nothing again']))
print([int(end[-1]) for end in ends.values()], M.num_spikes, defaultclock.t, len(trace.t))
