# A passive cable with a soma, and a current pulse injected half way along it.
# random: no
# tolerance: 1e-9 because the interpreted target solves the cable with SciPy
from brian2 import *

defaultclock.dt = 0.02*ms
morpho = Soma(diameter=30*um)
morpho.axon = Cylinder(diameter=1*um, length=500*um, n=50)

El = -70*mV
gL = 1e-4*siemens/cm**2
eqs = '''
Im = gL*(El - v) : amp/meter**2
I : amp (point current)
'''
neuron = SpatialNeuron(morphology=morpho, model=eqs, Cm=1*uF/cm**2, Ri=100*ohm*cm,
                       method='exponential_euler')
neuron.v = El
halfway = neuron[morpho.axon[250*um]]

monitors = {'soma': StateMonitor(neuron, 'v', record=[0]),
            'axon': StateMonitor(neuron.axon, 'v', record=range(0, 50, 10))}
net = Network(neuron, list(monitors.values()))
net.run(5*ms)
halfway.I = 0.3*nA
net.run(10*ms)
halfway.I = 0*amp
net.run(10*ms)

peak = monitors['axon'].v.max(axis=1)
print('peak along the axon:', ', '.join('%.2f mV' % (p/mV) for p in peak))
for x, row in zip(monitors['axon'].record, monitors['axon'].v):
    plot(monitors['axon'].t/ms, row/mV, label=str(x))
plot(monitors['soma'].t/ms, monitors['soma'].v[0]/mV, 'k')
legend()
show()
