# A controller in Python that looks at the cells in each step.
# random: no
# refused: network operation control
from brian2 import *

G = NeuronGroup(3, 'dv/dt = (I - v)/(10*ms) : 1\nI : 1', method='exact')
G.I = 1


@network_operation(dt=1*ms)
def control():
    G.I = 1 + 0.5*(0.4 - G.v)


run(20*ms)
print(G.v[:])
