# A Python function in the equations of a compartment model.
# random: no
# refused: gate_rate
from brian2 import *


@check_units(v=volt, result=Hz)
def gate_rate(v):
    return 100*Hz*clip(v/mV + 70, 0, 10)


cable = SpatialNeuron(Cylinder(length=100*um, diameter=2*um, n=4), '''
    Im = 1*mS/cm**2*(-70*mV - v)*(1 + m) : amp/meter**2
    dm/dt = gate_rate(v)*(1 - m) : 1
''', Cm=1*uF/cm**2, Ri=100*ohm*cm, method='exponential_euler')
cable.v = -65*mV
run(2*ms)
print(cable.v[:])
