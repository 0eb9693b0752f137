# A careful script: it catches what goes wrong, mends it, and goes on.
# random: no
from brian2 import *

G = NeuronGroup(2, 'dv/dt = (missing - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                method='euler')
M = SpikeMonitor(G)
net = Network(G, M)
try:
    net.run(10*ms)
except Exception as error:
    print('missing' in str(error) or 'missing' in str(error.__cause__))
missing = 2.0
net.run(10*ms)
try:
    G.v = 3*volt
except DimensionMismatchError:
    print('wrong units')
try:
    net.run(-1*ms)
except ValueError:
    print('negative time')
try:
    G.set_states({'u': [1, 2]})
except KeyError:
    print('no such variable')
net.run(10*ms)
print(M.count[:], net.t)
