# Waves on a ring of excitable units that are coupled by diffusion, in a run with a report,
# and with a time step that the user sets by hand.
# random: no
from brian2 import *

defaultclock.dt = 0.2*ms
units = NeuronGroup(30, '''du/dt = (u*(1 - u)*(u - 0.1) - w + D*lap)/(1*ms) : 1
                           dw/dt = 0.02*(0.5*u - w)/(1*ms) : 1
                           lap : 1
                           D : 1 (shared)''', method='rk4')
units.D = 0.5
neighbours = Synapses(units, units, 'lap_post = u_pre - u_post : 1 (summed)')
neighbours.connect('j == (i + 1) % N_pre or i == (j + 1) % N_post')
units.u[10:13] = 1
units.w[6:10] = 0.3
movie = StateMonitor(units, 'u', record=True, dt=5*ms)
run(200*ms, report='stdout', report_period=60*second)
units.D = 0
run(50*ms)
print('units that were excited:', int((movie.u.max(axis=1) > 0.5).sum()))
imshow(movie.u, aspect='auto')
show()
