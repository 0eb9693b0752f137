# A long loop that makes and forgets networks and keeps the numbers only, with a generator
# function and a dictionary of results.
# random: no
import gc

from brian2 import *


def networks():
    for n in (2, 5, 9):
        cells = NeuronGroup(n, 'dv/dt = (1.2 - v)/(10*ms) : 1', threshold='v > 1',
                            reset='v = 0', method='exact')
        cells.v = 'i*0.1'
        S = Synapses(cells, cells, on_pre='v_post -= 0.05')
        S.connect()
        yield Network(cells, S), cells, SpikeMonitor(cells)


summary = {}
for net, group, monitor in networks():
    net.add(monitor)
    net.run(80*ms)
    summary['%d cells' % len(group)] = monitor.count[:].copy()
    del net, group, monitor
    gc.collect()
for name, count in summary.items():
    print(name, count)
