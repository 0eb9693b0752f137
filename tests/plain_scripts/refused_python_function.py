# A function in the equations that exists in Python only.
# random: no
# refused: saturate
from brian2 import *


@check_units(x=1, result=1)
def saturate(x):
    return tanh(x)


G = NeuronGroup(3, 'dv/dt = (saturate(drive) - v)/(10*ms) : 1\ndrive : 1', method='euler')
G.drive = [0, 1, 2]
run(20*ms)
print(G.v[:])
