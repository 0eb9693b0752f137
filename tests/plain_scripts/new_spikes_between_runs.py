# Patterns are presented one after the other with set_spikes; the answer to one decides on the
# next.
# random: no
from brian2 import *

patterns = {'A': [0, 1, 2], 'B': [3, 4, 5], 'C': [1, 3, 5]}
inputs = SpikeGeneratorGroup(6, [], []*ms)
classes = NeuronGroup(2, 'dv/dt = -v/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                      method='exact')
S = Synapses(inputs, classes, 'w : 1', on_pre='v_post += w')
S.connect()
S.w['j == 0'] = '0.5*int(i < 3)'
S.w['j == 1'] = '0.4*int(i >= 3)'
spikes = SpikeMonitor(classes)
input_spikes = SpikeMonitor(inputs)

answers = []
name = 'A'
counts = zeros(2)
for trial in range(5):
    cells = array(patterns[name])
    inputs.set_spikes(cells, defaultclock.t + (1 + arange(len(cells)))*ms)
    run(15*ms)
    answer = array(spikes.count) - counts
    counts = array(spikes.count)
    answers.append((name, *answer))
    name = 'B' if answer[0] > answer[1] else ('C' if name == 'B' else 'A')
for line in answers:
    print(*line)
