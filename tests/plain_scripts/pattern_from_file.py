# Input spikes come from a file that another program wrote; results go to text files, as they
# were kept before there were monitors with pandas.
# random: no
import csv

from brian2 import *

with open('input_spikes.txt', 'w') as f:
    for k in range(40):
        f.write('%d\t%.4f\n' % (k*3 % 7, 0.002 + 0.0035*k))

recorded = loadtxt('input_spikes.txt')
inputs = SpikeGeneratorGroup(7, recorded[:, 0].astype(int), recorded[:, 1]*second)
cells = NeuronGroup(7, '''dv/dt = -v/(20*ms) : volt
                          peak : volt''', threshold='v > 15*mV', reset='v = 0*mV',
                    method='exact')
cells.run_regularly('peak = clip(v, peak, 1*volt)', when='after_synapses')
S = Synapses(inputs, cells, on_pre='v_post += 9*mV')
S.connect('abs(i - j) <= 1', p=1)
M = SpikeMonitor(cells)
run(150*ms)

with open('output.csv', 'w', newline='') as f:
    writer = csv.writer(f)
    writer.writerow(['cell', 'time'])
    for i, t in zip(M.i, M.t):
        writer.writerow([int(i), '%.4f' % float(t)])
savetxt('peaks.txt', cells.peak/mV)
content = open('output.csv').read()
print(content.count('\n') - 1, 'spikes,', loadtxt('peaks.txt').max())
