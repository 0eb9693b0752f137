"""MNIST, learnt without labels by spike timing: the network of Diehl & Cook (2015).

    gpurun examples/mnist_stdp.py --data FOLDER --device auto
    gpurun examples/mnist_stdp.py --data FOLDER --quick
    gpurun examples/mnist_stdp.py --data FOLDER --checkpoint mnist.h5 --resume

FOLDER holds the four files of MNIST, or of Fashion-MNIST or KMNIST, which have the same names;
nothing is downloaded. The third command, given again, goes on where it was stopped.

The model is the paper's: 784 inputs, as many inhibitory as excitatory neurons, triplet STDP,
weights that are normalised before each image, and thresholds that rise with each spike.
examples/digits_stdp.py is a smaller one that needs no data.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from brian2 import (
    Hz,
    NeuronGroup,
    PoissonGroup,
    SpikeMonitor,
    Synapses,
    defaultclock,
    ms,
    mV,
    run,
    second,
    set_device,
)

import gpurun
from gpurun import readout
from gpurun.config import settings
from gpurun.errors import DatasetError, NotSupportedError
from gpurun.stimulus import Rates, StimulusStream, mnist

SHAPE = (28, 28)
PIXELS = 784

# -- the model: equations of the paper, constants of its authors' program ------------------------

v_rest_e, v_reset_e, v_thresh_e = -65 * mV, -65 * mV, -52 * mV
v_rest_i, v_reset_i, v_thresh_i = -60 * mV, -45 * mV, -40 * mV
refractory_e, refractory_i = 5 * ms, 2 * ms
tau_e, tau_i = 100 * ms, 10 * ms
E_exc, E_inh = 0 * mV, -100 * mV
tau_ge, tau_gi = 1 * ms, 2 * ms
drive_weight, lateral_weight = 10.4, 17.0

theta_start, theta_plus = 20 * mV, 0.05 * mV
# The paper: 1e7 ms, with a pause of 150 ms after each image. Here the pause takes no time, because
# each run begins with membranes at rest.
tau_theta = 1e4 * second * 350 / 500

tau_x, tau_y1, tau_y2 = 20 * ms, 20 * ms, 40 * ms
rate_pre, rate_post = 1e-4, 1e-2


def describe_network(neurons):
    """Write the network down for Brian."""
    set_device("gpurun", build_on_run=False)
    defaultclock.dt = 0.5 * ms

    pixels = PoissonGroup(PIXELS, rates=np.zeros(PIXELS) * Hz, name="pixels")

    # `learning` is 1 or 0: with 0, thresholds and weights stay as they are.
    excitatory = NeuronGroup(
        neurons,
        """dv/dt = (v_rest_e - v + ge*(E_exc - v) + gi*(E_inh - v))/tau_e : volt (unless refractory)
           dge/dt = -ge/tau_ge : 1
           dgi/dt = -gi/tau_gi : 1
           dtheta/dt = -learning*theta/tau_theta : volt
           learning : 1 (shared)""",
        threshold="v > v_thresh_e + theta - theta_start",
        reset="v = v_reset_e; theta += learning*theta_plus",
        refractory=refractory_e,
        method="exponential_euler",
        name="excitatory",
    )
    inhibitory = NeuronGroup(
        neurons,
        """dv/dt = (v_rest_i - v + ge*(E_exc - v))/tau_i : volt (unless refractory)
           dge/dt = -ge/tau_ge : 1""",
        threshold="v > v_thresh_i",
        reset="v = v_reset_i",
        refractory=refractory_i,
        method="exponential_euler",
        name="inhibitory",
    )
    excitatory.v, excitatory.theta = v_rest_e, theta_start
    inhibitory.v = v_rest_i

    # Triplets of spikes: an input spike weakens a synapse if the neuron has just fired; a spike of
    # the neuron strengthens it if there was an input spike, and a spike of the neuron before.
    feed = Synapses(
        pixels,
        excitatory,
        """w : 1
           dx/dt = -x/tau_x : 1 (event-driven)
           dy1/dt = -y1/tau_y1 : 1 (event-driven)
           dy2/dt = -y2/tau_y2 : 1 (event-driven)""",
        on_pre="""ge_post += w
                  w += learning_post*(clip(w - rate_pre*y1, 0, 1) - w)
                  x = 1""",
        on_post="""w += learning_post*(clip(w + rate_post*x*y2, 0, 1) - w)
                   y1 = 1
                   y2 = 1""",
        name="feed",
    )
    feed.connect()  # synapse k goes from pixel k // neurons to neuron k % neurons

    # Each excitatory neuron drives an inhibitory one of its own, which silences all others.
    drive = Synapses(excitatory, inhibitory, on_pre="ge_post += drive_weight", name="drive")
    drive.connect(j="i")
    lateral = Synapses(inhibitory, excitatory, on_pre="gi_post += lateral_weight", name="lateral")
    lateral.connect(condition="i != j")

    spikes = SpikeMonitor(excitatory, record=False, name="spikes")  # noqa: F841
    run(350 * ms)


# -- showing images ------------------------------------------------------------------------------

INTENSITY = Rates(maximum=63.75 * Hz)  # a quarter of the pixel's value, in hertz
FEWEST_SPIKES = 5  # an image that makes fewer is shown again, each time with 32 Hz more, ...
MOST_ATTEMPTS = 20  # ... but not for ever, as a blank image would be
SAME_SUM = gpurun.NormaliseWeights(78.0)  # of each neuron's weights
CHECKPOINT_EVERY = 500


def show(session, images, labels, *, learn=False, epochs=1, shuffle=None, **options):
    """Present images one after the other; gives what the network makes of each.

    Weights and thresholds stay in the session, and change only if it is to learn.
    """
    return gpurun.present(
        session,
        StimulusStream((images, labels), INTENSITY, epochs=epochs, shuffle=shuffle),
        target="pixels.rates",
        overrides={"excitatory.learning": float(learn)},
        before={"feed.w": SAME_SUM} if learn else None,
        carry=["feed.w", "excitatory.theta"],
        record=["spikes.count"],
        until=lambda result: result["spikes.count"].sum() >= FEWEST_SPIKES,
        attempts=MOST_ATTEMPTS,
        boost=0.5,
        **options,
    )


def respond(session, images, labels):
    """Spike counts for each image, with plasticity off."""
    return [one.result["spikes.count"] for one in show(session, images, labels)]


def recognise(session, known, new):
    """Name the neurons by the images `known`; gives their names, and answers for `new`."""
    assignment = readout.assign_labels(respond(session, *known), known[1])
    return assignment.names, readout.predict(respond(session, *new), assignment)


def train(session, images, labels, options):
    """Show the images, and say now and then what the network knows by then."""
    judged = min(1000, len(images) // 4)
    halves = [(images[a:b], labels[a:b]) for a, b in ((0, judged // 2), (judged // 2, judged))]

    def evaluate(session):
        _, guesses = recognise(session, *halves)
        return readout.accuracy(halves[1][1], guesses)

    random = np.random.default_rng([options.seed, 1])
    session.write({"feed.w": random.uniform(0.003, 0.303, PIXELS * options.neurons)})
    shown = show(
        session,
        images,
        labels,
        learn=True,
        epochs=options.passes,
        shuffle=options.seed,
        seed=options.seed,
        evaluate=evaluate if judged > 1 else None,
        evaluate_every=max(1, len(images) * options.passes // 4),
        checkpoint=options.checkpoint,
        checkpoint_every=CHECKPOINT_EVERY,
        resume=options.resume,
        report="text",
        report_period=30 * second,
    )
    if shown.done:
        print(f"going on after {shown.done} of {shown.total} presentations", flush=True)
    for one in shown:
        if one.evaluation is not None:
            print(
                f"image {one.done} of {shown.total}: {one.evaluation:.1%} of "
                f"{len(halves[1][1])} training images recognised",
                flush=True,
            )
    SAME_SUM.apply(session, "feed.w")


# -- the whole job -------------------------------------------------------------------------------

FILES = (
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte"
)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Learn MNIST by spike timing.", allow_abbrev=False)
    parser.add_argument("--data", type=Path, default=Path("mnist"), help="folder with the files")
    parser.add_argument("--quick", action="store_true", help="a small network, about a minute")
    parser.add_argument("--seed", type=int, default=0, help="order of images, weights, spikes")
    parser.add_argument("--train", type=int, help="images to train on (default: all)")
    parser.add_argument("--passes", type=int, default=1, help="times each of them is shown")
    parser.add_argument("--test", type=int, help="images of the test set (default: all)")
    parser.add_argument("--neurons", type=int, help="excitatory neurons (default: 400)")
    # Under the command these two are gpurun's own options
    parser.add_argument("--checkpoint", type=Path, default=settings().checkpoint,
                        help="file to save to, every 500 images")  # fmt: skip
    parser.add_argument("--resume", action="store_true", default=settings().resume,
                        help="go on from there")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("output/mnist_stdp"))
    options = parser.parse_args()
    usual = (1000, 200, 100) if options.quick else (None, None, 400)
    for name, value in zip(("train", "test", "neurons"), usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    numbers = (options.train, options.test, options.passes, options.neurons)
    if min(number for number in numbers if number is not None) < 1 or options.seed < 0:
        raise SystemExit("--train, --test, --passes and --neurons start at 1, --seed at 0")
    return options


def load(options, part):
    """The first images of a part, and their labels."""
    try:
        source = mnist(options.data, part)
    except DatasetError as error:
        raise SystemExit(
            f"MNIST cannot be read from '{options.data}': {error}\nGive --data FOLDER with the "
            f"files {FILES}, as they are or with .gz."
        ) from None
    if source.shape != SHAPE:
        raise SystemExit(f"Images of 28x28 pixels are expected, not of {source.shape}.")
    wanted = getattr(options, part)
    if wanted is not None and wanted > source.count:
        raise SystemExit(f"--{part} asks for {wanted} images, and there are {source.count}")
    return source.read(np.arange(source.count if wanted is None else wanted))


def save(options, weights, theta, names, truth, guesses):
    """Write what was learnt, and draw it."""
    options.output.mkdir(parents=True, exist_ok=True)
    weights = weights.reshape(PIXELS, options.neurons)
    arrays = {"weights": weights, "theta": theta, "names": names, "truth": truth,
              "guesses": guesses, "seed": options.seed}  # fmt: skip
    np.savez_compressed(options.output / "weights.npz", **arrays)
    written = ["weights.npz"]

    def fields(path):
        readout.draw_receptive_fields(weights, SHAPE, names, path=path)

    def confusions(path):
        table = readout.confusion_matrix(truth, guesses, range(10))
        readout.draw_confusions(table, path=path)

    for name, draw in (("receptive_fields.png", fields), ("confusion_matrix.png", confusions)):
        try:
            draw(options.output / name)
            written.append(name)
        except NotSupportedError as error:
            print(f"No {name}: {error}")
    print(f"Written to {options.output}: {', '.join(written)}")


def main():
    options = parse_arguments()
    images, labels = load(options, "train")
    test_images, test_labels = load(options, "test")
    began = time.perf_counter()
    describe_network(options.neurons)
    model = gpurun.build()
    built = time.perf_counter()
    print(
        f"{options.neurons} neurons learn from {len(images)} images, each shown "
        f"{options.passes} time{'s' if options.passes > 1 else ''}; {len(test_images)} are for "
        "the test"
    )
    with model.session(device=settings().device) as session:
        train(session, images, labels, options)
        print("naming the neurons, then testing", flush=True)
        known = images[:10_000], labels[:10_000]
        names, guesses = recognise(session, known, (test_images, test_labels))
        weights, theta = session.read("feed.w"), session.read("excitatory.theta")

    right = int((guesses == test_labels).sum())
    print(
        f"Test accuracy: {right / len(test_labels):.1%} ({right} of {len(test_labels)}, "
        f"seed {options.seed})"
    )
    save(options, weights, theta, names, test_labels, guesses)
    ended = time.perf_counter()
    print(f"{ended - began:.0f} s in total, of which {built - began:.0f} s for building the model")


if __name__ == "__main__":
    main()
