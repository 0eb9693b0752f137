# How the error of a method depends on the time step: the same model in several networks, each
# with its own default time step.
# random: no
from brian2 import *

tau = 5*ms
exact_value = exp(-10/5.0)*1 + 0.5*(1 - exp(-10/5.0))
errors = {}
for method in ('euler', 'rk2', 'rk4'):
    for step in (1, 0.5, 0.25):
        defaultclock.dt = step*ms
        G = NeuronGroup(1, 'dx/dt = (0.5 - x)/tau : 1', method=method)
        G.x = 1
        net = Network(G)
        net.run(10*ms)
        errors[method, step] = abs(G.x[0] - exact_value)

table = array([[errors[method, step] for step in (1, 0.5, 0.25)]
               for method in ('euler', 'rk2', 'rk4')])
orders = log2(table[:, :-1]/table[:, 1:])
print('orders of convergence:')
print(orders.round(1))
loglog([1, 0.5, 0.25], table.T, 'o-')
legend(('euler', 'rk2', 'rk4'))
show()
