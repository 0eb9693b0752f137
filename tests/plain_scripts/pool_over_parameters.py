# A sweep over processes: each worker builds the network for its parameters and gives numbers
# back.
# random: no
import multiprocessing

import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, Synapses, ms


def simulate(strength):
    cells = NeuronGroup(6, 'dv/dt = (1.3 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                        method='exact', name='cells')
    cells.v = 'i/6.0'
    links = Synapses(cells, cells, on_pre='v_post += strength', namespace={'strength': strength},
                     name='links')
    links.connect(j='(i + 1) % N_post')
    spikes = SpikeMonitor(cells, name='spikes')
    Network(cells, links, spikes).run(100*ms)
    return np.array(spikes.count)


if __name__ == '__main__':
    with multiprocessing.get_context('fork').Pool(2) as pool:
        counts = np.array(pool.map(simulate, [0.0, 0.1, -0.2]))
    print(counts)
    alone = simulate(0.1)
    print('as in this process:', bool((counts[1] == alone).all()))
