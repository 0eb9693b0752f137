# A script with a main function, options on the command line, and results in a file.
# random: no
# arguments: --cells 12 --duration 0.12 --output rates.npz
import argparse

import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, Synapses, defaultclock, ms, mV, nA, second

result = None


def parse():
    parser = argparse.ArgumentParser(description='Mutual inhibition of two pools')
    parser.add_argument('--cells', type=int, default=20)
    parser.add_argument('--duration', type=float, default=0.5)
    parser.add_argument('--output', default='rates.npz')
    return parser.parse_args()


def build(n):
    eqs = '''dv/dt = (-(v + 65*mV) + R*I - g)/(15*ms) : volt
             dg/dt = -g/(8*ms) : volt
             I : amp
             R = 100*Mohm : ohm'''.replace('100*Mohm', '1e8*ohm')
    pool = NeuronGroup(n, eqs, threshold='v > -50*mV', reset='v = -65*mV', method='euler')
    pool.v = -65*mV
    pool.I = np.linspace(0.16, 0.26, n)*nA
    inhibition = Synapses(pool, pool, on_pre='g_post += 0.8*mV', delay=1*ms)
    inhibition.connect('(i < N_pre/2) != (j < N_post/2)')
    return pool, inhibition


def main():
    global result
    options = parse()
    defaultclock.dt = 0.2*ms
    pool, inhibition = build(options.cells)
    spikes = SpikeMonitor(pool)
    net = Network(pool, inhibition, spikes)
    net.run(options.duration*second)
    result = np.array(spikes.count)/options.duration
    np.savez(options.output, rates=result, t=spikes.t/ms, i=spikes.i[:])
    print('%d spikes, written to %s' % (spikes.num_spikes, options.output))
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
