# The learning window of a synapse, measured with pairings at many intervals at once; a second
# protocol with triplets uses the same functions.
# random: no
from brian2 import *


def weight_changes(protocol, intervals, repeats=5, period=50*ms):
    pre_t = concatenate([k*period + protocol[0] + zeros(len(intervals))*ms
                         for k in range(repeats)])
    n = len(intervals)
    pre = SpikeGeneratorGroup(n, tile(arange(n), repeats), array(pre_t)*second + 20*ms)
    post_t = concatenate([k*period + protocol[1] + intervals for k in range(repeats)])
    post = SpikeGeneratorGroup(n, tile(arange(n), repeats), array(post_t)*second + 20*ms)
    S = Synapses(pre, post, '''w : 1
                               da/dt = -a/(15*ms) : 1 (event-driven)
                               db/dt = -b/(30*ms) : 1 (event-driven)''',
                 on_pre='a += 0.01; w += b', on_post='b -= 0.006; w += a')
    S.connect(j='i')
    S.w = 0.5
    net = Network(pre, post, S)
    net.run(repeats*period + 40*ms)
    return S.w - 0.5


gaps = arange(-18, 19, 3)*ms
window = array(weight_changes((0*ms, 0*ms), gaps))
shifted = array(weight_changes((5*ms, 0*ms), gaps, repeats=3, period=60*ms))
for gap, change in zip(gaps/ms, window):
    print('%+3d ms: %+.5f' % (gap, change))
plot(gaps/ms, window, 'o-', gaps/ms, shifted, 's-')
show()
