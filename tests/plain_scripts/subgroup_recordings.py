# Columns that are subgroups of one group, with a monitor, a synapse group and initial values
# for each, kept in lists and dictionaries.
# random: no
from brian2 import *

n_columns, size = 4, 8
sheet = NeuronGroup(n_columns*size, '''dv/dt = (1 + 0.05*i_column - v)/(10*ms) : 1
                                       i_column : integer (constant)''',
                    threshold='v > 0.95', reset='v = 0', method='exact')
sheet.i_column = 'i // size'
columns = {name: sheet[k*size:(k + 1)*size] for k, name in enumerate('ABCD')}
for k, column in enumerate(columns.values()):
    column.v = 'i*0.1/(1 + k)'
within = []
for name, column in columns.items():
    S = Synapses(column, column, on_pre='v_post += 0.01', name='within_%s' % name)
    S.connect(condition='i != j')
    within.append(S)
between = Synapses(columns['A'], columns['D'][2:5], on_pre='v_post -= 0.2', delay=4*ms)
between.connect(j='i % 3')
monitors = {name: SpikeMonitor(column) for name, column in columns.items()}
rates = [PopulationRateMonitor(column) for column in columns.values()]
net = Network(sheet, within, between, list(monitors.values()), rates)
net.run(120*ms)
for name, monitor in monitors.items():
    print(name, monitor.num_spikes, monitor.count[:])
