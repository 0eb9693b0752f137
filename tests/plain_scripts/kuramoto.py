# Phase oscillators that are coupled all to all (Kuramoto, 1975), through summed variables,
# for several strengths of the coupling at once.
# random: no
from brian2 import *

size, couplings = 12, [0, 2, 8]
rng = np.random.default_rng(1975)
dt_sim = 1*ms
defaultclock.dt = dt_sim
group = NeuronGroup(size*len(couplings), '''
    dTheta/dt = omega + K/size*coupling : radian
    omega : radian/second (constant)
    K : radian/second (constant)
    coupling : 1
''', method='euler')
group.Theta = rng.uniform(0, 2*pi, size*len(couplings))
group.omega = tile(rng.normal(6, 0.5, size), len(couplings))/second
group.K = repeat(couplings, size)/second
S = Synapses(group, group, 'coupling_post = sin(Theta_pre - Theta_post) : 1 (summed)')
S.connect('i//size == j//size')
M = StateMonitor(group, 'Theta', record=True, dt=10*ms)
run(0.8*second)

for k, strength in enumerate(couplings):
    phases = M.Theta[k*size:(k + 1)*size]
    order = abs(mean(exp(1j*phases), axis=0))
    print('K = %d: order %.3f at first, %.3f at last' % (strength, order[0], order[-1]))
    plot(M.t/ms, order)
show()
