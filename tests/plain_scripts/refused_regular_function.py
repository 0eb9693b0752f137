# A Python function that is called in regular intervals from the code of the cells.
# random: no
# refused: wrap
from brian2 import *


@implementation('numpy', discard_units=True)
@check_units(x=1, result=1)
def wrap(x):
    return x - floor(x)


G = NeuronGroup(3, 'dphase/dt = 100*Hz : 1', method='euler')
G.phase = 'i*0.3'
G.run_regularly('phase = wrap(phase)', dt=2*ms)
run(30*ms)
print(G.phase[:])
