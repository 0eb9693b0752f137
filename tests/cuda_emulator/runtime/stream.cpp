#include "stream.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>

#include "cuda_emulator/access.h"
#include "device.h"
#include "memory.h"

namespace cuda_emulator {
struct Capture;
}

struct CUstream_st {
    int device = 0;
    unsigned int flags = 0;
    std::shared_ptr<cuda_emulator::Capture> capture;
    std::vector<CUgraphNode_st*> last;  // what the next node of a capture depends on
};

struct CUevent_st {
    int device = 0;
    unsigned int flags = 0;
    bool recorded = false;
    std::chrono::steady_clock::time_point time;
    std::weak_ptr<cuda_emulator::Capture> capture;  // in which it was recorded last
    bool captured = false;
    std::vector<CUgraphNode_st*> nodes;
};

namespace cuda_emulator {

// A capture in progress: its streams record into one graph.
struct Capture {
    CUstream_st* origin = nullptr;
    cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
    std::thread::id thread;
    bool valid = true;
    std::unique_ptr<CUgraph_st> graph{new CUgraph_st};
    std::set<CUstream_st*> streams;
};

namespace {

struct Registry {
    std::set<CUstream_st*> streams;
    std::set<CUevent_st*> events;
    std::set<std::shared_ptr<Capture>> captures;
    CUstream_st legacy;
};
Registry& registry() {
    static Registry* instance = new Registry;
    return *instance;
}

thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

bool is_legacy(cudaStream_t stream) { return stream == nullptr || stream == cudaStreamLegacy; }

CUstream_st* per_thread() {
    static thread_local CUstream_st own;
    return &own;
}

// The stream behind a handle, nullptr if there is none.
CUstream_st* find(cudaStream_t stream) {
    if (is_legacy(stream)) return &registry().legacy;
    if (stream == cudaStreamPerThread) return per_thread();
    return registry().streams.count(stream) ? stream : nullptr;
}

CUevent_st* find(cudaEvent_t event) { return registry().events.count(event) ? event : nullptr; }

void invalidate(Capture& capture) { capture.valid = false; }

// Captures that the present thread can disturb by an unsafe call.
cudaError_t refuse(bool unsafe, cudaError_t error) {
    cudaError_t found = cudaSuccess;
    for (const std::shared_ptr<Capture>& capture : registry().captures) {
        const bool own = capture->thread == std::this_thread::get_id();
        if (unsafe) {
            if (thread_mode == cudaStreamCaptureModeRelaxed) continue;
            if (capture->mode == cudaStreamCaptureModeRelaxed) continue;
            if (capture->mode == cudaStreamCaptureModeThreadLocal && !own) continue;
            if (thread_mode == cudaStreamCaptureModeThreadLocal && !own) continue;
        }
        invalidate(*capture);
        found = error;
    }
    return found;
}

// The legacy stream waits for all blocking streams, which a capture cannot do.
cudaError_t refuse_legacy() {
    for (const std::shared_ptr<Capture>& capture : registry().captures)
        for (const CUstream_st* stream : capture->streams)
            if (!(stream->flags & cudaStreamNonBlocking)) {
                invalidate(*capture);
                return cudaErrorStreamCaptureImplicit;
            }
    return cudaSuccess;
}

void leave_capture(Capture& capture) {
    for (CUstream_st* stream : capture.streams) {
        stream->last.clear();
        stream->capture.reset();
    }
    capture.streams.clear();
}

// Whether `node` is among `from` and what they depend on.
bool reaches(const std::vector<CUgraphNode_st*>& from, const CUgraphNode_st* node) {
    std::vector<const CUgraphNode_st*> left(from.begin(), from.end());
    std::set<const CUgraphNode_st*> seen;
    while (!left.empty()) {
        const CUgraphNode_st* here = left.back();
        left.pop_back();
        if (here == node) return true;
        if (seen.insert(here).second)
            left.insert(left.end(), here->dependencies.begin(), here->dependencies.end());
    }
    return false;
}

}  // namespace

Work copy_work(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    Work work;
    work.type = cudaGraphNodeTypeMemcpy;
    work.run = [=] {
        if (const cudaError_t error = check_copy(to, from, bytes, kind)) return error;
        copy(to, from, bytes);
        return cudaSuccess;
    };
    return work;
}

Work host_work(std::function<void()> function) {
    Work work;
    work.type = cudaGraphNodeTypeHost;
    work.run = [function] {
        function();
        return cudaSuccess;
    };
    return work;
}

cudaError_t enqueue(cudaStream_t handle, Work work) {
    CUstream_st* const stream = find(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
        Capture& capture = *stream->capture;
        if (!capture.valid) return cudaErrorStreamCaptureInvalidated;
        stream->last = {capture.graph->add(std::move(work), stream->last)};
        return cudaSuccess;
    }
    if (stream == &registry().legacy)
        if (const cudaError_t error = refuse_legacy()) return error;
    const Device& here = use_device();
    // What follows a kernel that failed is not done any more
    if (here.pending != cudaSuccess) return cudaSuccess;
    if (here.sticky != cudaSuccess) return here.sticky;
    return work.run ? work.run() : cudaSuccess;
}

cudaError_t enqueue_copy(cudaStream_t stream, void* to, const void* from, size_t bytes,
                         cudaMemcpyKind kind) {
    return enqueue(stream, copy_work(to, from, bytes, kind));
}

cudaError_t enqueue_fill(cudaStream_t stream, void* pointer, int value, size_t bytes) {
    Work work;
    work.type = cudaGraphNodeTypeMemset;
    work.run = [=] {
        if (!is_device_memory(pointer, bytes)) return cudaErrorInvalidValue;
        DeviceAccess access;
        std::memset(pointer, value, bytes);
        return cudaSuccess;
    };
    return enqueue(stream, std::move(work));
}

cudaError_t enqueue_allocation(cudaStream_t handle, void* pointer) {
    CUstream_st* const stream = find(handle);
    // The address is fixed by the capture; the graph keeps the memory as long as it lives
    if (stream && stream->capture) stream->capture->graph->memory.push_back(pointer);
    Work work;
    work.type = cudaGraphNodeTypeMemAlloc;
    return enqueue(handle, std::move(work));
}

cudaError_t enqueue_release(cudaStream_t handle, void* pointer) {
    CUstream_st* const stream = find(handle);
    Work work;
    work.type = cudaGraphNodeTypeMemFree;
    if (!stream || !stream->capture)
        work.run = [pointer] { return release(pointer) ? cudaSuccess : cudaErrorInvalidValue; };
    return enqueue(handle, std::move(work));
}

cudaError_t refuse_during_capture() { return refuse(false, cudaErrorStreamCaptureUnsupported); }

cudaError_t refuse_unsafe_call() { return refuse(true, cudaErrorStreamCaptureUnsupported); }

cudaError_t synchronising_call(cudaStream_t handle) {
    std::lock_guard<std::recursive_mutex> guard(lock());
    if (device_count() == 0) return cudaErrorNoDevice;
    CUstream_st* const stream = find(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
        invalidate(*stream->capture);
        return cudaErrorStreamCaptureUnsupported;
    }
    if (stream == &registry().legacy)
        if (const cudaError_t error = refuse_legacy()) return error;
    return wait_error();
}

void forget_streams(int ordinal) {
    std::set<CUstream_st*>& all = registry().streams;
    for (auto one = all.begin(); one != all.end();) {
        CUstream_st* const stream = *one;
        if (stream->device != ordinal) {
            ++one;
            continue;
        }
        if (stream->capture) {
            const std::shared_ptr<Capture> capture = stream->capture;
            leave_capture(*capture);
            registry().captures.erase(capture);
        }
        one = all.erase(one);
        delete stream;
    }
}

}  // namespace cuda_emulator

using namespace cuda_emulator;
using Guard = std::lock_guard<std::recursive_mutex>;

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int flags, int) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!stream || flags > cudaStreamNonBlocking) return result(cudaErrorInvalidValue);
    *stream = new CUstream_st;
    (*stream)->device = current_device();
    (*stream)->flags = flags;
    registry().streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
    return cudaStreamCreateWithPriority(stream, flags, 0);
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    Guard guard(lock());
    if (!registry().streams.count(stream)) return result(cudaErrorInvalidResourceHandle);
    if (stream->capture) {
        const std::shared_ptr<Capture> capture = stream->capture;
        invalidate(*capture);
        capture->streams.erase(stream);
        if (capture->origin == stream) {
            leave_capture(*capture);
            registry().captures.erase(capture);
        }
    }
    registry().streams.erase(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return result(synchronising_call(stream));
}

cudaError_t cudaStreamQuery(cudaStream_t stream) { return result(synchronising_call(stream)); }

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t handle_of_event, unsigned int) {
    Guard guard(lock());
    CUstream_st* const stream = find(handle);
    CUevent_st* const event = find(handle_of_event);
    if (!stream || !event) return result(cudaErrorInvalidResourceHandle);
    const std::shared_ptr<Capture> capture = event->capture.lock();
    if (!event->captured) {
        if (!stream->capture) return cudaSuccess;  // all that was recorded is done
        invalidate(*stream->capture);
        return result(cudaErrorStreamCaptureIsolation);
    }
    if (!capture || is_legacy(handle)) return result(cudaErrorStreamCaptureImplicit);
    if (stream->capture && stream->capture != capture) {
        invalidate(*capture);
        invalidate(*stream->capture);
        return result(cudaErrorStreamCaptureMerge);
    }
    if (!stream->capture) {
        stream->capture = capture;
        capture->streams.insert(stream);
        stream->last.clear();
    }
    for (CUgraphNode_st* node : event->nodes)
        if (std::find(stream->last.begin(), stream->last.end(), node) == stream->last.end())
            stream->last.push_back(node);
    return cudaSuccess;
}

cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t callback, void* user,
                                  unsigned int) {
    Guard guard(lock());
    CUstream_st* const found = find(stream);
    if (!found) return result(cudaErrorInvalidResourceHandle);
    if (found->capture) {
        invalidate(*found->capture);
        return result(cudaErrorStreamCaptureUnsupported);
    }
    return result(enqueue(stream, host_work([=] { callback(stream, cudaSuccess, user); })));
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* user) {
    Guard guard(lock());
    if (!function) return result(cudaErrorInvalidValue);
    return result(enqueue(stream, host_work([=] { function(user); })));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!event) return result(cudaErrorInvalidValue);
    *event = new CUevent_st;
    (*event)->device = current_device();
    (*event)->flags = flags;
    registry().events.insert(*event);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    Guard guard(lock());
    if (!find(event)) return result(cudaErrorInvalidResourceHandle);
    registry().events.erase(event);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t handle_of_stream) {
    Guard guard(lock());
    CUevent_st* const event = find(handle);
    CUstream_st* const stream = find(handle_of_stream);
    if (!event || !stream) return result(cudaErrorInvalidResourceHandle);
    if (const cudaError_t error = entry_error()) return result(error);
    event->captured = bool(stream->capture);
    if (stream->capture) {
        if (!stream->capture->valid) return result(cudaErrorStreamCaptureInvalidated);
        event->capture = stream->capture;
        event->nodes = stream->last;
        return cudaSuccess;
    }
    if (stream == &registry().legacy)
        if (const cudaError_t error = refuse_legacy()) return result(error);
    event->recorded = true;
    event->time = std::chrono::steady_clock::now();
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    Guard guard(lock());
    if (!find(event)) return result(cudaErrorInvalidResourceHandle);
    if (event->captured) {
        if (const std::shared_ptr<Capture> capture = event->capture.lock()) invalidate(*capture);
        return result(cudaErrorCapturedEvent);
    }
    return result(wait_error());
}

cudaError_t cudaEventQuery(cudaEvent_t event) { return cudaEventSynchronize(event); }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    Guard guard(lock());
    if (!find(start) || !find(end) || !start->recorded || !end->recorded ||
        (start->flags | end->flags) & cudaEventDisableTiming)
        return result(cudaErrorInvalidResourceHandle);
    if (!milliseconds) return result(cudaErrorInvalidValue);
    if (start->captured || end->captured) return result(cudaErrorCapturedEvent);
    *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
    return result(wait_error());
}

// ---------------------------------------------------------------- capture

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    CUstream_st* const stream = find(handle);
    if (!stream) return result(cudaErrorInvalidResourceHandle);
    if (is_legacy(handle)) return result(cudaErrorStreamCaptureUnsupported);
    if (stream->capture) return result(cudaErrorIllegalState);
    auto capture = std::make_shared<Capture>();
    capture->origin = stream;
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    capture->streams.insert(stream);
    stream->capture = capture;
    stream->last.clear();
    registry().captures.insert(capture);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    Guard guard(lock());
    CUstream_st* const stream = find(handle);
    if (!stream) return result(cudaErrorInvalidResourceHandle);
    if (!graph) return result(cudaErrorInvalidValue);
    *graph = nullptr;
    const std::shared_ptr<Capture> capture = stream->capture;
    if (!capture) return result(cudaErrorIllegalState);
    if (capture->origin != stream) return result(cudaErrorStreamCaptureUnmatched);
    if (capture->mode != cudaStreamCaptureModeRelaxed &&
        capture->thread != std::this_thread::get_id())
        return result(cudaErrorStreamCaptureWrongThread);
    bool joined = true;
    for (const CUstream_st* other : capture->streams)
        for (const CUgraphNode_st* node : other->last)
            joined = joined && reaches(stream->last, node);
    leave_capture(*capture);
    registry().captures.erase(capture);
    if (!capture->valid) return result(cudaErrorStreamCaptureInvalidated);
    if (!joined) return result(cudaErrorStreamCaptureUnjoined);
    *graph = capture->graph.release();
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    Guard guard(lock());
    CUstream_st* const stream = find(handle);
    if (!stream) return result(cudaErrorInvalidResourceHandle);
    if (!status) return result(cudaErrorInvalidValue);
    *status = !stream->capture          ? cudaStreamCaptureStatusNone
              : stream->capture->valid ? cudaStreamCaptureStatusActive
                                       : cudaStreamCaptureStatusInvalidated;
    if (is_legacy(handle) && refuse_legacy() != cudaSuccess)
        return result(cudaErrorStreamCaptureImplicit);
    return cudaSuccess;
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    if (!mode) return result(cudaErrorInvalidValue);
    std::swap(*mode, thread_mode);
    return cudaSuccess;
}
