# Refractoriness in its different forms: a time, a variable, a condition, and one that depends
# on how long ago the last spike was; with `not_refractory` in an equation.
# random: no
from brian2 import *

base = 'dv/dt = (1.7 - v)/(10*ms) : 1 (unless refractory)'
common = {'threshold': 'v > 1', 'reset': 'v = 0', 'method': 'euler'}
fixed = NeuronGroup(3, base, refractory=5*ms, **common)
variable = NeuronGroup(3, base + '\nref : second', refractory='ref', **common)
variable.ref = [0, 4, 9]*ms
growing = NeuronGroup(3, base + '\ncount_so_far : 1', threshold='v > 1',
                      reset='v = 0; count_so_far += 1', method='euler',
                      refractory='(1 + count_so_far)*ms')
condition = NeuronGroup(3, '''dv/dt = (2.0 - v)/(5*ms) : 1
                              dw/dt = (-w + 0.1*int(not_refractory))/(7*ms) : 1''',
                        threshold='v > 1', refractory='v > 0.4', method='euler')
condition.run_regularly('v = 0.1*i', dt=12*ms)
relative = NeuronGroup(3, 'dv/dt = (1.7 - v)/(10*ms) : 1',
                       threshold='v > 1 + 2*exp(-(t - lastspike)/(5*ms))', reset='v = 0',
                       refractory='t - lastspike < 1.5*ms', method='euler')

groups = [fixed, variable, growing, condition, relative]
monitors = [SpikeMonitor(g) for g in groups]
net = Network(groups, monitors)
net.run(150*ms)
for monitor in monitors:
    print(monitor.source.name, monitor.count[:])
