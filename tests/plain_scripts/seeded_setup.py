# Everything random is in the set-up, by seed, with values that users draw in strings and with
# numpy; what comes after is a deterministic network.
# random: no
from brian2 import *

seed(12345)
np.random.seed(54321)
n = 80
G = NeuronGroup(n, '''dv/dt = (I + s - v)/tau : 1
                      ds/dt = -s/(4*ms) : 1
                      tau : second (constant)
                      I : 1''', threshold='v > 1', reset='v = 0', refractory=1*ms, method='euler')
G.tau = '10*ms + clip(randn(), -2, 2)*2*ms'
G.I = 0.9 + 0.4*rand(n)
G.v = 'rand()'
inhibitory = sort(np.random.choice(n, 16, replace=False))
S = Synapses(G, G, 'w : 1', on_pre='s_post += w')
S.connect(p=0.1)
S.w = '0.1*rand()'
S.w[array([i in inhibitory for i in S.i])] = -0.3
S.delay = '0.5*ms + 3*ms*rand()'
G.v[inhibitory] = 'rand()*0.5'
M = SpikeMonitor(G)
run(60*ms)
G.I = '0.9 + 0.4*rand()'
run(60*ms)
print(M.num_spikes, 'spikes,', len(S), 'synapses, longest delay %.3f ms' % (max(S.delay)/ms))
