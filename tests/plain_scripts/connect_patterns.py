# The ways to say who is connected to whom: conditions, probabilities, generators, index
# arrays, several synapses of one pair, and distances on a grid.
# random: no
from brian2 import *

seed(31)
rows, cols, grid = 6, 6, 25*umeter
sheet = NeuronGroup(rows*cols, '''x : meter
                                  y : meter
                                  dv/dt = (1.2 + 0.02*(i % 7) - v)/(10*ms) : 1''',
                    threshold='v > 1', reset='v = 0', method='exact')
sheet.x = '(i % cols)*grid'
sheet.y = '(i // cols)*grid'

near = Synapses(sheet, sheet, 'w : 1', on_pre='v_post += w')
near.connect('i != j and sqrt((x_pre - x_post)**2 + (y_pre - y_post)**2) < 1.5*grid')
near.w = '0.02*exp(-(x_pre - x_post)**2/grid**2)'
far = Synapses(sheet, sheet, on_pre='v_post -= 0.01', delay=2*ms)
far.connect(condition='i != j', p='0.3*exp(-abs(x_pre - x_post)/(2*grid))')
diagonal = Synapses(sheet, sheet, on_pre='v_post += 0.01')
diagonal.connect(j='k for k in range(i - 2, i + 3) if k != i', skip_if_invalid=True)
sampled = Synapses(sheet, sheet, on_pre='v_post -= 0.003')
sampled.connect(j='k for k in sample(N_post, size=4)')
double = Synapses(sheet, sheet, '''strength : 1
                                   number : integer (constant)''', on_pre='v_post += strength',
                  multisynaptic_index='n_syn')
double.connect(i=[0, 5, 11], j=[35, 30, 24], n=3)
double.strength = '0.03*(n_syn + 1)'
double.delay = '(1 + n_syn)*ms'
double.number = 'n_syn'
fan = Synapses(sheet, sheet[:6], on_pre='v_post -= 0.02')
fan.connect(i='k for k in range(N_pre) if k // 6 == j')

counts = {s: len(syn) for s, syn in zip(['near', 'far', 'diagonal', 'sampled', 'double', 'fan'],
                                        [near, far, diagonal, sampled, double, fan])}
print(counts)
spikes = SpikeMonitor(sheet)
run(80*ms)
print('spikes:', spikes.num_spikes, 'outgoing synapses of cell 7:', near.N_outgoing_pre[7])
