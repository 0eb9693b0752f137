// The C boundary of a gpurun model library (see docs/abi.md).
//
// This file is independent of any model: the generated part (tables of
// variables, pathways and program parts) is in the model.cpp template, which
// includes it first.
#ifndef GPURUN_BOUNDARY_H
#define GPURUN_BOUNDARY_H

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#define GPURUN_ABI_VERSION 4

#if defined(_WIN32)
#define GPURUN_EXPORT extern "C" __declspec(dllexport)
#else
#define GPURUN_EXPORT extern "C" __attribute__((visibility("default")))
#endif

extern "C" {

enum gpurun_status {
    GPURUN_OK = 0,
    GPURUN_ERROR = 1,          // generated or user code failed; see gpurun_last_error
    GPURUN_STOPPED = 2,        // a run ended early because a stop was requested
    GPURUN_BAD_ARGUMENT = 3,   // an index or a size is out of range
    GPURUN_OUT_OF_MEMORY = 4
};

// Where a variable's elements are at this moment. Valid until the next call
// that runs or resizes.
typedef struct {
    void* data;
    int64_t rows;      // number of elements of a 1-D variable
    int64_t cols;      // 1 for a 1-D variable
    int64_t stride;    // elements from one row to the next
    int32_t itemsize;  // bytes
    int32_t location;  // 0: host memory, 1: device memory
} gpurun_view;

typedef struct {
    double loop_seconds;  // wall time inside the time loops
    double completed;     // fraction of the requested model time
    double t;             // model time of the last network at the end, in seconds
    int64_t steps;        // passes through the loop body
    double device_seconds;  // in the time loops by the card's own clock; negative without one
} gpurun_run_info;

// Called about every `period` seconds of wall time; a nonzero result stops the
// run at the next step boundary.
typedef int32_t (*gpurun_progress)(double completed, double elapsed, void* user);

// Called between two steps when a streamed monitor has its rows.
typedef int32_t (*gpurun_full)(int64_t stream);

}  // extern "C"

namespace gpurun {

// Befriended by the model's generator class (see patches.toml).
struct RandomAccess;

class Failure : public std::runtime_error {
public:
    explicit Failure(const std::string& what, int status = GPURUN_ERROR)
        : std::runtime_error(what), status(status) {}
    const int status;
};

// Generated code describes an error on this stream before it "exits".
inline std::ostringstream& complaint() {
    static std::ostringstream stream;
    return stream;
}

// Generated and user code calls this where it would have ended the process.
[[noreturn]] inline void exit_requested(int status = 134) {  // that of abort()
    std::string text = complaint().str();
    complaint().str("");
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    if (text.empty())
        text = "the generated code asked the process to exit with status " + std::to_string(status);
    throw Failure(text);
}

// ---------------------------------------------------------------- time loop

// What the time loop shares with whoever started it.
struct Control {
    std::atomic<bool> stop_requested{false};
    gpurun_progress progress = nullptr;
    void* user = nullptr;
    double period = 0.1;          // wall seconds between two calls of `progress`
    double maximum_run_time = -1;  // wall seconds, negative: no limit
    double requested = 0.0;        // model seconds of the whole run, all parts
    double finished = 0.0;         // model seconds of the parts that are done
    double loop_seconds = 0.0;
    double device_seconds = -1.0;
    double t = 0.0;
    int64_t steps = 0;
    // What a backend wants to know of the loop: that the clocks were set, and that a step is done,
    // of those clocks (each has a bit, known by where its time step is)
    void (*clocks_set)() = nullptr;
    void (*step_done)(unsigned int due) = nullptr;
    void (*loop_done)() = nullptr;
    bool (*hand_over)() = nullptr;  // after each step; whether to end here
    unsigned int (*bit_of_clock)(const int64_t* timestep) = nullptr;
    double duration = -1.0;        // replaces the script's duration unless negative
    double duration_or(double scripted) const { return duration >= 0 ? duration : scripted; }
};

inline Control& control() {
    static Control instance;
    return instance;
}

// Watches the wall clock during one loop: progress, stop requests, time limit.
class Watch {
    typedef std::chrono::steady_clock clock;
    const clock::time_point start = clock::now();
    double next_progress;

public:
    Watch() : next_progress(control().period) {}

    double elapsed() const {
        return std::chrono::duration<double>(clock::now() - start).count();
    }

    // Returns true when the loop has to end after this step.
    bool tick(double done_here) {
        Control& c = control();
        c.steps++;
        if (c.stop_requested.load(std::memory_order_relaxed)) return true;
        const double now = elapsed();
        if (c.progress && now >= next_progress) {
            next_progress = now + c.period;
            const double completed =
                c.requested > 0 ? std::min(1.0, (c.finished + done_here) / c.requested) : 1.0;
            if (c.progress(completed, c.loop_seconds + now, c.user)) {
                c.stop_requested = true;
                return true;
            }
        }
        return false;
    }

    bool over_time() const {
        return control().maximum_run_time >= 0 && elapsed() > control().maximum_run_time;
    }
};

// ---------------------------------------------------------------- variables

struct Variable {
    const char* name;
    void* object;
    int64_t count;  // elements of a fixed array; unused otherwise
    void (*view)(const Variable&, gpurun_view&);
    void (*resize)(const Variable&, int64_t rows, int64_t cols);
};

template <class T>
void view_fixed(const Variable& variable, gpurun_view& view) {
    view = {*static_cast<T**>(variable.object), variable.count, 1, 1, int32_t(sizeof(T)), 0};
}

template <class T>
void resize_fixed(const Variable& variable, int64_t rows, int64_t cols) {
    if (rows != variable.count || cols != 1)
        throw Failure(std::string(variable.name) + " has a fixed size", GPURUN_BAD_ARGUMENT);
}

template <class T>
void view_vector(const Variable& variable, gpurun_view& view) {
    std::vector<T>& array = *static_cast<std::vector<T>*>(variable.object);
    view = {array.data(), int64_t(array.size()), 1, 1, int32_t(sizeof(T)), 0};
}

template <class T>
void resize_vector(const Variable& variable, int64_t rows, int64_t cols) {
    if (rows < 0 || cols != 1)
        throw Failure(std::string(variable.name) + " is one-dimensional", GPURUN_BAD_ARGUMENT);
    static_cast<std::vector<T>*>(variable.object)->resize(size_t(rows));
}

template <class Array, class T>
void view_2d(const Variable& variable, gpurun_view& view) {
    Array& array = *static_cast<Array*>(variable.object);
    view = {array.get_data_ptr(), int64_t(array.rows()), int64_t(array.cols()),
            int64_t(array.stride()), int32_t(sizeof(T)), 0};
}

template <class Array, class T>
void resize_2d(const Variable& variable, int64_t rows, int64_t cols) {
    Array& array = *static_cast<Array*>(variable.object);
    // Emptying must not touch the whole buffer: monitors are emptied at every reset.
    if (rows == 0)
        array.resize_along_first(0);
    else
        array.resize(size_t(rows), size_t(cols));
}

// One more row for a monitor's matrix, without a visit to all the others.
template <class Array>
void grow_rows(Array& array, size_t rows, size_t cols) {
    if (array.cols() == cols)
        array.resize_along_first(rows);
    else
        array.resize(rows, cols);
}

// ---------------------------------------------------------------- snapshots

// A copy of some variables. The baseline is one; named snapshots can use the same class.
class Snapshot {
    struct Saved {
        bool present = false;
        int64_t rows = 0, cols = 1;
        std::unique_ptr<char[]> bytes;
        size_t capacity = 0;
        // All elements are the first one (most variables start at one value): nothing
        // else is kept, and putting it back reads no memory.
        bool uniform = false;
    };
    std::vector<Saved> saved;

public:
    void clear() { saved.clear(); }

    bool has(size_t id) const { return id < saved.size() && saved[id].present; }

    void save(size_t id, const Variable& variable) {
        if (saved.size() <= id) saved.resize(id + 1);
        gpurun_view view;
        variable.view(variable, view);
        Saved& entry = saved[id];
        const size_t row_bytes = size_t(view.cols) * view.itemsize;
        size_t bytes = size_t(view.rows) * row_bytes;
        entry.uniform = is_uniform(view);
        if (entry.uniform) bytes = size_t(view.itemsize);
        if (bytes > entry.capacity) {
            entry.bytes.reset(new char[bytes]);
            entry.capacity = bytes;
        }
        if (entry.uniform)
            std::memcpy(entry.bytes.get(), view.data, bytes);
        else
            copy_rows(entry.bytes.get(), row_bytes, static_cast<const char*>(view.data),
                      size_t(view.stride) * view.itemsize, size_t(view.rows), row_bytes);
        entry.rows = view.rows;
        entry.cols = view.cols;
        entry.present = true;
    }

    void restore(size_t id, const Variable& variable) const {
        const Saved& entry = saved[id];
        gpurun_view view;
        variable.view(variable, view);
        if (view.rows != entry.rows || (entry.rows > 0 && view.cols != entry.cols)) {
            variable.resize(variable, entry.rows, entry.cols);
            variable.view(variable, view);
        }
        if (entry.uniform) {
            fill(view.data, view.itemsize, entry.bytes.get(), size_t(entry.rows));
            return;
        }
        const size_t row_bytes = size_t(entry.cols) * view.itemsize;
        copy_rows(static_cast<char*>(view.data), size_t(view.stride) * view.itemsize,
                  entry.bytes.get(), row_bytes, size_t(entry.rows), row_bytes);
    }

    // Puts back elements of a one-dimensional variable whose size is unchanged: `elements`
    // calls what it is given with the first and the number of each stretch.
    // Returns false, having done nothing, if that does not apply.
    template <class Elements>
    bool restore_elements(size_t id, const Variable& variable, const Elements& elements) const {
        const Saved& entry = saved[id];
        gpurun_view view;
        variable.view(variable, view);
        if (view.rows != entry.rows || view.cols != 1) return false;
        const char* from = entry.bytes.get();
        switch (view.itemsize) {
            case 8: copy_elements<uint64_t>(view.data, from, entry.uniform, elements); return true;
            case 4: copy_elements<uint32_t>(view.data, from, entry.uniform, elements); return true;
            case 1: copy_elements<uint8_t>(view.data, from, entry.uniform, elements); return true;
            default: return false;
        }
    }

private:
    template <class T, class Elements>
    static void copy_elements(void* to, const char* from, bool uniform, const Elements& elements) {
        char* target = static_cast<char*>(to);
        if (uniform) {
            elements([target, from](size_t first, size_t count) {
                fill_as<T>(target + first * sizeof(T), from, count);
            });
        } else {
            elements([target, from](size_t first, size_t count) {
                if (count == 1)  // of a known size: no call
                    std::memcpy(target + first * sizeof(T), from + first * sizeof(T), sizeof(T));
                else
                    std::memcpy(target + first * sizeof(T), from + first * sizeof(T),
                                count * sizeof(T));
            });
        }
    }

    // By bits, so that a nan is itself and 0.0 is not -0.0.
    static bool is_uniform(const gpurun_view& view) {
        if (view.rows < 2 || view.cols != 1 || view.stride != 1) return false;
        const char* data = static_cast<const char*>(view.data);
        const size_t width = size_t(view.itemsize);
        // Every element equals the one before it
        return std::memcmp(data, data + width, (size_t(view.rows) - 1) * width) == 0;
    }

    static void fill(void* data, int32_t width, const char* value, size_t count) {
        switch (width) {
            case 8: fill_as<uint64_t>(data, value, count); return;
            case 4: fill_as<uint32_t>(data, value, count); return;
            default:
                for (size_t i = 0; i < count; i++)
                    std::memcpy(static_cast<char*>(data) + i * width, value, size_t(width));
        }
    }

    template <class T>
    static void fill_as(void* data, const char* value, size_t count) {
        T bits;
        std::memcpy(&bits, value, sizeof(T));
        char* to = static_cast<char*>(data);
        for (size_t i = 0; i < count; i++) std::memcpy(to + i * sizeof(T), &bits, sizeof(T));
    }

    static void copy_rows(char* to, size_t to_stride, const char* from, size_t from_stride,
                          size_t rows, size_t row_bytes) {
        if (rows == 0 || row_bytes == 0) return;
        if (rows == 1 || (to_stride == row_bytes && from_stride == row_bytes)) {
            std::memcpy(to, from, rows * row_bytes);
            return;
        }
        for (size_t row = 0; row < rows; row++)
            std::memcpy(to + row * to_stride, from + row * from_stride, row_bytes);
    }
};

// ---------------------------------------------------------------- denormals

// Decaying variables end as denormal numbers, which processors compute with many
// times slower. Whoever compiles with fast-math has given up on them: while such
// a model runs they are zero. The mode of the calling thread is put back. (The
// compilers' own macro is not defined for brian2's flags, which leave infinities.)
class FlushDenormals {
#if defined(GPURUN_FAST_MATH) && defined(__SSE2__)
    const unsigned int saved = _mm_getcsr();

public:
    FlushDenormals() { _mm_setcsr(saved | 0x8040u); }  // flush to zero, denormals are zero
    ~FlushDenormals() { _mm_setcsr(saved); }
#elif defined(GPURUN_FAST_MATH) && defined(__aarch64__)
    uint64_t saved;

public:
    FlushDenormals() {
        __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
        __asm__ volatile("msr fpcr, %0" : : "r"(saved | (uint64_t(1) << 24)));
    }
    ~FlushDenormals() { __asm__ volatile("msr fpcr, %0" : : "r"(saved)); }
#else
public:
    FlushDenormals() {}
#endif
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;
};

// ---------------------------------------------------------------- errors

inline std::string& last_error() {
    static std::string message;
    return message;
}

// Runs `body` and turns every exception into a status and a message.
template <class Body>
int32_t guarded(const char* call, Body body) noexcept {
    try {
        last_error().clear();
        complaint().str("");
        return body();
    } catch (const Failure& failure) {
        last_error() = failure.what();
        return failure.status;
    } catch (const std::bad_alloc&) {
        last_error() = std::string(call) + ": not enough memory";
        return GPURUN_OUT_OF_MEMORY;
    } catch (const std::exception& error) {
        last_error() = std::string(call) + ": " + error.what();
        return GPURUN_ERROR;
    } catch (...) {
        last_error() = std::string(call) + ": an exception of unknown type was thrown";
        return GPURUN_ERROR;
    }
}

// Sends std::cout into a file while it exists.
class OutputRedirection {
    std::unique_ptr<std::ofstream> file;
    std::streambuf* previous = nullptr;

public:
    explicit OutputRedirection(const char* path) {
        if (!path || !*path) return;
        file.reset(new std::ofstream(path, std::ios::out | std::ios::app));
        if (!file->is_open()) throw Failure(std::string("cannot write to ") + path);
        previous = std::cout.rdbuf(file->rdbuf());
    }
    ~OutputRedirection() {
        std::cout.flush();
        if (previous) std::cout.rdbuf(previous);
    }
    OutputRedirection(const OutputRedirection&) = delete;
    OutputRedirection& operator=(const OutputRedirection&) = delete;
};

}  // namespace gpurun

#endif
