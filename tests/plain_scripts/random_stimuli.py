# Random values that are drawn anew in regular intervals while the simulation goes on, in
# cells and in synapses that fail.
# random: yes
# statistics: level_end transmitted v_end
import sys

from brian2 import *

seed(int(sys.argv[1]) if len(sys.argv) > 1 else 77)
cells = NeuronGroup(500, '''dv/dt = (level - v)/(10*ms) : 1
                            level : 1''', threshold='v > 1', reset='v = 0', method='exact')
cells.run_regularly('level = 2*rand()', dt=25*ms)
clock = NeuronGroup(1, 'dx/dt = 1/(4*ms) : 1', threshold='x > 1', reset='x = 0', method='euler')
S = Synapses(clock, cells, '''released : 1
                              probability : 1''',
             on_pre='''success = int(rand() < probability)
                       released += success
                       v_post += 0.05*success*(1 + 0.2*randn())''')
S.connect()
S.probability = 0.4
spikes = SpikeMonitor(cells)
run(190*ms)
run(10*ms)
level_end, v_end = array(cells.level), array(cells.v)
transmitted = array(S.released)
