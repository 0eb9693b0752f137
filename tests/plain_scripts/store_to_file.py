# A network is trained once and its state written to a file; then test runs begin from the
# file.
# random: no
import os
import tempfile

from brian2 import *

folder = tempfile.mkdtemp()
filename = os.path.join(folder, 'trained.brian')

inputs = SpikeGeneratorGroup(8, arange(96) % 8, (arange(96)*1.5 + 0.5)*ms)
output = NeuronGroup(2, 'dv/dt = -v/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                     method='exact')
S = Synapses(inputs, output, '''w : 1
                                dpre/dt = -pre/(10*ms) : 1 (event-driven)''',
             on_pre='v_post += w; pre += 0.1', on_post='w = clip(w + 0.2*pre, 0, 1)')
S.connect()
S.w = '0.2 + 0.02*i'
S.delay = '0.1*ms*i'
spikes = SpikeMonitor(output)
net = Network(collect())
net.store('untrained')
net.run(150*ms)
trained_weights = array(S.w)
net.store('trained', filename=filename)

outcomes = {}
for test in ('first', 'second'):
    net.restore('trained', filename=filename)
    inputs.set_spikes([0, 3, 5], net.t + [1, 4, 8]*ms)
    if test == 'second':
        S.w = 0.6
    net.run(20*ms)
    outcomes[test] = (spikes.num_spikes, float(output.v[0]), float(S.w[-1]))
net.restore('untrained')
print(outcomes, defaultclock.t, spikes.num_spikes)
os.remove(filename)
os.rmdir(folder)
