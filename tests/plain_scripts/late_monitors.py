# Settling first, recording later: monitors are made after the first run.
# random: no
from brian2 import *

eqs = '''
dv/dt = (v*(1 - v)*(v - 0.1) - w + I)/(2*ms) : 1
dw/dt = (0.5*v - w)/(50*ms) : 1
I : 1
'''
cells = NeuronGroup(5, eqs, threshold='v > 0.6', refractory='v > 0.3', method='rk4')
cells.I = linspace(0, 0.2, 5)
run(100*ms)
settled = array(cells.v)

trace = StateMonitor(cells, ['v', 'w'], record=[1, 4], dt=0.5*ms)
spikes = SpikeMonitor(cells)
run(100*ms)

rate = PopulationRateMonitor(cells)
run(50*ms)
print('recorded from', trace.t[0], 'and', rate.t[0], 'on;', spikes.num_spikes, 'spikes')
