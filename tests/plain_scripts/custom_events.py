# Threshold crossings that are no spikes: a custom event for the upward crossing of a lower
# level, with synapses that act on it.
# random: no
from brian2 import *

group = NeuronGroup(4, '''
    dv/dt = (I - v)/(20*ms) : 1
    last_v : 1
    level_crossed : second
    I : 1''', threshold='v > 1', reset='v = 0', method='exact',
    events={'halfway': 'v > 0.5 and last_v <= 0.5', 'low': 'v < 0.1 and i > 1'})
group.run_on_event('halfway', 'level_crossed = t')
group.set_event_schedule('halfway', when='after_thresholds')
group.run_regularly('last_v = v', when='end')
group.I = [0.7, 1.2, 1.5, 2.5]
target = NeuronGroup(4, 'dy/dt = -y/(15*ms) : 1', method='exact')
S = Synapses(group, target, on_pre={'down': 'y_post -= 0.2', 'up': 'y_post += 1'},
             on_event={'up': 'halfway', 'down': 'spike'})
S.connect(j='i')

halfway = EventMonitor(group, 'halfway', variables=['v'])
low = EventMonitor(group, 'low', record=False)
spikes = SpikeMonitor(group)
run(120*ms)
print('halfway', halfway.count[:], 'low', low.count[:], 'spikes', spikes.count[:])
print({index: len(times) for index, times in halfway.event_trains().items()})
