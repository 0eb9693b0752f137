"""Spikes go to a file while the simulation runs, one complete file per run.

    gpurun examples/disk_writer.py [FOLDER]

Monitors keep everything in memory. For long runs, Brian users write a small C++
function that keeps a stream open in a `static` variable and appends to it at every
spike. Such a stream is opened at the first spike and closed when the program ends,
which is at the end of a run where each run is a program of its own. In a model that
stays in memory it would be opened once, in the first run, and never be complete.

gpurun sees the `static` and loads the model anew for every run (cheap: nothing is
compiled or set up again). So each run opens its own file, and the file is complete,
to the last byte, when the run returns.
"""

import sys
from pathlib import Path

from brian2 import *

import gpurun

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "disk_writer_output").resolve()
folder.mkdir(exist_ok=True, parents=True)
for old in folder.glob("run_*.txt"):
    old.unlink()


# '\n' and not std::endl: the stream's buffer is written out when the stream is closed
@implementation(
    "cpp",
    f"""
    double disk_writer(int neuron, double when, int number) {{
        static std::ofstream file("{folder.as_posix()}/run_" + std::to_string(number) + ".txt");
        file << neuron << ' ' << when << '\\n';
        return 0;
    }}
    """,
    headers=["<fstream>", "<string>"],
)
@check_units(neuron=1, when=second, number=1, result=1)
def disk_writer(neuron, when, number):
    raise NotImplementedError("only compiled code can call this")


set_device("cpp_standalone", build_on_run=False)
seed(8)
neurons = NeuronGroup(
    25,
    """dv/dt = (drive - v) / (10*ms) + 0.3 * sqrt(2 / (10*ms)) * xi : 1
       drive : 1 (shared, constant)
       run_number : integer (shared, constant)""",
    threshold="v > 1",
    # Functions are called for their value, so it has to go somewhere.
    reset="v = 0; nowhere = disk_writer(i, t, run_number)",
    method="euler",
)
spikes = SpikeMonitor(neurons)  # here only to check the files
run(200 * ms)
device.build(run=False)


def check(number, i, t):
    """Compare the file of a run, byte by byte, with what the monitor recorded."""
    expected = "".join(f"{neuron} {when:g}\n" for neuron, when in zip(i, t, strict=True)).encode()
    written = (folder / f"run_{number}.txt").read_bytes()
    assert written == expected, f"run {number}: {len(written)} of {len(expected)} bytes"
    print(f"  run {number}: {len(i):4d} spikes, {len(written):5d} bytes, all there")


print(f"files in {folder}")
print("device.run:")
for number, drive in [(1, 0.8), (2, 1.0), (3, 1.2)]:
    device.run(run_args={neurons.run_number: number, neurons.drive: drive})
    check(number, spikes.i[:], spikes.t[:] / second)

# The same model, with gpurun's own interface. device.run starts the noise of every run at
# the script's seed; a session goes on with it, so only its first run repeats a file.
print("session.run:")
with gpurun.build().session() as session:
    for number, drive in [(4, 0.8), (5, 1.0), (6, 1.2)]:
        values = {neurons.run_number: number, neurons.drive: drive}
        result = session.run(values, record=[spikes])
        check(number, result[spikes].i, result[spikes].t)
