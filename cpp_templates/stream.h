{# Monitors that are emptied while the loop runs, so that they never fill the memory.
   Put into model.cpp behind state.h. #}
// -------------------------------------------------------------- streamed monitors
struct MonitorStream {
    size_t counter;              // number of the variable N
    std::vector<size_t> arrays;  // and of what grows with it
    int64_t rows;                // hand over when that many are recorded
};
static std::vector<MonitorStream> streams;
static gpurun_full full_callback = nullptr;

static int64_t recorded_rows(const MonitorStream& stream) {
    {% if cuda %}
    const int64_t rows = cuda::recorded_rows(stream.counter, stream.rows);
    if (rows >= 0) return rows;
    {% endif %}
    gpurun_view view;
    variables[stream.counter].view(variables[stream.counter], view);
    return *static_cast<const int32_t*>(view.data);
}

static void empty_stream(const MonitorStream& stream) {
    for (size_t id : stream.arrays) variables[id].resize(variables[id], 0, 1);
    gpurun_view view;
    variables[stream.counter].view(variables[stream.counter], view);
    *static_cast<int32_t*>(view.data) = 0;
    {% if cuda %}
    cuda::emptied(stream.counter, stream.arrays);
    {% endif %}
}

// After a step. Returns whether the loop has to end, because somebody could not take the rows.
static bool hand_over() {
    for (size_t s = 0; s < streams.size(); s++) {
        if (recorded_rows(streams[s]) < streams[s].rows) continue;
        if (full_callback(int64_t(s))) {
            control().stop_requested = true;
            return true;
        }
        empty_stream(streams[s]);
    }
    return false;
}
