# Spike-timing dependent plasticity with event-driven traces (Song, Miller and Abbott, 2000);
# the input trains are drawn once with numpy.
# random: no
from brian2 import *

rng = np.random.RandomState(2000)
N = 100
taum = 10*ms
taupre = 20*ms
taupost = taupre
Ee = 0*mV
vt = -54*mV
vr = -60*mV
El = -74*mV
taue = 5*ms
F = 15*Hz
gmax = .15
dApre = .01
dApost = -dApre*taupre/taupost*1.05
dApost *= gmax
dApre *= gmax

duration = 600*ms
steps = int(duration/(1*ms))
drawn = rng.rand(steps, N) < float(F*1*ms)
times, indices = nonzero(drawn)
inputs = SpikeGeneratorGroup(N, indices, times*ms)

neurons = NeuronGroup(1, '''dv/dt = (ge*(Ee-v) + El - v)/taum : volt
                            dge/dt = -ge/taue : 1''',
                      threshold='v > vt', reset='v = vr', method='euler')
neurons.v = vr
S = Synapses(inputs, neurons,
             '''w : 1
                dApre/dt = -Apre/taupre : 1 (event-driven)
                dApost/dt = -Apost/taupost : 1 (event-driven)''',
             on_pre='''ge += w
                       Apre += dApre
                       w = clip(w + Apost, 0, gmax)''',
             on_post='''Apost += dApost
                        w = clip(w + Apre, 0, gmax)''')
S.connect()
S.w = rng.rand(N)*gmax
w_before = array(S.w)
mon = StateMonitor(S, 'w', record=[0, 1], dt=2*ms)
s_mon = SpikeMonitor(neurons)

run(duration)

w_change = array(S.w) - w_before
print('spikes of the target:', s_mon.num_spikes)
subplot(211)
hist(S.w/gmax, 20)
xlabel('Weight / gmax')
subplot(212)
plot(mon.t/second, mon.w.T/gmax)
xlabel('Time (s)')
tight_layout()
show()
