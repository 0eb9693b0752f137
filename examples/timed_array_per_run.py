"""The same neurons, another stimulus over time: a TimedArray swapped per run.

    gpurun examples/timed_array_per_run.py

A TimedArray is usually filled once, when the script is written. Here its values
are an argument of each run: nothing is compiled again, whatever the time course.
The shape stays that of the script: give a shorter stimulus its zeros at the end.

Everything here is Brian's own: `python examples/timed_array_per_run.py` prints
the same.
"""

from brian2 import *

set_device("cpp_standalone", build_on_run=False)

n, step = 200, 2 * ms  # stimulus values per run, and how long each of them lasts
times = arange(n) * step

# The zeros only say how many values there are, how far apart, and in which unit.
current = TimedArray(zeros(n) * nA, dt=step)
neurons = NeuronGroup(
    5,
    """dv/dt = (R * current(t) - v) / tau : volt (unless refractory)
       tau : second (constant)""",
    threshold="v > 10*mV",
    reset="v = 0*mV",
    refractory=2 * ms,
    method="euler",
    namespace={"R": 50 * Mohm},
)
neurons.tau = [2, 5, 10, 20, 40] * ms  # from fast to slow
spikes = SpikeMonitor(neurons)
run(n * step)

device.build(run=False)

silence = zeros(n) * nA
stimuli = {
    "silence": silence,
    "step": where(times > 100 * ms, 0.3, 0) * nA,
    "ramp": linspace(0, 0.6, n) * nA,
    "slow wave": 0.3 * (1 + sin(2 * pi * 5 * Hz * times)) * nA,
    "pulses": where(arange(n) % 25 < 2, 1.0, 0) * nA,  # 4 ms every 50 ms
}

print("stimulus     nC  first spike  spikes with tau = 2, 5, 10, 20, 40 ms")
for name, values in [*stimuli.items(), ("silence", silence)]:
    device.run(run_args={current: values})
    charge = sum(values) * step / (nA * second)
    first = f"{spikes.t[0] / ms:.1f} ms" if spikes.num_spikes else "-"
    print(f"{name:10} {charge:5.3f}  {first:>11}  {spikes.count[:]}")
