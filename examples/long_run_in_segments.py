"""One long run in 40 pieces, and the pieces leave no trace.

    gpurun examples/long_run_in_segments.py

Long simulations are cut into segments, to save results in between, to watch them,
or to decide whether to go on. A segment must then begin with exactly what the last
one left: membrane potentials, refractory neurons, the state of the random numbers
and, easily forgotten, the spikes that are on their way. Here they travel for up to
200 ms, so that at any cut there are hundreds.

`session.advance` continues, and nothing is reset. This script compares 40 segments
of unequal length with a single run, bit by bit.
"""

from brian2 import *

import gpurun

set_device("gpurun", build_on_run=False)
seed(11)

# A balanced network: few strong inhibitory neurons hold many excitatory ones. Its
# sizes are odd, so that nothing fits by chance into blocks of 2, 4 or 8.
n_excitatory, n_inhibitory = 321, 80
neurons = NeuronGroup(
    n_excitatory + n_inhibitory,
    """dv/dt = (mu - v) / tau + sigma * sqrt(2/tau) * xi : volt (unless refractory)
       mu : volt (constant)""",
    threshold="v > 20*mV",
    reset="v = 10*mV",
    refractory=2 * ms,
    method="euler",
    namespace={"tau": 20 * ms, "sigma": 4 * mV},
)
neurons.v = "20*mV * rand()"
neurons.mu = "(16 + 3*rand()) * mV"
excitatory, inhibitory = neurons[:n_excitatory], neurons[n_excitatory:]
excite = Synapses(excitatory, neurons, on_pre="v_post += 0.15*mV", delay=200 * ms)
excite.connect(p=0.1)
inhibit = Synapses(inhibitory, neurons, on_pre="v_post -= 0.75*mV")  # each its own delay
inhibit.connect(p=0.1)
inhibit.delay = "200*ms * rand()"

spikes = SpikeMonitor(neurons)
trace = StateMonitor(neurons, "v", record=[0, 200, 400])
rate = PopulationRateMonitor(neurons)
duration = 2 * second
run(duration)
model = gpurun.build()

# 40 segments: 39 cuts at random time steps, the shortest piece a single step
steps = 20_000
cuts = np.random.default_rng(3).choice(np.arange(2, steps), 38, replace=False)
segments = np.diff(np.sort([0, 1, *cuts, steps])) * defaultclock.dt
assert len(segments) == 40

everything = [spikes, trace, rate, neurons.v, "neurongroup.lastspike"]
with model.session() as whole, model.session() as pieces:
    one = whole.run(seed=5, duration=duration, record=everything)

    many = pieces.run(seed=5, duration=segments[0], record=everything)
    for segment in segments[1:]:
        many = pieces.advance(segment, record=everything)

    # What is still in flight, and the next random numbers, show in what follows.
    one_more = whole.advance(300 * ms, record=everything)
    many_more = pieces.advance(300 * ms, record=everything)


def compare(name, a, b):
    assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{name}: {a.shape} and {b.shape}"
    assert a.tobytes() == b.tobytes(), f"{name} differs"
    print(f"  {name:24} {a.size:7d} values, the same bits")


print(f"{len(segments)} segments of {min(segments) / ms:.1f} to {max(segments) / ms:.1f} ms")
for title, a, b in [("after 2 s:", one, many), ("and 300 ms later:", one_more, many_more)]:
    print(title)
    compare("spike times", a[spikes].t, b[spikes].t)
    compare("spiking neurons", a[spikes].i, b[spikes].i)
    compare("traces of v", a[trace].v, b[trace].v)
    compare("population rate", a[rate].rate, b[rate].rate)
    compare("v of all neurons", a[neurons.v], b[neurons.v])
    compare("last spike of each", a["neurongroup.lastspike"], b["neurongroup.lastspike"])
n_spikes = len(one[spikes].t)
print(f"{n_spikes} spikes, {n_spikes / len(neurons) / one.duration:.1f} Hz per neuron")
