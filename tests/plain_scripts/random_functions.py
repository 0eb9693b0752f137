# Draws in the time loop from distributions other than the uniform and the normal one.
# random: yes
# statistics: counts summed released
import sys

from brian2 import *

seed(int(sys.argv[1]) if len(sys.argv) > 1 else 70)
release = BinomialFunction(20, 0.3, approximate=False)
cells = NeuronGroup(400, '''dx/dt = -x/(20*ms) : 1
                            count : 1
                            current = 0.5 + 0.1*randn() : 1 (constant over dt)
                            dsummed/dt = (current - summed)/(2*ms) : 1
                            released : 1''', method='euler')
cells.run_regularly('count += poisson(1.5); x += 0.1*count', dt=10*ms)
cells.run_regularly('released = release()', dt=25*ms)
run(100*ms)
counts, summed, released = array(cells.count), array(cells.summed), array(cells.released)
