# A function whose author has written it for Cython, and not for C++.
# random: no
# refused: softplus
from brian2 import *


@implementation('cython', '''
from libc.math cimport log1p
cdef double softplus(double x):
    return log1p(exp(x))
''')
@check_units(x=1, result=1)
def softplus(x):
    return log1p(exp(x))


G = NeuronGroup(4, 'dv/dt = (softplus(I) - v)/(10*ms) : 1\nI : 1', method='euler')
G.I = linspace(-2, 2, 4)
run(10*ms)
print(G.v[:])
