{# Replaces brian2's network template: the same interface and the same stepping
   rules, but the loop can be stopped from outside, reports to gpurun::control()
   and keeps its model time exact over many short runs. #}
{% macro cpp_file() %}
#include "network.h"
#include "boundary.h"
#include "noise.h"

double Network::_last_run_time = 0.0;
double Network::_last_run_completed_fraction = 0.0;
bool Network::_globally_stopped = false;
bool Network::_globally_running = false;

Network::Network() : t(0.0), exact_t(0.0L) {}

void Network::clear()
{
    objects.clear();
}

void Network::add(BaseClock* clock, codeobj_func func)
{
    objects.push_back(std::make_pair(clock, func));
}

// What part of a time step moments may differ by and still be the same: Brian's rule in runtime
// mode. A fixed tolerance would fail late in long simulations, where numbers lie farther apart.
static const double same_step = 1e-4;

// The time step of a clock that has one, else 0.
static double step_of(BaseClock* clock)
{
    Clock* regular = dynamic_cast<Clock*>(clock);
    return regular ? regular->dt[0] : 0.0;
}

// `moment`, or the multiple of the clock's step that it is meant to be.
static double on_grid(BaseClock* clock, const double moment)
{
    const double dt = step_of(clock);
    if (dt <= 0.0)
        return moment;
    const double nearest = std::floor(moment / dt + 0.5) * dt;
    return std::fabs(nearest - moment) <= same_step * dt ? nearest : moment;
}

// Finds the clocks whose turn it is; returns the earliest, or NULL without clocks.
BaseClock* Network::mark_due()
{
    if (clocks.empty())
        return NULL;
    size_t first = 0;
    for (size_t c = 1; c < clocks.size(); c++)
        if (clocks[c]->t[0] < clocks[first]->t[0])
            first = c;
    const double now = clocks[first]->t[0];
    const double step = step_of(clocks[first]);
    for (size_t c = 0; c < clocks.size(); c++)
    {
        const double other = clocks[c]->t[0], other_step = step_of(clocks[c]);
        // Without steps of their own, as moments, they are compared to those of the other
        const double dt = step > 0 && other_step > 0 ? std::min(step, other_step)
                                                     : std::max(step, other_step);
        const double tolerance = dt > 0 ? same_step * dt : 1e-14;
        due[c] = other == now || std::fabs(other - now) < tolerance;
    }
    return clocks[first];
}

// Moments this close to the time `end` count as being at it.
static double slack(const double end)
{
    return 1e-14 + 1e-15 * std::fabs(end);
}

void Network::run(const double duration, void (*report_func)(const double, const double, const double, const double), const double report_period)
{
    gpurun::Control& control = gpurun::control();
    const double t_start = t;
    // A sum of many pieces in double would drift away from the grid of the clocks
    if ((double)exact_t != t)
        exact_t = t;
    exact_t += duration;
    const double t_end = (double)exact_t;
    double next_report = report_period;

    clocks.clear();
    std::vector<size_t> clock_of(objects.size());
    for (size_t i = 0; i < objects.size(); i++)
    {
        const size_t c = std::find(clocks.begin(), clocks.end(), objects[i].first) - clocks.begin();
        if (c == clocks.size())
            clocks.push_back(objects[i].first);
        clock_of[i] = c;
    }
    due.assign(clocks.size(), 0);
    for (size_t c = 0; c < clocks.size(); c++)
    {
        // A moment at the very end belongs to what follows, however the end was rounded;
        // otherwise an event clock drags the others into a step that is not theirs yet.
        const bool moments = dynamic_cast<EventClock*>(clocks[c]) != NULL;
        clocks[c]->set_interval(moments ? t_start - slack(t_start) : on_grid(clocks[c], t_start),
                                moments ? t_end - slack(t_end) : on_grid(clocks[c], t_end));
    }

    if (control.clocks_set)
        control.clocks_set();
    std::vector<unsigned int> bits(clocks.size(), 0);
    if (control.bit_of_clock)
        for (size_t c = 0; c < clocks.size(); c++)
            bits[c] = control.bit_of_clock(clocks[c]->timestep);

    if (report_func)
        report_func(0.0, 0.0, t_start, duration);

    Network::_globally_running = true;
    Network::_globally_stopped = false;
    bool left_early = false;
    gpurun::Watch watch;
    BaseClock* clock = mark_due();
    try
    {
        while (clock && clock->running() && !Network::_globally_stopped)
        {
            t = clock->t[0];
            if (report_func)
            {
                const double elapsed = watch.elapsed();
                if (elapsed > next_report)
                {
                    report_func(elapsed, (t - t_start) / duration, t_start, duration);
                    next_report += report_period;
                }
            }
            for (size_t i = 0; i < objects.size(); i++)
                if (due[clock_of[i]] && objects[i].second)
                    objects[i].second();
            gpurun::noise().step++;
            unsigned int done = 0;
            for (size_t c = 0; c < clocks.size(); c++)
                if (due[c])
                {
                    clocks[c]->tick();
                    done |= bits[c];
                }
            if (control.step_done)
                control.step_done(done);
            clock = mark_due();
            const bool refused = control.hand_over && control.hand_over();
            if (watch.tick(clock->t[0] - t_start) || watch.over_time() || refused)
            {
                left_early = clock->running();
                break;
            }
        }
        // What was started has to be done before the time is taken
        if (control.loop_done)
            control.loop_done();
    }
    catch (...)
    {
        Network::_globally_running = false;
        control.loop_seconds += watch.elapsed();
        throw;
    }
    Network::_globally_running = false;
    const double elapsed = watch.elapsed();

    // A stop that arrived during the last step has nothing left to stop
    const bool incomplete = left_early || (Network::_globally_stopped && clock && clock->running());
    t = incomplete ? clock->t[0] : t_end;
    if (incomplete)
        exact_t = t;
    _last_run_time = elapsed;
    // t_end - t_start is not exactly the duration: a run to the end would seem cut short
    const double finished = incomplete ? t - t_start : duration;
    _last_run_completed_fraction = duration > 0 ? finished / duration : 1.0;
    control.loop_seconds += elapsed;
    control.finished += finished;
    control.t = t;
    if (report_func)
        report_func(elapsed, _last_run_completed_fraction, t_start, duration);
}
{% endmacro %}

{% macro h_file() %}
#ifndef _BRIAN_NETWORK_H
#define _BRIAN_NETWORK_H

#include <utility>
#include <vector>
#include "brianlib/clocks.h"

typedef void (*codeobj_func)();

class Network
{
    std::vector<BaseClock*> clocks;
    std::vector<char> due;
    BaseClock* mark_due();
public:
    std::vector<std::pair<BaseClock*, codeobj_func> > objects;
    double t;
    long double exact_t;
    static double _last_run_time;
    static double _last_run_completed_fraction;
    static bool _globally_stopped;
    static bool _globally_running;

    Network();
    void clear();
    void add(BaseClock* clock, codeobj_func func);
    void run(const double duration, void (*report_func)(const double, const double, const double, const double), const double report_period);
};

#endif
{% endmacro %}
