# Constants of the script that stand in the equations are changed between runs: floats,
# integers and booleans, and the weight in a synapse.
# random: no
from brian2 import *

tau, drive, power, on, w = 10*ms, 1.5, 2, True, 0.1
G = NeuronGroup(4, '''dv/dt = (drive*int(on) + 0.1*x**power - v)/tau : 1
                      x : 1''', threshold='v > 1', reset='v = 0', method='euler')
G.x = 'i/4.0'
S = Synapses(G, G, on_pre='v_post += w')
S.connect(j='(i + 1) % N_post')
M = SpikeMonitor(G)
trace = StateMonitor(G, 'v', record=True, dt=1*ms, when='start')
counts = []
for tau, drive, power, on, w in [(10*ms, 1.5, 2, True, 0.1), (5*ms, 1.5, 2, True, 0.1),
                                 (5*ms, 2.5, 2, True, -0.1), (20*ms, 1.1, 3, False, 0.3)]:
    run(30*ms)
    counts.append(M.num_spikes)
run(0*ms)
print(counts, M.count[:])
