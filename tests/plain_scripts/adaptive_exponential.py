# The adaptive exponential integrate-and-fire model (Brette and Gerstner, 2005) with the
# parameters of several firing patterns.
# random: no
from brian2 import *

C, gL, EL, VT, DeltaT = 281*pF, 30*nS, -70.6*mV, -50.4*mV, 2*mV
Vcut = VT + 5*DeltaT
kinds = {'regular': (144*ms, 4*nS, 0.0805*nA, -70.6*mV),
         'bursting': (20*ms, 4*nS, 0.5*nA, VT + 5*mV),
         'fast': (144*ms, 2*C/(144*ms), 0*nA, -70.6*mV)}

eqs = """
dvm/dt = (gL*(EL - vm) + gL*DeltaT*exp((vm - VT)/DeltaT) + I - w)/C : volt
dw/dt = (a*(vm - EL) - w)/tauw : amp
I : amp
tauw : second
a : siemens
b : amp
Vr : volt
"""
neuron = NeuronGroup(3, model=eqs, threshold='vm > Vcut', reset='vm = Vr; w += b', method='euler')
for k, (tauw, a, b, Vr) in enumerate(kinds.values()):
    neuron.tauw[k], neuron.a[k], neuron.b[k], neuron.Vr[k] = tauw, a, b, Vr
neuron.vm = EL
trace = StateMonitor(neuron, ['vm', 'w'], record=True)
spikes = SpikeMonitor(neuron)

run(20*ms)
neuron.I = 1*nA
run(150*ms)
neuron.I = 0*nA
run(20*ms)

for k, kind in enumerate(kinds):
    vm = trace[k].vm[:]
    for t in spikes.t[spikes.i == k]:
        vm[int(t/defaultclock.dt)] = 20*mV
    plot(trace.t/ms, vm/mV, label=kind)
    print(kind, spikes.count[k])
legend()
show()
