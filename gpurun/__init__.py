"""Run Brian2 models resident: compile once, present many stimuli."""
