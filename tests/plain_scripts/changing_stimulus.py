# The name of a stimulus is bound to another array before each run; the equations stay the
# same.
# random: no
from brian2 import *

retina = NeuronGroup(9, '''dv/dt = (image(t, i) - v)/(10*ms) : 1
                           dslow/dt = (image(t, i) - slow)/(50*ms) : 1''',
                     threshold='v > 0.7', reset='v = 0', method='euler')
spikes = SpikeMonitor(retina)
frames = eye(3).ravel(), ones(9), (arange(9) % 2).astype(float)

counts = []
for frame in frames:
    begin = int(round(defaultclock.t/(10*ms)))
    values = zeros((20, 9))
    values[begin:begin + 4] = frame*1.5
    image = TimedArray(values, dt=10*ms)
    before = array(spikes.count)
    run(50*ms)
    counts.append(array(spikes.count) - before)
image.values[:] = 0.9               # and the same array with other values
run(30*ms)
counts = array(counts)
print(counts)
