# A progress function that looks at the cells while the run is under way.
# random: no
# refused: 'v' cannot be read
from brian2 import *

seen = []
G = NeuronGroup(2, 'dv/dt = (1 - v)/(10*ms) : 1', method='exact')


def progress(elapsed, completed, start, duration):
    seen.append(G.v[0])


run(50*ms, report=progress)
print(seen)
