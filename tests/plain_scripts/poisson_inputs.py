# Cells with Poisson input of three kinds: a PoissonGroup with synapses, a PoissonInput, and a
# threshold that is crossed at random.
# random: yes
# statistics: v_input v_group rates_group rates_threshold
import sys

from brian2 import *

seed(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
tau = 8*ms
by_input = NeuronGroup(300, 'dv/dt = -v/tau : 1', method='exact')
poisson_input = PoissonInput(by_input, 'v', 60, 20*Hz, weight=0.1)

by_group = NeuronGroup(200, 'dv/dt = -v/tau : 1', method='exact')
P = PoissonGroup(400, rates='50*Hz + 0.2*Hz*i')
S = Synapses(P, by_group, on_pre='v += 0.5')
S.connect('i % N_post == j')

by_threshold = NeuronGroup(300, 'rate : Hz', threshold='rand() < rate*dt')
by_threshold.rate = 40*Hz

M = SpikeMonitor(by_threshold)
MP = SpikeMonitor(P, record=False)
run(400*ms)

v_input = array(by_input.v)
v_group = array(by_group.v)
rates_group = array(MP.count)
rates_threshold = array(M.count)
print('expected and found input: %.2f %.2f' % (60*20*0.008*0.1, mean(v_input)))
