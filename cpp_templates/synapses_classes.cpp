{# Replaces brian2's template: the same interface around brian2's CSpikeQueue, and
   a note of which source neurons have spiked, so that a reset can put back only
   the synapses that a run can have changed. #}
{% macro cpp_file() %}
{% endmacro %}

{% macro h_file() %}
#ifndef _BRIAN_SYNAPSES_H
#define _BRIAN_SYNAPSES_H

#include <algorithm>
#include <vector>
{{ openmp_pragma('include') }}

#include "brianlib/spikequeue.h"

class SynapticPathway
{
    std::vector<char> has_spiked;  // by source neuron, relative to the pathway's first
    std::vector<int> spiked;
    const int first_source, last_source;  // the latter is one past the end

    void remember(const int32_t *spikes, int count)
    {
        const int32_t *end = spikes + count;
        const int32_t *spike = std::lower_bound(spikes, end, first_source);
        for (; spike != end && *spike < last_source; ++spike)
        {
            const int neuron = *spike - first_source;
            if (!has_spiked[neuron])
            {
                has_spiked[neuron] = 1;
                spiked.push_back(neuron);
            }
        }
    }

public:
    std::vector<int> &sources;
    std::vector<int> all_peek;
    std::vector<CSpikeQueue *> queue;  // one per thread, each for a share of the synapses

    SynapticPathway(std::vector<int> &synaptic_sources, int start, int stop)
        : has_spiked(stop - start, 0), first_source(start), last_source(stop),
          sources(synaptic_sources)
    {
        for (int thread = 0; thread < {{ openmp_pragma('get_num_threads') }}; thread++)
            queue.push_back(new CSpikeQueue(start, stop));
    }

    ~SynapticPathway()
    {
        for (CSpikeQueue *share : queue)
            delete share;
    }

    SynapticPathway(const SynapticPathway &) = delete;
    SynapticPathway &operator=(const SynapticPathway &) = delete;

    // Source neurons (relative to the first) that have spiked since forget_spikes().
    const std::vector<int> &spiked_sources() const { return spiked; }

    void forget_spikes()
    {
        for (int neuron : spiked)
            has_spiked[neuron] = 0;
        spiked.clear();
    }

    // Inside a parallel region every thread calls the following for its own share.
    void push(int *spikes, int count)
    {
        const int thread = {{ openmp_pragma('get_thread_num') }};
        if (thread == 0 && count > 0)
            remember(spikes, count);
        queue[thread]->push(spikes, count);
    }

    void advance()
    {
        queue[{{ openmp_pragma('get_thread_num') }}]->advance();
    }

    // Synapses whose spikes arrive now, in the order of the threads' shares.
    std::vector<int32_t> *peek()
    {
        if (queue.size() == 1)
            return queue[0]->peek();
        {{ openmp_pragma('static-ordered') }}
        for (int thread = 0; thread < {{ openmp_pragma('get_num_threads') }}; thread++)
        {
            {{ openmp_pragma('ordered') }}
            {
                if (thread == 0)
                    all_peek.clear();
                const std::vector<int32_t> &arriving = *queue[thread]->peek();
                all_peek.insert(all_peek.end(), arriving.begin(), arriving.end());
            }
        }
        return &all_peek;
    }

    // `delays` holds one delay per synapse, one for all, or none without synapses.
    template <typename scalar>
    void prepare(int n_source, int n_target, scalar *delays, int n_delays, int *synapse_sources,
                 int n_synapses, double dt)
    {
        (void)n_source;
        (void)n_target;
        {{ openmp_pragma('parallel') }}
        {
            const int thread = {{ openmp_pragma('get_thread_num') }};
            const int share = n_synapses / (int)queue.size();
            const int begin = thread * share;
            const bool is_last = thread == (int)queue.size() - 1;
            const int length = is_last ? n_synapses - begin : share;
            queue[thread]->openmp_padding = begin;
            if (n_delays > 1)
                queue[thread]->prepare(&delays[begin], length, &synapse_sources[begin], length, dt);
            else
                queue[thread]->prepare(n_delays == 1 ? delays : (scalar *)NULL, n_delays,
                                       &synapse_sources[begin], length, dt);
        }
    }
};

#endif
{% endmacro %}
