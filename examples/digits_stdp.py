"""Handwritten digits, learnt without labels by spike timing.

    gpurun examples/digits_stdp.py --device auto
    gpurun examples/digits_stdp.py --quick

A spiking network after Diehl & Cook (2015) is shown one image after the other. Its weights
and firing thresholds are carried from image to image. Labels are used only afterwards, to
name what each neuron has learnt to respond to; then the network is tested on images that
it has never seen.

The model is compiled once and stays in memory: every image is one `session.run`.
docs/digits.md explains the model and lists the accuracies it reaches.
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
from gpurun.config import settings
from gpurun.datasets import digits

PIXELS = 64
CLASSES = 10

# -- the model ---------------------------------------------------------------

# As in the program that the paper's authors published.
v_rest_e, v_reset_e, v_thresh_e = -65 * mV, -65 * mV, -52 * mV
v_rest_i, v_reset_i, v_thresh_i = -60 * mV, -45 * mV, -40 * mV
refractory_e, refractory_i = 5 * ms, 2 * ms
tau_e, tau_i = 100 * ms, 10 * ms
E_exc, E_inh = 0 * mV, -100 * mV
tau_ge, tau_gi = 1 * ms, 2 * ms
drive_weight = 10.4

# Chosen for 64 pixels and a few thousand presentations (the paper: 784 pixels, 60,000 images).
tau_theta = 500 * second
tau_x, x_target, eta = 20 * ms, 0.22, 0.0168
gain = 3.5  # conductance that an input spike adds through a weight of 1
lateral_weight = 35.0


def describe_network(neurons):
    """Write the network down for Brian."""
    set_device("gpurun", build_on_run=False)
    defaultclock.dt = 0.5 * ms

    pixels = PoissonGroup(PIXELS, rates=np.zeros(PIXELS) * Hz, name="pixels")

    # Every spike raises the neuron's own threshold, so that no neuron wins all images.
    # `learning` is 1 or 0: with 0, thresholds and weights stay as they are.
    excitatory = NeuronGroup(
        neurons,
        """dv/dt = (v_rest_e - v + ge*(E_exc - v) + gi*(E_inh - v))/tau_e : volt (unless refractory)
           dge/dt = -ge/tau_ge : 1
           dgi/dt = -gi/tau_gi : 1
           dtheta/dt = -learning*theta/tau_theta : volt
           theta_plus : volt (shared)
           learning : 1 (shared)""",
        threshold="v > v_thresh_e + theta",
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
    excitatory.v = v_rest_e
    inhibitory.v = v_rest_i

    # A neuron that fires strengthens the pixels that were active just before, and weakens
    # the others.
    feed = Synapses(
        pixels,
        excitatory,
        """w : 1
           dx/dt = -x/tau_x : 1 (event-driven)""",
        on_pre="ge_post += gain*w; x = 1",
        on_post="w = clip(w + learning_post*eta*(x - x_target), 0, 1)",
        name="feed",
    )
    feed.connect()  # synapse k goes from pixel k // neurons to neuron k % neurons

    # Each excitatory neuron drives an inhibitory one of its own, which silences all others.
    drive = Synapses(excitatory, inhibitory, on_pre="ge_post += drive_weight", name="drive")
    drive.connect(j="i")
    lateral = Synapses(inhibitory, excitatory, on_pre="gi_post += lateral_weight", name="lateral")
    lateral.connect(condition="i != j")

    spikes = SpikeMonitor(excitatory, record=False, name="spikes")  # noqa: F841
    run(250 * ms)


# -- showing images ----------------------------------------------------------


class Learner:
    """The network's memory, and how it is shown an image."""

    total_rate = 2400.0  # Hz, over all pixels: a thin digit is as bright as a fat one
    fewest_spikes = 5  # an image that makes fewer is shown again ...
    boost = 0.5  # ... stronger each time by this much ...
    most_repeats = 6  # ... but not for ever
    weight_sum = 7.0  # of each neuron's synapses
    theta_rise = 3e-3  # volt

    def __init__(self, session, neurons, presentations, seed):
        self.session = session
        self.neurons = neurons
        # The thresholds shall end where they are useful, however long the training is, and
        # the more neurons there are, the fewer images each of them wins.
        self.theta_plus = self.theta_rise * neurons / presentations
        self.weights = np.random.default_rng([seed, 2]).uniform(0.2, 0.8, (PIXELS, neurons))
        self.normalise()
        self.seed = seed
        self.repeats = 0

    def normalise(self):
        """Give all neurons the same sum of weights, for a fair competition."""
        self.weights *= self.weight_sum / self.weights.sum(axis=0)

    def show(self, image, *, learn):
        """Present an image, and again while it is too faint; spikes of each neuron."""
        rates = self.total_rate * image.ravel() / image.sum()
        for repeat in range(self.most_repeats + 1):
            # Thresholds stay in the session. Weights are normalised here, and handed over.
            result = self.session.run(
                {
                    "pixels.rates": rates * (1 + self.boost * repeat),
                    "feed.w": self.weights.ravel(),
                    "excitatory.theta_plus": self.theta_plus,
                    "excitatory.learning": float(learn),
                },
                carry=["excitatory.theta"],
                record=["spikes.count", "feed.w"],
                seed=self.seed,
            )
            self.seed = None  # the first run starts the random stream, the rest go on with it
            if learn:
                self.weights = result["feed.w"].reshape(PIXELS, self.neurons)
                self.normalise()
            counts = result["spikes.count"]
            if counts.sum() >= self.fewest_spikes:
                break
            self.repeats += 1
        return counts


# -- reading the answers -----------------------------------------------------


def name_neurons(responses, labels):
    """Name each neuron after the digit to which it fired most; -1 if it never fired.

    `responses` are spike counts, one row per image.
    """
    mean = np.array([responses[labels == digit].mean(axis=0) for digit in np.unique(labels)])
    names = np.unique(labels)[mean.argmax(axis=0)]
    return np.where(responses.any(axis=0), names, -1)


def classify(responses, names):
    """The digit whose neurons fired most, on average, for each row of `responses`."""
    votes = np.full((len(responses), CLASSES), -1.0)
    for digit in np.unique(names[names >= 0]):
        votes[:, digit] = responses[:, names == digit].mean(axis=1)
    return votes.argmax(axis=1)


def train(learner, images, labels, report_every):
    """Show the images once each, and print how well the last ones were recognised."""
    responses = np.zeros((len(images), learner.neurons), dtype=int)
    names = None
    for shown, image in enumerate(images, start=1):
        responses[shown - 1] = learner.show(image, learn=True)
        if shown % report_every == 0:
            block = slice(shown - report_every, shown)
            if names is None:
                accuracy = "neurons get their first names"
            else:
                right = classify(responses[block], names) == labels[block]
                accuracy = f"running accuracy {right.mean():6.1%}"
            # The next block is read with names from this one, so never with its own labels.
            names = name_neurons(responses[block], labels[block])
            spikes = responses[block].sum(axis=1).mean()
            print(
                f"image {shown:5d} of {len(images)}: {accuracy}, {spikes:4.1f} spikes per image, "
                f"{learner.repeats} shown again",
                flush=True,
            )


def respond(learner, images):
    """Spike counts for each image, with plasticity off."""
    return np.array([learner.show(image, learn=False) for image in images])


def confusions(truth, guesses):
    """How often each digit (row) was taken for each digit (column)."""
    table = np.zeros((CLASSES, CLASSES), dtype=int)
    np.add.at(table, (truth, guesses), 1)
    return table


# -- pictures ----------------------------------------------------------------


def draw_fields(path, weights, names):
    """The weights of each neuron as an image of 8x8 pixels, sorted by name."""
    from matplotlib.figure import Figure

    order = np.argsort(np.where(names < 0, CLASSES, names), kind="stable")
    columns = int(np.ceil(np.sqrt(1.6 * len(order))))
    rows = -(-len(order) // columns)
    mosaic = np.full((rows * 9 + 1, columns * 9 + 1), np.nan)
    figure = Figure(figsize=(columns * 0.45 + 1, rows * 0.45 + 0.3), layout="constrained")
    axes = figure.add_subplot()
    for place, neuron in enumerate(order):
        top, left = place // columns * 9 + 1, place % columns * 9 + 1
        mosaic[top : top + 8, left : left + 8] = weights[:, neuron].reshape(8, 8)
        name = "–" if names[neuron] < 0 else str(names[neuron])
        axes.text(left, top, name, color="white", fontsize=7, ha="left", va="top")
    shown = axes.imshow(mosaic, cmap="inferno", vmin=0)
    axes.set_axis_off()
    axes.set_title("What each neuron has learnt to look for, with the digit it stands for")
    figure.colorbar(shown, ax=axes, label="synaptic weight", shrink=0.7, pad=0.01)
    figure.savefig(path, dpi=120)


def draw_confusions(path, table):
    """The table of confusions, with its numbers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(table, cmap="Blues")
    for truth, guess in np.argwhere(table > 0):
        dark = table[truth, guess] > 0.5 * table.max()
        axes.text(
            guess, truth, table[truth, guess], ha="center", va="center", color="wk"[int(not dark)]
        )
    axes.set_xticks(range(CLASSES))
    axes.set_yticks(range(CLASSES))
    axes.set_xlabel("the network's answer")
    axes.set_ylabel("the digit shown")
    axes.set_title(f"{np.trace(table)} of {table.sum()} held-out images recognised")
    figure.savefig(path, dpi=120)


# -- the whole job -----------------------------------------------------------


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Learn handwritten digits by spike timing.", allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="a small network, some seconds")
    parser.add_argument("--seed", type=int, default=0, help="images held out, weights, spikes")
    parser.add_argument("--train", type=int, help="images to train on (default: all others)")
    parser.add_argument("--passes", type=int, help="times each of them is shown (default: 4)")
    parser.add_argument("--test", type=int, help="images held out for the test (default: 300)")
    parser.add_argument("--neurons", type=int, help="excitatory neurons (default: 400)")
    parser.add_argument("--output", type=Path, default=Path("output/digits_stdp"))
    options = parser.parse_args()
    usual = (400, 1, 100, 100) if options.quick else (None, 4, 300, 400)
    for name, value in zip(("train", "passes", "test", "neurons"), usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def split(options):
    """Images and labels to train on and to test with, drawn from all writers."""
    images, labels = digits()
    if options.train is None:
        options.train = len(images) - options.test
    if min(options.train, options.test, options.passes, options.neurons) < 1 or options.seed < 0:
        raise SystemExit("--train, --test, --passes and --neurons start at 1, --seed at 0")
    if options.train + options.test > len(images):
        raise SystemExit(f"--train and --test share {len(images)} images; ask for fewer")
    order = np.random.default_rng(options.seed).permutation(len(images))
    held_out, known = order[: options.test], order[options.test :][: options.train]
    return images[known], labels[known], images[held_out], labels[held_out]


def save(options, weights, theta, names, truth, guesses):
    """Write what was learnt, and draw it."""
    table = confusions(truth, guesses)
    options.output.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        options.output / "weights.npz",
        weights=weights,
        theta=theta,
        names=names,
        truth=truth,
        guesses=guesses,
        confusions=table,
        seed=options.seed,
    )
    written = ["weights.npz"]
    try:
        draw_fields(options.output / "receptive_fields.png", weights, names)
        draw_confusions(options.output / "confusion_matrix.png", table)
        written += ["receptive_fields.png", "confusion_matrix.png"]
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        print("No pictures: matplotlib is not installed (pip install matplotlib).")
    print(f"Written to {options.output}: {', '.join(written)}")


def main():
    options = parse_arguments()
    images, labels, test_images, test_labels = split(options)
    began = time.perf_counter()
    describe_network(options.neurons)
    model = gpurun.build()
    built = time.perf_counter()

    orders = np.random.default_rng([options.seed, 1])
    order = np.concatenate([orders.permutation(len(images)) for _ in range(options.passes)])
    print(
        f"{options.neurons} neurons learn from {len(images)} images, each shown "
        f"{options.passes} time{'s' if options.passes > 1 else ''}; {len(test_images)} are held out"
    )
    with model.session(device=settings().device) as session:
        learner = Learner(session, options.neurons, len(order), options.seed)
        train(learner, images[order], labels[order], report_every=100 if options.quick else 250)
        # Weights have changed since most images were seen: names need fresh answers.
        print("naming the neurons, then testing", flush=True)
        names = name_neurons(respond(learner, images), labels)
        guesses = classify(respond(learner, test_images), names)
        theta = session.read("excitatory.theta")

    right = int((guesses == test_labels).sum())
    print(
        f"Held-out accuracy: {right / len(test_labels):.1%} ({right} of {len(test_labels)}, "
        f"seed {options.seed}; chance is 10%)"
    )
    save(options, learner.weights, theta, names, test_labels, guesses)
    ended = time.perf_counter()
    print(f"{ended - began:.0f} s in total, of which {built - began:.0f} s for building the model")


if __name__ == "__main__":
    main()
