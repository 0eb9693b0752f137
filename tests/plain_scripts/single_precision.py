# All state variables in single precision, as a preference.
# random: no
from brian2 import *

prefs.core.default_float_dtype = float32
G = NeuronGroup(16, '''dv/dt = (I + s - v)/(16*ms) : 1
                       ds/dt = -s/(4*ms) : 1
                       I : 1 (constant)''', threshold='v > 1', reset='v = 0', refractory=1*ms,
                method='euler')
G.I = '1 + i*0.0625'
S = Synapses(G, G, 'w : 1', on_pre='s_post += w', delay=2*ms)
S.connect(j='(i + 3) % N_post')
S.w = 0.25
M = SpikeMonitor(G)
trace = StateMonitor(G, 's', record=[3])
run(60*ms)
print(G.v.dtype if hasattr(G.v, 'dtype') else G.v[:].dtype, M.count[:])
