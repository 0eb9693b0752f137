# Current-driven onset of oscillations in the Morris-Lecar model, with a phase portrait and a
# threshold on a compartment-free cell.
# random: no
import matplotlib.pyplot as plt
import numpy as np
from brian2 import NeuronGroup, SpikeMonitor, StateMonitor, defaultclock, ms, run
from brian2.units import cm, msiemens, mV, uA, ufarad

defaultclock.dt = 0.05*ms
g_L, g_Ca, g_K = 2*msiemens/cm**2, 4.4*msiemens/cm**2, 8*msiemens/cm**2
V_L, V_Ca, V_K = -60*mV, 120*mV, -84*mV
V1, V2, V3, V4 = -1.2*mV, 18*mV, 2*mV, 30*mV
C, phi = 20*ufarad/cm**2, 0.04/ms

group = NeuronGroup(8, '''
    dV/dt = (-g_L*(V - V_L) - g_Ca*m_inf*(V - V_Ca) - g_K*n*(V - V_K) + I)/C : volt
    dn/dt = phi*cosh((V - V3)/(2*V4))*(n_inf - n) : 1
    m_inf = 0.5*(1 + tanh((V - V1)/V2)) : 1
    n_inf = 0.5*(1 + tanh((V - V3)/V4)) : 1
    I : amp/meter**2
''', threshold='V > 10*mV', refractory='V > 0*mV', method='rk4')
group.V = -40*mV
group.n = 0.01
group.I = np.linspace(60, 130, 8)*uA/cm**2
trace = StateMonitor(group, ['V', 'n'], record=True, dt=0.5*ms)
spikes = SpikeMonitor(group)
run(250*ms)

fig, ax = plt.subplots()
for k in (0, 7):
    ax.plot(trace.V[k]/mV, trace.n[k])
ax.set(xlabel='V (mV)', ylabel='n')
plt.close(fig)
print('spikes', spikes.count[:])
