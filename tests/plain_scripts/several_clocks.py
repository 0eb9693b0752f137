# Three clocks in one network: fine cells, coarse cells, and a slow variable in between.
# random: no
from brian2 import *

fast = NeuronGroup(6, 'dv/dt = (1.4 + 0.2*slow - v)/(5*ms) : 1\nslow : 1', threshold='v > 1',
                   reset='v = 0', method='exact', dt=0.05*ms)
coarse = NeuronGroup(6, 'dx/dt = (drive - x)/(30*ms) : 1\ndrive : 1', method='euler', dt=0.5*ms)
link = Synapses(fast, coarse, on_pre='x_post += 0.1')
link.connect(j='i')
coarse.run_regularly('drive = 0.5*sin(2*pi*10*Hz*t + i)', dt=4*ms)
feedback = Synapses(coarse, fast, 'slow_post = x_pre : 1 (summed)')
feedback.connect(j='i')

trace_fast = StateMonitor(fast, 'v', record=0)
trace_coarse = StateMonitor(coarse, 'x', record=True, dt=2*ms)
spikes = SpikeMonitor(fast)
run(100*ms)
run(33*ms)
print(len(trace_fast.t), len(trace_coarse.t), spikes.num_spikes)
