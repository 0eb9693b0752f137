# Expressions that use the time, the index, the time of the last spike and the time step.
# random: no
from brian2 import *

cells = NeuronGroup(8, '''
    dv/dt = (1.1 + 0.5*sin(2*pi*(20 + 3*i)*Hz*t) - v)/(10*ms) : 1
    since = t - lastspike : second
    longest : second
    steps : integer
    odd : boolean
''', threshold='v > 1 and t > 5*ms*int(odd)', reset='''longest = clip(since, longest, 1*second)
v = 0.01*i''', refractory=1*ms, method='euler')
cells.odd = 'i % 2 == 1'
cells.run_regularly('steps += int(v > 0.5)')
pairs = Synapses(cells, cells, '''w : 1
                                  arrived : second
                                  late : boolean''',
                 on_pre='''arrived = t
                           v_post += w*exp(-(t - lastspike_post)/(10*ms))
                           late = t > 100*ms''')
pairs.connect('(i + j) % 3 == 0 and i != j')
pairs.w = '0.02*(i - j)'
spikes = SpikeMonitor(cells)
recorded = StateMonitor(cells, ['since', 'v'], record=[2, 3], dt=1*ms)
run(150*ms)
print(spikes.count[:], cells.steps[:], pairs.late[:].sum())
print('last spikes (ms):', [round(float(x), 1) for x in cells.lastspike/ms])
