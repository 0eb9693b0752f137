# A script that makes two figures of a paper, each from a model of its own.
# random: no
from brian2 import *

# Figure 1: a cell that integrates
start_scope()
tau = 20*ms
G = NeuronGroup(1, 'dv/dt = (2 - v)/tau : 1', threshold='v > 1', reset='v = 0', method='exact')
M = StateMonitor(G, 'v', record=True)
run(100*ms)
figure(1)
plot(M.t/ms, M.v[0])
integrator_v = M.v[0].copy()

# Figure 2: cells that resonate (FitzHugh, 1961; Nagumo et al., 1962)
start_scope()
tau_w = 40*ms
G = NeuronGroup(3, '''dv/dt = (v - v**3/3 - w + I)/(2*ms) : 1
                      dw/dt = (v + 0.7 - 0.8*w)/tau_w : 1
                      I : 1''', method='rk4')
G.I = [0.0, 0.35, 0.8]
G.v, G.w = -1.2, -0.62
M = StateMonitor(G, ('v', 'w'), record=True)
run(150*ms)
figure(2)
for k in range(3):
    plot(M.v[k], M.w[k])
amplitude = M.v.max(axis=1) - M.v.min(axis=1)
print('amplitudes:', amplitude.round(2))
show()
