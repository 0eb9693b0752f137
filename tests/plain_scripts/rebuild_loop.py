# A parameter sweep as beginners write it: a function builds the whole model anew for each
# value.
# random: no
from brian2 import *


def simulate(tau_syn, n_inputs=20):
    start_scope()
    taum = 10*ms
    inputs = SpikeGeneratorGroup(n_inputs, arange(60) % n_inputs, arange(60)*3*ms + 1*ms)
    cell = NeuronGroup(1, '''dv/dt = (s - v)/taum : 1
                             ds/dt = -s/tau_syn : 1''',
                       threshold='v > 1', reset='v = 0', method='exact')
    S = Synapses(inputs, cell, 'w : 1', on_pre='s += w', delay=1*ms)
    S.connect()
    S.w = '2.0*(i + 1)/N_pre'
    M = SpikeMonitor(cell)
    trace = StateMonitor(cell, 's', record=True)
    run(200*ms)
    return M.num_spikes, trace.s[0].max(), list(M.t/ms)


results = {}
for tau in [2, 5, 12, 20]*ms:
    count, peak, times = simulate(tau)
    results['%g ms' % (tau/ms)] = array([count, peak, *times])
    print('tau_syn = %s: %d spikes, peak %.3f' % (tau, count, peak))
