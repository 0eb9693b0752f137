"""A stimulus that does not fit into memory, presented chunk by chunk.

    gpurun examples/movie_larger_than_memory.py
    gpurun examples/movie_larger_than_memory.py --frames 100000

As a TimedArray, the whole movie would have to be in memory, eight bytes for each
pixel of each frame. Here it stays in a file. The model has room for one chunk of
frames: a NeuronGroup that computes nothing, and only holds `frames x pixels`
values. The cells read it through a reference with an index of their own, which
says where in the chunk the present frame has their pixel. Each run uploads the
next chunk and lets the cells go on from where they were (`carry`).

More frames take more time and a larger file, and no more memory.
"""

import argparse
import resource
import tempfile
from pathlib import Path

from brian2 import *

import gpurun

parser = argparse.ArgumentParser()
parser.add_argument("--frames", type=int, default=9700, help="length of the movie")
parser.add_argument("--side", type=int, default=48, help="pixels per row and column")
parser.add_argument("--chunk", type=int, default=500, help="frames in memory at a time")
args = parser.parse_args()
pixels = args.side**2
frame_time = 10 * ms

# ---- the model --------------------------------------------------------------
set_device("gpurun", build_on_run=False)
defaultclock.dt = 2 * ms

# Half the memory of Brian's usual float64; the pixels are whole numbers anyway.
movie = NeuronGroup(args.chunk * pixels, "pixel : 1", dtype={"pixel": float32}, name="movie")
cells = NeuronGroup(
    pixels,
    """dv/dt = (luminance/128 - v) / (20*ms) : 1
       luminance : 1          # the pixel that the cell sees
       light : 1              # sum of all that it has seen
       spike_count : integer  # over all chunks, unlike a monitor's
       place : integer        # where the chunk holds this pixel""",
    threshold="v > 1",
    reset="v = 0; spike_count += 1",
    method="exact",
    name="cells",
)
# `seen` is movie.pixel[place]. Brian applies the index when it reads, so `place` is
# computed before, in an operation of its own; `order` says which of the two is first.
cells.variables.add_reference("seen", movie, "pixel", index="place")
cells.run_regularly("place = timestep(t, frame_time)*N + i", dt=frame_time, when="start", order=0)
cells.run_regularly("luminance = seen; light += seen", dt=frame_time, when="start", order=1)
run(args.chunk * frame_time)


# ---- the movie: bars that drift over noise ----------------------------------
def write_movie(path):
    rng = np.random.default_rng(1)
    column = np.arange(args.side)
    with path.open("wb") as file:
        for number in range(args.frames):
            bars = 100 + 100 * np.sin(2 * np.pi * (3 * column / args.side - number / 40))
            noise = rng.integers(0, 56, (args.side, args.side))
            file.write((bars + noise).astype(np.uint8).tobytes())


def chunks(path):
    """The movie, `--chunk` frames at a time, the last chunk shorter."""
    for first in range(0, args.frames, args.chunk):
        # Mapped anew for each chunk, so that the pages of the last one can go.
        shape = (min(args.chunk, args.frames - first), pixels)
        yield np.memmap(path, np.uint8, "r", offset=first * pixels, shape=shape)


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MB


# ---- the presentation -------------------------------------------------------
model = gpurun.build()
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "movie.u8")
    write_movie(path)
    print(f"movie: {args.frames} frames of {args.side}x{args.side} pixels, ", end="")
    print(f"{args.frames * pixels * 8 / 1e6:.0f} MB as a TimedArray, ", end="")
    print(f"{args.chunk * pixels * 4 / 1e6:.0f} MB in a chunk")

    before = peak_memory()
    expected = np.zeros(pixels)
    with model.session() as session:
        for number, frames in enumerate(chunks(path)):
            values = np.zeros((args.chunk, pixels), np.float32)
            values[: len(frames)] = frames
            result = session.run(
                {movie.pixel: values.ravel()},
                carry=[cells.v, cells.light, cells.spike_count],
                record=[cells.light, cells.spike_count],
                duration=len(frames) * frame_time,
            )
            expected += frames.sum(axis=0, dtype=float)
            if number % 5 == 0:
                print(f"  chunk {number:3d}  {result[cells.spike_count].sum():8d} spikes so far")

seen, count = result["cells.light"], result["cells.spike_count"]
assert (seen == expected).all(), "a frame was lost, shown twice, or shifted"
print(f"every cell saw every frame of its pixel; {count.sum()} spikes in all")
print(f"memory grew by {peak_memory() - before:.0f} MB")
