# Cells that are coupled by gap junctions synchronise.
# random: no
from brian2 import *

n = 10
v0 = 1.05
tau = 10*ms
neurons = NeuronGroup(n, '''
    dv/dt = (v0 - v + Igap)/tau : 1
    Igap : 1
''', threshold='v > 1', reset='v = 0', method='exact')
neurons.v = 'i*1.0/n'
trace = StateMonitor(neurons, 'v', record=[0, 5])
S = Synapses(neurons, neurons, '''
    w : 1
    Igap_post = w*(v_pre - v_post) : 1 (summed)
''')
S.connect('i != j')
S.w = .02
spikes = SpikeMonitor(neurons)
run(300*ms)

plot(trace.t/ms, trace[0].v)
plot(trace.t/ms, trace[5].v)
xlabel('Time (ms)')
ylabel('v')
show()
print('spread of v at the end: %.5f' % (ptp(neurons.v)))
