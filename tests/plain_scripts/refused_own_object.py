# An object of the user's own class, whose update is Python code.
# random: no
# refused: Logger
from brian2 import *


class Logger(BrianObject):
    def __init__(self, group):
        super().__init__(dt=5*ms, when='end', name='logger')
        self.group = group
        self.seen = []

    def run(self):
        self.seen.append(float(self.group.v[0]))


G = NeuronGroup(1, 'dv/dt = (1 - v)/(10*ms) : 1', method='exact')
logger = Logger(G)
net = Network(G, logger)
net.run(30*ms)
print(logger.seen)
