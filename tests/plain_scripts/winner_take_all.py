# Competition through global inhibition, as a class that holds its network, with a method that
# presents one stimulus.
# random: no
from brian2 import *


class Competition:
    """Some cells, of which the one with the most input suppresses the others."""

    def __init__(self, n, inhibition=0.35):
        self.cells = NeuronGroup(n, '''dv/dt = (I - v - h)/(10*ms) : 1
                                       dh/dt = -h/(6*ms) : 1
                                       I : 1''', threshold='v > 1', reset='v = 0', method='exact')
        self.lateral = Synapses(self.cells, self.cells, on_pre='h_post += strength',
                                namespace={'strength': inhibition})
        self.lateral.connect(condition='i != j')
        self.monitor = SpikeMonitor(self.cells)
        self.network = Network(self.cells, self.lateral, self.monitor)

    def present(self, pattern, duration=60*ms):
        before = array(self.monitor.count)
        self.cells.I = pattern
        self.network.run(duration)
        self.cells.I = 0
        self.network.run(20*ms)
        return array(self.monitor.count) - before


competition = Competition(5)
strong = Competition(5, inhibition=1.0)
responses = []
for shift in range(3):
    pattern = roll([1.2, 1.3, 1.6, 1.25, 1.1], shift)
    responses.append([competition.present(pattern), strong.present(pattern)])
    print('winners', [int(argmax(r)) for r in responses[-1]])
responses = array(responses)
cells, spikes = strong.cells, strong.monitor
