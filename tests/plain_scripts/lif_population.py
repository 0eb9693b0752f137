# Leaky integrate-and-fire cells with a range of drives, as in every first tutorial of the
# field.
# random: no
# reference: cython
from brian2 import *

N = 60
tau = 10*ms
v0_max = 3.0
duration = 500*ms

eqs = '''
dv/dt = (v0 - v)/tau : 1 (unless refractory)
v0 : 1
'''
group = NeuronGroup(N, eqs, threshold='v > 1', reset='v = 0', refractory=5*ms, method='exact')
group.v = 0
group.v0 = 'i*v0_max/(N-1)'

monitor = SpikeMonitor(group)
run(duration)

rates = monitor.count/duration
print('highest rate: %.1f Hz' % (max(rates)/Hz))
plot(group.v0, rates/Hz)
xlabel('v0')
ylabel('Firing rate (sp/s)')
show()
