# A table look-up, written in Python, in the effect of a spike.
# random: no
# refused: look_up
from brian2 import *

table = array([0.0, 0.3, 0.1, 0.5])


@implementation('numpy', discard_units=True)
@check_units(n=1, result=1)
def look_up(n):
    return table[n.astype(int) % 4]


source = SpikeGeneratorGroup(4, arange(4), (1 + arange(4))*ms)
target = NeuronGroup(2, 'dv/dt = -v/(10*ms) : 1', method='exact')
S = Synapses(source, target, on_pre='v_post += look_up(i)')
S.connect()
run(10*ms)
print(target.v[:])
