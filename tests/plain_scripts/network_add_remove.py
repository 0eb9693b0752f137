# A lesion experiment: a pathway is removed between runs, and another one takes its place
# later.
# random: no
from brian2 import *

driver = NeuronGroup(4, 'dv/dt = (1.8 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                     method='exact', name='driver')
driver.v = 'i*0.2'
follower = NeuronGroup(4, 'dv/dt = -v/(20*ms) : 1', threshold='v > 1', reset='v = 0',
                       method='exact', name='follower')
pathway = Synapses(driver, follower, on_pre='v_post += 0.45', name='pathway')
pathway.connect('abs(i - j) <= 1')
side_path = Synapses(driver, follower, on_pre='v_post += 0.1', delay=2*ms, name='side_path')
side_path.connect(j='(i + 2) % 4')
spikes_driver = SpikeMonitor(driver)
spikes_follower = SpikeMonitor(follower)

net = Network(driver, follower, pathway, side_path, spikes_driver, spikes_follower)
net.run(80*ms)
intact = spikes_follower.num_spikes
net.remove(pathway)
net.run(80*ms)
lesioned = spikes_follower.num_spikes - intact
extra = PoissonGroup(1, rates=0*Hz)       # never fires
graft = Synapses(driver, follower, on_pre='v_post += 0.6', name='graft')
graft.connect(j='i')
net.add(graft, extra)
net.run(80*ms)
recovered = spikes_follower.num_spikes - intact - lesioned
print('intact, lesioned, recovered:', intact, lesioned, recovered)
print('in the network:', sorted(obj.name for obj in net.objects))
