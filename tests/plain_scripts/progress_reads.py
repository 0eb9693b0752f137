# A progress function that looks at the cells at the beginning and at the end of a run.
# random: no
from brian2 import *

seen = []
G = NeuronGroup(2, 'dv/dt = (1 - v)/(10*ms) : 1', method='exact')


def progress(elapsed, completed, start, duration):
    seen.append([start/ms, float(G.v[0])])


run(30*ms, report=progress, report_period=1000*second)
run(20*ms, report=progress, report_period=1000*second)
print(len(seen), 'reports')
