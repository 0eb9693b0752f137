"""Handwritten digits, learnt without labels by spike timing.

    gpurun examples/digits_stdp.py --device auto
    gpurun examples/digits_stdp.py --quick

A spiking network after Diehl & Cook (2015) is shown one image after the other. Its weights
and firing thresholds are carried from image to image. Labels are used only afterwards, to
name what each neuron has learnt to respond to; then the network is tested on images that
it has never seen.

The model is compiled once and stays in memory: every image is one run of a session.
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
from gpurun import readout
from gpurun.config import settings
from gpurun.datasets import digits
from gpurun.stimulus import Rates, StimulusStream

PIXELS = 64

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

TOTAL_RATE = 2400 * Hz  # over all pixels: a thin digit is as bright as a fat one
FEWEST_SPIKES = 5  # an image that makes fewer is shown again, stronger each time, ...
MOST_ATTEMPTS = 7  # ... but not for ever
SAME_SUM = gpurun.NormaliseWeights(7.0)  # of each neuron's weights, for a fair competition
THETA_RISE = 3e-3  # volt


def show(session, images, labels, *, theta_plus=0.0, seed=None, **options):
    """Present images one after the other; gives what the network makes of each.

    The network learns if spikes raise thresholds. Thresholds and weights stay in the session.
    """
    learns = theta_plus > 0
    return gpurun.present(
        session,
        StimulusStream((images, labels), Rates(total=TOTAL_RATE), **options),
        target="pixels.rates",
        overrides={"excitatory.learning": float(learns), "excitatory.theta_plus": theta_plus},
        before={"feed.w": SAME_SUM} if learns else None,
        carry=["feed.w", "excitatory.theta"],
        record=["spikes.count"],
        until=lambda result: result["spikes.count"].sum() >= FEWEST_SPIKES,
        attempts=MOST_ATTEMPTS,
        boost=0.5,
        seed=seed,
    )


def train(session, images, labels, options):
    """Show the images, and print how well the last ones were recognised."""
    # The thresholds shall end where they are useful, however long the training is, and the more
    # neurons there are, the fewer images each of them wins.
    theta_plus = THETA_RISE * options.neurons / (len(images) * options.passes)
    weights = np.random.default_rng([options.seed, 2]).uniform(0.2, 0.8, PIXELS * options.neurons)
    session.write({"feed.w": weights})
    report_every = 100 if options.quick else 250
    shown = show(session, images, labels, theta_plus=theta_plus, seed=options.seed,
                 epochs=options.passes, shuffle=options.seed)  # fmt: skip
    assignment, counts, truth, repeats = None, [], [], 0
    for one in shown:
        counts.append(one.result["spikes.count"])
        truth.append(one.label)
        repeats += one.attempts - 1
        if one.done % report_every == 0:
            if assignment is None:
                accuracy = "neurons get their first names"
            else:
                right = readout.accuracy(truth, readout.predict(counts, assignment))
                accuracy = f"running accuracy {right:6.1%}"
            spikes = np.sum(counts) / len(counts)
            print(
                f"image {one.done:5d} of {shown.total}: {accuracy}, {spikes:4.1f} spikes per "
                f"image, {repeats} shown again",
                flush=True,
            )
            # The next block is read with names from this one, so never with its own labels.
            assignment = readout.assign_labels(counts, truth)
            counts, truth = [], []
    SAME_SUM.apply(session, "feed.w")


def respond(session, images, labels):
    """Spike counts for each image, with plasticity off."""
    return [one.result["spikes.count"] for one in show(session, images, labels)]


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
    options.output.mkdir(parents=True, exist_ok=True)
    weights = weights.reshape(PIXELS, options.neurons)
    arrays = {"weights": weights, "theta": theta, "names": names, "truth": truth,
              "guesses": guesses, "seed": options.seed}  # fmt: skip
    np.savez_compressed(options.output / "weights.npz", **arrays)
    written = ["weights.npz"]

    def fields(path):
        readout.draw_receptive_fields(weights, (8, 8), names, path=path)

    def confusions(path):
        table = readout.confusion_matrix(truth, guesses, range(10))
        readout.draw_confusions(table, path=path)

    for name, draw in (("receptive_fields.png", fields), ("confusion_matrix.png", confusions)):
        try:
            draw(options.output / name)
            written.append(name)
        except gpurun.errors.NotSupportedError as error:
            print(f"No {name}: {error}")
    print(f"Written to {options.output}: {', '.join(written)}")


def main():
    options = parse_arguments()
    images, labels, test_images, test_labels = split(options)
    began = time.perf_counter()
    describe_network(options.neurons)
    model = gpurun.build()
    built = time.perf_counter()
    print(
        f"{options.neurons} neurons learn from {len(images)} images, each shown "
        f"{options.passes} time{'s' if options.passes > 1 else ''}; {len(test_images)} are held out"
    )
    with model.session(device=settings().device) as session:
        train(session, images, labels, options)
        # Weights have changed since most images were seen: names need fresh answers.
        print("naming the neurons, then testing", flush=True)
        assignment = readout.assign_labels(respond(session, images, labels), labels)
        guesses = readout.predict(respond(session, test_images, test_labels), assignment)
        weights, theta = session.read("feed.w"), session.read("excitatory.theta")

    right = int((guesses == test_labels).sum())
    print(
        f"Held-out accuracy: {right / len(test_labels):.1%} ({right} of {len(test_labels)}, "
        f"seed {options.seed}; chance is 10%)"
    )
    save(options, weights, theta, assignment.names, test_labels, guesses)
    ended = time.perf_counter()
    print(f"{ended - began:.0f} s in total, of which {built - began:.0f} s for building the model")


if __name__ == "__main__":
    main()
