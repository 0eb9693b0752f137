"""A simulation that is killed three times, and ends as if nothing had happened.

    gpurun examples/stop_and_go_on.py

A plastic network learns for hours, and then the job's time is up, somebody reboots the
machine, or Ctrl-C is the only way to get at the memory. `session.run_for` saves the whole
state to a file now and then: weights and traces, spikes on their way, the random numbers,
what the monitors have recorded. The same call goes on from the file if there is one.

Here each job is a process that is killed without warning as soon as it has saved something.
What comes out at the end is compared, bit by bit, with a simulation that nobody stopped.
"""

import multiprocessing
import tempfile
import time
from pathlib import Path

from brian2 import *

import gpurun
from gpurun.checkpoint import read_header

duration = 100 * second
recorded = ["synapses.w", "synapses.Apre", "spikemonitor", "statemonitor"]


def build():
    # Spike timing dependent plasticity after Song, Miller & Abbott (2000)
    set_device("gpurun", build_on_run=False)
    seed(4)
    inputs = PoissonGroup(400, rates=15 * Hz)
    neurons = NeuronGroup(
        4,
        """dv/dt = (ge * (0*mV - v) + (-74*mV - v)) / (10*ms) : volt
           dge/dt = -ge / (5*ms) : 1""",
        threshold="v > -54*mV",
        reset="v = -60*mV",
        method="euler",
    )
    neurons.v = -60 * mV
    synapses = Synapses(
        inputs,
        neurons,
        """w : 1
           dApre/dt = -Apre / (20*ms) : 1 (event-driven)
           dApost/dt = -Apost / (20*ms) : 1 (event-driven)""",
        on_pre="ge += w; Apre += 0.0003; w = clip(w + Apost, 0, 0.03)",
        on_post="Apost -= 0.000315; w = clip(w + Apre, 0, 0.03)",
    )
    synapses.connect()
    synapses.w = "0.03 * rand()"
    synapses.pre.delay = "100*ms * rand()"
    monitors = [
        SpikeMonitor(neurons),
        StateMonitor(synapses, "w", record=range(0, 1600, 400), dt=100 * ms),
    ]
    Network(inputs, neurons, synapses, monitors).run(duration)
    return gpurun.build()


def job(model, file):
    """All that a job has to do. A real one would save every few minutes."""
    with model.session() as session:
        return session.run_for(
            duration, to=file, checkpoint_every=0.1 * second, seed=1, record=recorded
        )


def kill_once_it_has_saved(process, file):
    """Wait for the next checkpoint, which is a new file of the same name."""
    before = file.stat().st_mtime_ns if file.exists() else None
    while not file.exists() or file.stat().st_mtime_ns == before:
        assert process.is_alive(), "the job ended of its own accord"
        time.sleep(0.01)
    process.kill()
    process.join()


def main():
    model = build()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "training.h5")
        for number in (1, 2, 3):
            process = multiprocessing.get_context("spawn").Process(target=job, args=(model, file))
            process.start()
            kill_once_it_has_saved(process, file)
            print(f"job {number} was killed; the file is at {read_header(file).t:.4f} s")
        stopped = job(model, file)
        print(f"the last job went on to {stopped.t:.4f} s")

    with model.session() as session:
        whole = session.run(seed=1, record=recorded)

    def compare(name, a, b):
        assert a.shape == b.shape and a.tobytes() == b.tobytes(), f"{name} differs"
        print(f"  {name:20} {a.size:6d} values, the same bits")

    print("compared with a simulation that was not stopped:")
    compare("weights", stopped["synapses.w"], whole["synapses.w"])
    compare("synaptic traces", stopped["synapses.Apre"], whole["synapses.Apre"])
    compare("spike times", stopped["spikemonitor"].t, whole["spikemonitor"].t)
    compare("spiking neurons", stopped["spikemonitor"].i, whole["spikemonitor"].i)
    compare("weights over time", stopped["statemonitor"].w, whole["statemonitor"].w)


# Processes are started by multiprocessing, which imports this file once more
if __name__ == "__main__":
    main()
