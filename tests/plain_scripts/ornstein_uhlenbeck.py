# The stationary distribution of Ornstein-Uhlenbeck processes, private and shared, and a cell
# that is driven by them. Two noise terms in one equation.
# random: yes
# statistics: x_end y_end first_passage
import sys

from brian2 import *

seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1930)
tau, sigma, mu = 5*ms, 0.4, 0.7
G = NeuronGroup(600, '''
    dx/dt = (mu - x)/tau + sigma*sqrt(2/tau)*xi : 1
    dy/dt = -y/tau + 0.3*sqrt(2/tau)*xi_own : 1
    dv/dt = (x - v)/(10*ms) : 1
''', threshold='v > 1', reset='v = 0', method='euler')
G.x = mu
monitor = SpikeMonitor(G)
trace = StateMonitor(G, 'x', record=[0, 1])
run(150*ms)

x_end, y_end = array(G.x), array(G.y)
first_passage = array([train[0]/ms if len(train) else 150 for train in
                       monitor.spike_trains().values()])
print('mean and sd: %.1f %.1f' % (mean(x_end), std(x_end)))
subplot(121)
plot(trace.t/ms, trace.x.T)
subplot(122)
hist(x_end, 30)
show()
