# Synapses on the compartments of a branching dendrite with an active soma; which branch is
# stimulated first makes the difference (after Rall, 1964).
# random: no
# reference: cython
from brian2 import *

defaultclock.dt = 0.025*ms
morpho = Soma(20*um)
morpho.L = Cylinder(length=200*um, diameter=2*um, n=8)
morpho.R = Section(n=6, diameter=[2, 1.8, 1.6, 1.4, 1.2, 1.0, 0.8]*um, length=ones(6)*25*um)
morpho.L.tip = Cylinder(length=60*um, diameter=1*um, n=3)

El, Es = -70*mV, 0*mV
gL = 1e-4*siemens/cm**2
taus = 1.5*ms
w = 2*nS
eqs = '''
Im = gL*(El - v) : amp/meter**2
Is = gs*(Es - v) : amp (point current)
dgs/dt = -gs/taus : siemens
'''
cell = SpatialNeuron(morphology=morpho, model=eqs, Cm=1*uF/cm**2, Ri=150*ohm*cm,
                     threshold='v > -58*mV', refractory='v > -58*mV', threshold_location=0,
                     method='exponential_euler')
cell.v = El

inputs = SpikeGeneratorGroup(3, [0, 1, 2, 2, 1, 0], [2, 4, 6, 42, 44, 46]*ms)
S = Synapses(inputs, cell, on_pre='gs += w')
S.connect(i=0, j=morpho.L.tip.indices[2])
S.connect(i=1, j=morpho.L[100*um].indices[:])
S.connect(i=2, j=morpho.R[0*um:50*um].indices[:])

at_soma = StateMonitor(cell, 'v', record=0)
branches = StateMonitor(cell, ('v', 'gs'), record=morpho.L.indices[:])
spikes = SpikeMonitor(cell)
run(80*ms)

half = len(at_soma.t)//2
inward, outward = at_soma.v[0, :half].max(), at_soma.v[0, half:].max()
print('towards the soma %.2f mV, away from it %.2f mV' % (inward/mV, outward/mV))
figure()
plot(at_soma.t/ms, at_soma.v[0]/mV)
show()
