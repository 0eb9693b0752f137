"""Transforms of images, and encoders that turn them into rates, spikes and frames."""
