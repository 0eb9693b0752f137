"""A tuning curve measured on many machines, through Dask.

    gpurun examples/cluster_slurm.py
    gpurun examples/cluster_slurm.py --slurm --jobs 20 --partition short

Without --slurm the "cluster" is two processes of this machine, and the script is otherwise the
same. With it, each job of SLURM is a worker (`pip install 'gpurun[cluster]' dask-jobqueue`), and
the script itself runs on the login node or in a small job of its own. The workers need gpurun,
in the same version, and a C++ compiler; with a cache folder that all of them can see
(GPURUN_CACHE_DIR) the model is compiled once for each kind of machine.

The model travels once to each worker, and its session stays open there. A job that ends or is
killed loses nothing: what it had is run on another.
"""

import argparse
import itertools

from brian2 import *

import gpurun
import gpurun.cluster

contrasts = np.linspace(0, 1, 6)
angles = np.arange(0, 180, 15)
repeats = 2


def build():
    # Neurons with preferred orientations, which inhibit each other
    set_device("gpurun", build_on_run=False)
    seed(2)
    cells = NeuronGroup(
        36,
        """dv/dt = (drive*(0.2 + exp(2*(cos(2*(preferred - angle)) - 1))) - v)/(10*ms)
                   + 0.2*xi/sqrt(10*ms) : 1
           preferred : 1
           angle : 1 (shared)
           drive : 1 (shared)""",
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,
        method="euler",
        name="cells",
    )
    cells.preferred = "i*pi/36"
    inhibition = Synapses(cells, cells, on_pre="v_post -= 0.03")
    inhibition.connect(condition="i != j")
    spikes = SpikeMonitor(cells, record=False, name="spikes")
    Network(cells, inhibition, spikes).run(200 * ms)
    return gpurun.build()


def workers(options):
    """A Dask cluster, which is a context manager."""
    if options.slurm:
        from dask_jobqueue import SLURMCluster

        cluster = SLURMCluster(
            queue=options.partition,
            cores=1,
            processes=1,
            memory="2 GB",
            walltime="00:30:00",
            # For cards: job_extra_directives=["--gres=gpu:1"], and device="cuda" below
        )
        cluster.scale(jobs=options.jobs)
        return cluster
    from distributed import LocalCluster

    return LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")


def stimuli():
    for contrast, angle, _ in itertools.product(contrasts, angles, range(repeats)):
        yield {"cells.drive": 1.6 * contrast, "cells.angle": np.deg2rad(angle)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--partition")
    options = parser.parse_args()

    model = build()
    from distributed import Client

    with workers(options) as cluster, Client(cluster) as client:
        results = gpurun.cluster.map(
            client, model, stimuli(), record=["spikes.count"], seed=1, device="cpu"
        )
        counts = np.array([result["spikes.count"] for result in results])
        sessions = gpurun.cluster.sessions(client)
        gpurun.cluster.release(client)
    print(f"{len(counts)} runs on {len(sessions)} workers")

    # Responses by contrast and by the distance from what a cell prefers, in steps of 15 degrees
    counts = counts.reshape(len(contrasts), len(angles), repeats, 36).mean(axis=2)
    turned = [np.roll(counts[:, a, ::3], -a, axis=-1) for a in range(len(angles))]
    curve = np.mean(turned, axis=0) / 0.2
    print("contrast   Hz at  0    15    30    45    60    75    90 degrees")
    for contrast, rates in zip(contrasts, curve, strict=True):
        print(f"{contrast:8.1f}      " + " ".join(f"{rate:5.1f}" for rate in rates[:7]))


# LocalCluster starts processes that import this file once more
if __name__ == "__main__":
    main()
