# Spike times are reliable when the same fluctuating current is injected in every trial
# (Mainen and Sejnowski, 1995). Trials are cells; the frozen current is a TimedArray.
# random: no
from brian2 import *

np.random.seed(1995)
trials = 25
tau = 10*ms
dt_current = 1*ms
frozen = randn(400)
frozen = convolve(frozen, exp(-arange(30)/3.0), mode='same')
constant_current = TimedArray(1.5*ones((400, 1)).repeat(trials, axis=1), dt=dt_current)
frozen_current = TimedArray(1 + 0.7*frozen, dt=dt_current)


def trial_set(drive):
    cells = NeuronGroup(trials, 'dv/dt = (%s - v)/tau : 1' % drive, threshold='v > 1',
                        reset='v = 0', method='euler')
    cells.v = rand(trials)
    return cells, SpikeMonitor(cells)


steady, steady_spikes = trial_set('constant_current(t, i)')
fluctuating, fluctuating_spikes = trial_set('frozen_current(t)')
run(400*ms)


def jitter(monitor):
    last = [max(train/ms) for train in monitor.spike_trains().values()]
    return std(last)


print('jitter of the last spike: steady %.2f ms, fluctuating %.2f ms'
      % (jitter(steady_spikes), jitter(fluctuating_spikes)))
subplot(211)
plot(steady_spikes.t/ms, steady_spikes.i, '.k')
subplot(212)
plot(fluctuating_spikes.t/ms, fluctuating_spikes.i, '.k')
show()
