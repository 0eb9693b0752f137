# Rates of a Poisson group from a function of time in Python.
# random: yes
# refused: envelope
from brian2 import *


@check_units(t=second, result=Hz)
def envelope(t):
    return 50*Hz*(1 + sin(2*pi*4*Hz*t))


P = PoissonGroup(20, rates='envelope(t)')
M = SpikeMonitor(P)
run(50*ms)
print(M.num_spikes)
