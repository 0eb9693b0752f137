# States are taken out of one network as a dictionary, changed, and set in it again.
# random: no
from brian2 import *

cells = NeuronGroup(6, '''dv/dt = (I - v)/(10*ms) : 1
                          dg/dt = -g/(30*ms) : 1
                          I : 1''', threshold='v > 1', reset='v = 0; g += 1', method='exact',
                    name='cells')
cells.I = linspace(0.9, 1.9, 6)
links = Synapses(cells, cells, 'w : 1', on_pre='v_post += w; w *= 0.98', name='links')
links.connect(j='(i + 1) % 6')
links.w = 0.1
spikes = SpikeMonitor(cells, name='spikes')
net = Network(cells, links, spikes)

net.run(70*ms)
states = net.get_states(units=False)
print(sorted(states), sorted(states['cells']))
kept = {name: states[name].copy() for name in ('cells', 'links')}
net.run(50*ms)
v_middle = array(cells.v)

cells.set_states({'v': kept['cells']['v'], 'g': kept['cells']['g']*0.5}, units=False)
links.set_states({'w': kept['links']['w'] + 0.05}, units=False)
net.run(50*ms)
frame = cells.get_states(['v', 'g', 'I'], units=True)
print(frame['v'], frame['g'])
print('spikes', spikes.count[:])
