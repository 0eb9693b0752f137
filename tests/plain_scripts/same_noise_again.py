# Two conditions with the same noise: the state of the random number generator is restored,
# too.
# random: yes
# statistics: v_control
import sys

from brian2 import *

number = int(sys.argv[1]) if len(sys.argv) > 1 else 12
seed(number)
G = NeuronGroup(250, '''dv/dt = (I - v)/(10*ms) + 0.3*xi/sqrt(10*ms) : 1
                        I : 1 (shared)''', method='euler')
P = PoissonGroup(50, rates=30*Hz)
M = SpikeMonitor(P)
store('start')
run(40*ms)
v_control = array(G.v)
spikes_control = array(M.i)

restore('start', restore_random_state=True)
G.I = 0.5
run(40*ms)
print('same input spikes:', array_equal(spikes_control, M.i))
print('effect on v: %.6f to %.6f' % (min(G.v - v_control), max(G.v - v_control)))

restore('start')
run(40*ms)
print('other input spikes:', not array_equal(spikes_control, M.i))

ends = []
for repeat in range(2):
    restore('start')
    seed(2*number)
    run(20*ms)
    ends.append(array(G.v))
print('same seed, same noise:', array_equal(*ends))
