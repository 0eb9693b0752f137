# A function of the user with implementations for compiled code, called in equations and
# synapses.
# random: no
from brian2 import *


@implementation('cpp', '''
double piecewise(double x, double low, double high) {
    if (x < low) return low;
    return x > high ? high + 0.1*(x - high) : x;
}''')
@implementation('cython', '''
cdef double piecewise(double x, double low, double high):
    if x < low:
        return low
    return high + 0.1*(x - high) if x > high else x
''')
@check_units(x=1, low=1, high=1, result=1)
def piecewise(x, low, high):
    return where(x < low, low, where(x > high, high + 0.1*(x - high), x))


G = NeuronGroup(9, '''dv/dt = (piecewise(drive, 0.2, 1.5) - v)/(10*ms) : 1
                      drive : 1''', threshold='v > 1', reset='v = 0', method='euler')
G.drive = linspace(-1, 4, 9)
S = Synapses(G, G, on_pre='v_post += 0.1*piecewise(v_post, 0.3, 0.6)')
S.connect(j='(i + 4) % 9')
spikes = SpikeMonitor(G)
trace = StateMonitor(G, 'v', record=[0, 8])
run(100*ms)
print('by hand', piecewise(array([-1.0, 1.0, 2.0]), 0.2, 1.5), 'spikes', spikes.count[:])
