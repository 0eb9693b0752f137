# An integrate-and-fire cell whose threshold jumps with each spike and decays (after
# Platkiewicz and Brette, 2010, in its simplest form).
# random: no
import matplotlib.pyplot as plt
from brian2 import *

taum, tauvt = 10*ms, 60*ms
vt0 = 10*mV

eqs = '''
dv/dt = (I - v)/taum : volt
dvt/dt = (vt0 - vt)/tauvt : volt
I : volt
'''
reset = '''
v = 0*mV
vt += 3*mV
'''
cells = NeuronGroup(3, model=eqs, threshold='v > vt', reset=reset, method='exact')
cells.vt = vt0
cells.I = [12, 16, 25]*mV

trace = StateMonitor(cells, ['v', 'vt'], record=[0, 2])
spikes = SpikeMonitor(cells, variables='vt')
run(400*ms)

fig, axes = plt.subplots(2, 1, sharex=True)
for axis, index in zip(axes, [0, 2]):
    axis.plot(trace.t/ms, trace[index].v/mV)
    axis.plot(trace.t/ms, trace[index].vt/mV, 'r--')
    axis.set_ylabel('v (mV)')
axes[1].set_xlabel('Time (ms)')
plt.show()

intervals = [diff(train/ms) for train in spikes.spike_trains().values()]
first_intervals = array([isi[0] if len(isi) else nan for isi in intervals])
last_intervals = array([isi[-1] if len(isi) else nan for isi in intervals])
print('intervals at first', first_intervals, 'and at last', last_intervals)
