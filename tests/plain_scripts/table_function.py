# A measured curve as a function in C++ that has the table in its namespace.
# random: no
from brian2 import *

curve = array([0.0, 0.4, 1.1, 1.6, 1.2, 0.3])


@implementation('cpp', '''
double from_curve(double x) {
    const int k = x < 0 ? 0 : (x > 4.999 ? 4 : (int)x);
    return _namespace_curve[k] + (x - k)*(_namespace_curve[k + 1] - _namespace_curve[k]);
}''', namespace={'_curve': curve})
@implementation('cython', '''
cdef double from_curve(double x):
    global _namespace_curve
    cdef int k = 0 if x < 0 else (4 if x > 4.999 else <int>x)
    return _namespace_curve[k] + (x - k)*(_namespace_curve[k + 1] - _namespace_curve[k])
''', namespace={'_curve': curve})
@check_units(x=1, result=1)
def from_curve(x):
    k = clip(x, 0, 4.999).astype(int)
    k = where(asarray(x) > 4.999, 4, k)
    return curve[k] + (x - k)*(curve[k + 1] - curve[k])


G = NeuronGroup(11, '''dv/dt = (from_curve(x) - v)/(10*ms) : 1
                       dx/dt = 20*Hz : 1''', threshold='v > 0.9', reset='v = 0', method='euler')
G.x = 'i*0.4'
M = SpikeMonitor(G)
run(60*ms)
print(M.count[:], from_curve(array([0.5, 2.25])))
