# Parameters come from dictionaries and from the place where `run` is called; the same names
# mean other things in other functions.
# random: no
from brian2 import *

defaults = {'tau': 10*ms, 'drive': 1.3}
tau = 1*second                                  # must not be used where a namespace has it


def cell(**parameters):
    return NeuronGroup(2, 'dv/dt = (drive + extra*i - v)/tau : 1', threshold='v > 1',
                       reset='v = 0', method='euler', namespace={**defaults, **parameters})


def run_with_local(group, extra):
    monitor = SpikeMonitor(group)
    net = Network(group, monitor)
    net.run(60*ms)
    return monitor.count[:]


def run_in_namespace(group):
    monitor = SpikeMonitor(group)
    net = Network([group, monitor])
    net.run(60*ms, namespace={'extra': 1.0})
    net.run(30*ms, namespace={'extra': 3.0})
    return monitor.count[:]


counts = array([run_with_local(cell(), 0.5), run_with_local(cell(tau=4*ms), 0.2),
                run_in_namespace(cell(drive=0.5))])
print(counts)
