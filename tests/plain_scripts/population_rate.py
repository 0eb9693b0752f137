# The rate of a population that follows a stimulus, smoothed in two ways.
# random: no
from brian2 import *

stimulus = TimedArray([1.1, 1.6, 1.3, 2.4, 0.9], dt=50*ms)
G = NeuronGroup(300, '''dv/dt = (stimulus(t)*gain - v)/(10*ms) : 1 (unless refractory)
                        gain : 1 (constant)''',
                threshold='v > 1', reset='v = 0', refractory=2*ms, method='euler')
G.gain = linspace(0.8, 1.2, 300)
G.v = '(i % 17)/17.0'
upper = PopulationRateMonitor(G[150:])
all_cells = PopulationRateMonitor(G)
run(250*ms)

gauss = all_cells.smooth_rate(window='gaussian', width=4*ms)
flat = upper.smooth_rate(window='flat', width=10.1*ms)
binned = all_cells.bin(5*ms)/Hz if hasattr(all_cells, 'bin') else all_cells.rate[::50]/Hz
print('highest: %.1f Hz, %.1f Hz' % (max(gauss)/Hz, max(flat)/Hz))
plot(all_cells.t/ms, gauss/Hz)
plot(upper.t/ms, flat/Hz)
show()
