# Learning by a global reward (Izhikevich, 2007): eligibility traces at the synapses, dopamine
# in a group of one cell, and rewards that the script decides on from what has been fired.
# random: no
from brian2 import *

taupre, taupost, tauc, taud = 20*ms, 20*ms, 200*ms, 50*ms
n = 10
times = concatenate([(20*k + (k*7 + arange(n)*3) % 17)*ms/ms for k in range(8)])*ms
inputs = SpikeGeneratorGroup(n, tile(arange(n), 8), times + 1*ms)
cells = NeuronGroup(2, 'dv/dt = -v/(15*ms) : 1', threshold='v > 1', reset='v = 0', method='exact')
dopamine = NeuronGroup(1, 'dd/dt = -d/taud : 1', method='exact')

S = Synapses(inputs, cells, '''
    dc/dt = -c/tauc : 1 (clock-driven)
    ds/dt = 0.0005*reward*c/ms : 1 (clock-driven)
    reward : 1 (linked)
    dApre/dt = -Apre/taupre : 1 (event-driven)
    dApost/dt = -Apost/taupost : 1 (event-driven)
''', on_pre='v_post += s; Apre += 0.1; c += Apost', on_post='Apost -= 0.06; c += Apre',
    method='euler')
S.connect()
S.s = '0.25 + 0.02*((i + 3*j) % 5)'
S.reward = linked_var(dopamine, 'd')

spikes = SpikeMonitor(cells)
trace = StateMonitor(S, ['c', 's'], record=[0, 7, 15], dt=1*ms)
given = 0
for trial in range(8):
    before = array(spikes.count)
    run(20*ms)
    fired = array(spikes.count) - before
    if fired[0] > fired[1] or trial % 4 == 0:
        dopamine.d += 1
        given += 1
print('rewards', given, 'weights', S.s['j == 0'].mean(), S.s['j == 1'].mean())
