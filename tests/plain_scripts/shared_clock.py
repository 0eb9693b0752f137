# Clocks as objects that groups share, units in stimuli, and a network that is run step by
# step.
# random: no
from brian2 import *

slow_clock = Clock(0.5*ms, name='slow')
injected = TimedArray([0, 5, -2, 8, 0]*mV, dt=2*ms)
cells = NeuronGroup(4, '''dv/dt = (injected(t) + offset - v)/(10*ms) : volt
                          offset : volt''', method='exponential_euler', clock=slow_clock)
cells.offset = [0, 1, 2, 3]*mV
other = NeuronGroup(2, 'dx/dt = 1/second : 1', method='euler', clock=slow_clock)
fine = StateMonitor(cells, 'v', record=[0, 3], clock=slow_clock)
net = Network(cells, other, fine)
peak = 0*mV
for step in range(20):
    net.run(slow_clock.dt)
    peak = max(peak, cells.v[3])
print('highest: %.4f mV at the end of step %d' % (peak/mV, argmax(fine.v[1])))
print(slow_clock.t, net.t, other.x[:])
