# A homeostat outside of the simulation: the rate of the last 50 ms is read, and the input
# current is corrected, before the next run.
# random: no
from brian2 import *

target = 60.0
cells = NeuronGroup(10, '''dv/dt = (I + offset - v)/(12*ms) : 1
                           I : 1 (shared)
                           offset : 1''',
                    threshold='v > 1', reset='v = 0', refractory=2*ms, method='euler')
cells.offset = 'i*0.02'
cells.I = 0.9
monitor = SpikeMonitor(cells)

history = []
seen = 0
for _ in range(8):
    run(50*ms)
    rate = (monitor.num_spikes - seen)/(10*0.05)
    seen = monitor.num_spikes
    history.append((float(cells.I[:]), rate))
    cells.I += 0.004*(target - rate)

history = array(history)
print(history.round(2))
plot(history[:, 1])
axhline(target)
show()
