# A simulation server's habit: the report is printed by an exit function and a finally clause,
# which read the results when the script is over.
# random: no
import atexit

from brian2 import *

G = NeuronGroup(4, 'dv/dt = (1 + 0.3*i - v)/(10*ms) : 1', threshold='v > 0.99', reset='v = 0',
                method='exact')
M = SpikeMonitor(G)


@atexit.register
def report():
    print('at exit:', M.count[:], G.v[:])


try:
    run(60*ms)
finally:
    print('finally:', M.num_spikes)
G.v = 0.5
run(20*ms)
