# A progress bar of the user's own, given as a function to `report`.
# random: no
from brian2 import *

calls = []


def progress(elapsed, completed, start, duration):
    calls.append(completed)
    if completed > 0.999999:
        print('simulated from %s for %s' % (start, duration))


G = NeuronGroup(5, 'dv/dt = (1.2 + 0.1*i - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                method='exact')
M = SpikeMonitor(G)
run(50*ms, report=progress)
run(25*ms, report=progress, report_period=100*second)
first, last = calls[0], round(calls[-1], 6)
calls = None
print(M.count[:])
