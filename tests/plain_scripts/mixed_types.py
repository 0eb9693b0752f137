# Integers, booleans and single precision beside double precision, and the functions that
# equations may use; an odd time step.
# random: no
from brian2 import *

defaultclock.dt = 1*ms/3
G = NeuronGroup(9, '''
    dv/dt = (1.5 - v)/(10*ms) : 1
    small : 1
    counter : integer
    phase : integer
    flag : boolean
    wave = sin(2*pi*30*Hz*t + i) + abs(cos(i*1.0)) : 1
    level = clip(floor(3*wave) + ceil(wave/2), -2, 3)*sign(wave) : 1
    steps = timestep(t, 2*ms) : integer
''', threshold='v > 1 and not flag', reset='''v = 0
counter += 1''', method='euler', dtype={'small': float32, 'counter': int32})
G.counter = 'i - 5'
G.run_regularly('''small += exprel(wave)*0.1 + log10(2 + wave) + log(3 + wave) + sqrt(abs(level))
                   phase = (counter*7 - steps) % 5 + counter//2 - 7//(1 + abs(counter))
                   flag = (phase % 2 == 0 and wave > 0.5) or (not flag and small > 40)''', dt=1*ms)
M = SpikeMonitor(G, variables=['phase', 'small'])
trace = StateMonitor(G, ['wave', 'level', 'phase', 'flag', 'small'], record=True)
run(50*ms)
print(M.count[:], G.phase[:], G.flag[:], trace.phase.min(), trace.phase.max())
print(trace.small.dtype, trace.phase.dtype, trace.flag.dtype)
