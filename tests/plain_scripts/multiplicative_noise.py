# Noise that depends on the state (geometric Brownian motion), in the Stratonovich sense and
# with the methods for it.
# random: yes
# statistics: x_heun x_milstein y
import sys

from brian2 import *

seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1900)
growth, sigma = 10*Hz, 3*Hz**0.5
heun = NeuronGroup(400, 'dx/dt = growth*x + sigma*x*xi : 1', method='heun')
milstein = NeuronGroup(400, '''dx/dt = growth*x + sigma*x*xi : 1
                               y : 1''', method='milstein')
heun.x = milstein.x = 1
milstein.run_regularly('y = 0.9*y + randn()', dt=5*ms)
run(80*ms)
x_heun, x_milstein, y = log(heun.x), log(milstein.x), array(milstein.y)
print('finite:', isfinite(x_heun).all() and isfinite(x_milstein).all())
