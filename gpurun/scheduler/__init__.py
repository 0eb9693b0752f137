"""Many stimuli on as many resident sessions as fit; see `Scheduler`."""

from gpurun.scheduler.jobs import Failed
from gpurun.scheduler.scheduler import Scheduler
from gpurun.scheduler.sweep import Sweep

__all__ = ["Failed", "Scheduler", "Sweep"]
