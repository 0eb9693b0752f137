# Localisation of a sound by delay lines and coincidence (Jeffress, 1948): two ears, cells
# with all interaural delays, a source that moves.
# random: no
from brian2 import *

defaultclock.dt = .02*ms
max_delay = 20*cm/(300*metre/second)
angular_speed = 2*pi*20*Hz
tau_ear, sigma_ear = 1*ms, .1
signal = TimedArray(0.3 + 0.8*np.random.RandomState(1948).randn(2000).cumsum()/30, dt=0.05*ms)

ears = NeuronGroup(2, '''
    dx/dt = (signal(t - delay*(1 + sin(theta))) - x)/tau_ear + 0.5/tau_ear : 1 (unless refractory)
    dtheta/dt = angular_speed : 1
    delay = max_delay*i : second
''', threshold='x > 1', reset='x = 0', refractory=2.5*ms, method='euler', name='ears')

num_neurons = 15
neurons = NeuronGroup(num_neurons, 'dv/dt = -v/(1*ms) : 1', threshold='v > 1', reset='v = 0',
                      method='euler', name='neurons')
synapses = Synapses(ears, neurons, on_pre='v += .6')
synapses.connect()
synapses.delay['i == 0'] = '(1.0*j)/(num_neurons - 1)*1.1*max_delay'
synapses.delay['i == 1'] = '(1.0*(num_neurons - j - 1))/(num_neurons - 1)*1.1*max_delay'

ear_spikes = SpikeMonitor(ears)
spikes = SpikeMonitor(neurons)
run(100*ms)
print('ears', ear_spikes.count[:], 'cells', spikes.count[:])
i, t = spikes.it
plot(t/ms, i, '.')
show()
