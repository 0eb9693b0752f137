# A cochlea-like filter bank of second-order stages, half-wave rectified, that drives auditory
# nerve fibres. The sound is a TimedArray at its own sample rate, as models of the periphery
# do it.
# random: no
from brian2 import *

defaultclock.dt = 0.05*ms
sample_rate = 20*kHz
duration = 80*ms
t_sound = arange(int(duration*sample_rate))/sample_rate
chirp = sin(2*pi*(200*Hz*t_sound + 0.5*8*kHz/second*t_sound**2))
ramp = clip(t_sound/(10*ms), 0, 1)
sound = TimedArray(chirp*ramp, dt=1/sample_rate)

n_channels = 24
cf = logspace(log10(150), log10(1500), n_channels)*Hz
quality = 4.0

basilar = NeuronGroup(n_channels, '''
    dy/dt = u : 1
    du/dt = omega**2*(sound(t) - y) - omega/quality*u : Hz
    omega : Hz (constant)
    hair = clip(u/omega, 0, inf)**0.6 : 1
''', method='euler')
basilar.omega = 2*pi*cf

nerve = NeuronGroup(n_channels*2, '''
    dv/dt = (gain*drive - v)/(2*ms) : 1 (unless refractory)
    drive : 1 (linked)
    gain : 1
''', threshold='v > 1', reset='v = 0', refractory=1*ms, method='exact')
nerve.drive = linked_var(basilar, 'hair', index=repeat(arange(n_channels), 2))
nerve.gain = tile([1.5, 3.0], n_channels)

spikes = SpikeMonitor(nerve)
membrane = StateMonitor(basilar, 'y', record=[0, 8, 16])
run(duration)

per_channel = spikes.count[:].reshape(n_channels, 2).sum(axis=1)
print('best channel: %d (%.0f Hz)' % (argmax(per_channel), cf[argmax(per_channel)]/Hz))
imshow(atleast_2d(per_channel), aspect='auto')
xlabel('Channel')
show()
