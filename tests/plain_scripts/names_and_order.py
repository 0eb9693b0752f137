# Objects that act on the same variable in one step: the order of their names decides, and
# names hold numbers, some with a gap.
# random: no
from brian2 import *

source = SpikeGeneratorGroup(1, [0, 0, 0], [1, 4, 4.3]*ms, name='layer_3')
target = NeuronGroup(2, 'v : 1\nw : 1', name='layer_11')
for number, code in [(2, 'v_post = v_post*2 + 1'), (10, 'v_post = v_post + 3'),
                     (1, 'v_post = v_post/4'), (30, 'w_post = v_post + w_post')]:
    locals()['syn_%d' % number] = Synapses(source, target, on_pre=code, name='syn_%d' % number)
    locals()['syn_%d' % number].connect()
copy = NeuronGroup(1, 'x : 1', name='layer')
copy.run_regularly('x = x + 1', name='layer_update_2')
copy.run_regularly('x = x*0.5', name='layer_update_10')
trace = StateMonitor(target, ['v', 'w'], record=True, name='record_7')
run(3*ms)
run(3*ms)
print(target.v[:], target.w[:], copy.x[:])
