// The threads of a block share one fiber until one of them has to wait: only a thread that waits
// keeps a fiber. When nothing can run, the barriers that are complete let their threads go; when
// none is, the kernel would hang on a card, and ends with an error here.
#include "scheduler.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "cuda_emulator/access.h"
#include "cuda_emulator/report.h"
#include "cuda_emulator/sync.h"
#include "fiber.h"
#include "shared_memory.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace cuda_emulator {

namespace {

struct Block;

struct Thread {
    enum State { fresh, running, ready, waiting, done } state = fresh;
    enum Barrier { none, of_warp, of_block, of_grid } barrier = none;
    uint3 index;
    unsigned number = 0;  // in the block
    Block* block = nullptr;
    Fiber* fiber = nullptr;
    const char* what = nullptr;  // file, or name of a warp's operation
    int line = 0;
    uint32_t mask = 0;
    uint64_t offered = 0;
    std::unique_ptr<Exchange> received;
    Votes votes{0, 0};
    unsigned warp_epoch = 0;
};

struct Block {
    uint3 index;
    unsigned number = 0;
    unsigned epoch = 0;
    std::vector<Thread> threads;
    BlockMemory memory;
};

struct Grid {
    const Configuration& configuration;
    const KernelCall& call;
    const Order& order;
    Grid(const Configuration& configuration, const KernelCall& call, const Order& order)
        : configuration(configuration), call(call), order(order) {}

    std::vector<std::unique_ptr<Block>> blocks;  // those that are resident
    std::vector<Thread*> fresh;
    size_t begun = 0;  // of the fresh ones
    std::deque<Thread*> ready;
    Thread* present = nullptr;
    size_t unfinished = 0;
    long idle_turns = 0;  // of threads that only wait for each other by atomics
    bool moved = false;   // since the last look
    cudaError_t error = cudaSuccess;
    unsigned epoch = 0;
    unsigned warp_epoch = 0;
    std::mt19937_64 random;
};

thread_local Grid* grid = nullptr;
unsigned long long launches = 0;
thread_local int functors = 0;

// Fibers are kept: making one costs system calls.
struct Pool {
    std::vector<std::unique_ptr<Fiber>> all;
    std::vector<Fiber*> free;
    Fiber* take() {
        if (free.empty()) {
            all.push_back(std::make_unique<Fiber>());
            free.push_back(all.back().get());
        }
        Fiber* fiber = free.back();
        free.pop_back();
        return fiber;
    }
};
Pool& pool() {
    // Never destroyed: kernels may run in destructors of static objects
    static Pool* instance = new Pool;
    return *instance;
}

void set_place(const Thread& thread) {
    threadIdx = thread.index;
    blockIdx = thread.block->index;
    enter_block(&thread.block->memory);
}

template <class Items>
void arrange(Items& items) {
    if (grid->order.kind == Order::reverse) std::reverse(items.begin(), items.end());
    if (grid->order.kind == Order::random)
        std::shuffle(items.begin(), items.end(), grid->random);
}

// What a fiber does: fresh threads, one after another, until one of them has to wait.
void run_threads(void* own) {
    Fiber* const fiber = static_cast<Fiber*>(own);
    for (;;) {
        if (grid->begun == grid->fresh.size()) break;
        Thread* const thread = grid->fresh[grid->begun++];
        thread->state = Thread::running;
        thread->fiber = fiber;
        grid->present = thread;
        set_place(*thread);
        try {
            grid->call.run_thread();
        } catch (const std::exception& problem) {
            device_fault(cudaErrorLaunchFailure,
                         (std::string("exception in device code: ") + problem.what()).c_str());
        } catch (...) {
            device_fault(cudaErrorLaunchFailure, "exception in device code");
        }
        thread->state = Thread::done;
        thread->fiber = nullptr;
        grid->unfinished--;
        grid->moved = true;
        // A thread that has waited has its fiber to itself
        if (thread->barrier != Thread::none) break;
    }
    grid->present = nullptr;
    pool().free.push_back(fiber);
    Fiber::leave();
}

void wait(Thread& thread) {
    thread.state = Thread::waiting;
    grid->moved = true;
    Fiber::leave();
    grid->present = &thread;
    set_place(thread);
}

std::string place(const Thread& thread) {
    char text[160];
    std::snprintf(text, sizeof text, "block (%u,%u,%u), thread (%u,%u,%u)", thread.block->index.x,
                  thread.block->index.y, thread.block->index.z, thread.index.x, thread.index.y,
                  thread.index.z);
    return text;
}

std::string waits_at(const Thread& thread) {
    std::string text = place(thread);
    switch (thread.barrier) {
        case Thread::of_block: text += " waits at a __syncthreads() in "; break;
        case Thread::of_grid: text += " waits for the grid in "; break;
        default: return text + " waits in " + thread.what;
    }
    return text + thread.what + ":" + std::to_string(thread.line);
}

void release(std::vector<Thread*>& threads) {
    arrange(threads);
    for (Thread* thread : threads) {
        thread->state = Thread::ready;
        grid->ready.push_back(thread);
    }
    threads.clear();
}

[[noreturn]] void hang(const std::string& why) {
    complain(why.c_str());
    abandon_grid(cudaErrorLaunchTimeout);
}

// Lets go the lanes of one warp whose operation is complete.
bool release_warps(Block& block) {
    bool released = false;
    std::vector<Thread*> together;
    for (size_t first = 0; first < block.threads.size(); first += 32) {
        const size_t end = std::min(first + 32, block.threads.size());
        for (size_t i = first; i < end; i++) {
            Thread& thread = block.threads[i];
            if (thread.state != Thread::waiting || thread.barrier != Thread::of_warp) continue;
            uint32_t present = 0;
            bool complete = true;
            for (size_t j = first; j < end; j++) {
                const Thread& other = block.threads[j];
                if (!(thread.mask >> (j - first) & 1) || other.state == Thread::done) continue;
                const bool there = other.state == Thread::waiting &&
                                   other.barrier == Thread::of_warp && other.mask == thread.mask &&
                                   std::strcmp(other.what, thread.what) == 0;
                complete = complete && there;
                if (there) present |= 1u << (j - first);
            }
            if (!complete) continue;
            Exchange all{};
            all.present = present;
            grid->warp_epoch++;
            for (size_t j = first; j < end; j++)
                if (present >> (j - first) & 1) all.values[j - first] = block.threads[j].offered;
            for (size_t j = first; j < end; j++)
                if (present >> (j - first) & 1) {
                    *block.threads[j].received = all;
                    block.threads[j].warp_epoch = grid->warp_epoch;
                    together.push_back(&block.threads[j]);
                }
            release(together);
            released = true;
        }
    }
    return released;
}

bool release_block(Block& block) {
    std::vector<Thread*> together;
    Votes votes{0, 0};
    for (Thread& thread : block.threads) {
        if (thread.state == Thread::done) continue;
        if (thread.state != Thread::waiting || thread.barrier != Thread::of_block) return false;
        together.push_back(&thread);
        votes.count += thread.offered != 0;
        votes.total++;
    }
    if (together.empty()) return false;
    for (const Thread* thread : together)
        if (thread->line != together.front()->line ||
            std::strcmp(thread->what, together.front()->what) != 0)
            hang("threads of a block meet at different barriers, which CUDA leaves undefined: " +
                 waits_at(*together.front()) + ", " + waits_at(*thread));
    for (Thread* thread : together) thread->votes = votes;
    block.epoch++;
    release(together);
    return true;
}

bool release_grid() {
    std::vector<Thread*> together;
    for (const std::unique_ptr<Block>& block : grid->blocks)
        for (Thread& thread : block->threads) {
            if (thread.state == Thread::done) continue;
            if (thread.state != Thread::waiting || thread.barrier != Thread::of_grid) return false;
            together.push_back(&thread);
        }
    if (together.empty()) return false;
    grid->epoch++;
    release(together);
    return true;
}

[[noreturn]] void report_deadlock() {
    std::string text = "the kernel would hang: ";
    int shown = 0;
    const Thread* before = nullptr;
    for (const std::unique_ptr<Block>& block : grid->blocks)
        for (const Thread& thread : block->threads) {
            if (thread.state != Thread::waiting) continue;
            if (before && before->barrier == thread.barrier && before->line == thread.line &&
                before->what == thread.what)
                continue;
            before = &thread;
            if (shown++ < 4) text += (shown > 1 ? "; " : "") + waits_at(thread);
        }
    hang(text + "; others have ended or wait elsewhere");
}

void run_resident() {
    while (grid->unfinished && grid->error == cudaSuccess) {
        grid->moved = false;
        if (grid->begun < grid->fresh.size()) {
            Fiber* const fiber = pool().take();
            fiber->prepare(run_threads, fiber);
            fiber->enter();
            grid->present = nullptr;
        } else if (!grid->ready.empty()) {
            Thread* const thread = grid->ready.front();
            grid->ready.pop_front();
            thread->state = Thread::running;
            thread->fiber->enter();
            grid->present = nullptr;
        } else {
            bool released = false;
            for (const std::unique_ptr<Block>& block : grid->blocks) {
                released = release_warps(*block) || released;
                released = release_block(*block) || released;
            }
            if (!released && !release_grid()) report_deadlock();
            grid->moved = true;
        }
        grid->idle_turns = grid->moved ? 0 : grid->idle_turns + 1;
        if (grid->idle_turns > 100000)
            hang("the kernel would hang: threads wait for each other by atomic operations, among "
                 "them " + place(*grid->ready.front()));
    }
}

void fill(Block& block, uint3 index, dim3 size) {
    block.index = index;
    block.threads.resize(size_t(size.x) * size.y * size.z);
    unsigned number = 0;
    for (unsigned z = 0; z < size.z; z++)
        for (unsigned y = 0; y < size.y; y++)
            for (unsigned x = 0; x < size.x; x++) {
                Thread& thread = block.threads[number];
                thread.state = Thread::fresh;
                thread.barrier = Thread::none;
                thread.index = {x, y, z};
                thread.number = number++;
                thread.block = &block;
                thread.warp_epoch = 0;
            }
}

uint3 unravel(size_t number, dim3 size) {
    return {unsigned(number % size.x), unsigned(number / size.x % size.y),
            unsigned(number / size.x / size.y)};
}

void give_back_fibers() {
    for (const std::unique_ptr<Block>& block : grid->blocks)
        for (Thread& thread : block->threads)
            if (thread.fiber) {
                pool().free.push_back(thread.fiber);
                thread.fiber = nullptr;
            }
}

void enlist(Block& block) {
    std::vector<Thread*> threads;
    threads.reserve(block.threads.size());
    for (Thread& thread : block.threads) threads.push_back(&thread);
    arrange(threads);
    if (grid->begun == grid->fresh.size()) {
        grid->fresh.clear();
        grid->begun = 0;
    }
    grid->fresh.insert(grid->fresh.end(), threads.begin(), threads.end());
    grid->unfinished += threads.size();
}

// Of this thread, for its next launch: mapping shared memory costs system calls.
thread_local std::unique_ptr<Block> spare;

void run_blocks(const std::vector<size_t>& numbers) {
    const Configuration& wanted = grid->configuration;
    for (size_t number : numbers) {
        if (wanted.cooperative || grid->blocks.empty())
            grid->blocks.push_back(spare ? std::move(spare) : std::make_unique<Block>());
        Block& block = *grid->blocks.back();
        fill(block, unravel(number, wanted.grid), wanted.block);
        block.number = unsigned(number);
        block.epoch = 0;
        block.memory.begin(wanted.shared);
        enlist(block);
        if (wanted.cooperative) continue;
        run_resident();
        if (grid->error != cudaSuccess) return;
        block.memory.end();
    }
    if (!wanted.cooperative) return;
    run_resident();
    if (grid->error == cudaSuccess)
        for (const std::unique_ptr<Block>& block : grid->blocks) block->memory.end();
}

}  // namespace

Order parse_order(const std::string& text) {
    if (text == "forward") return {Order::forward, 0};
    if (text == "reverse") return {Order::reverse, 0};
    if (text.compare(0, 6, "random") == 0 && (text.size() == 6 || text[6] == ':'))
        return {Order::random, text.size() > 7 ? std::strtoull(text.c_str() + 7, nullptr, 10) : 0};
    complain(("order is forward, reverse or random[:SEED], not '" + text + "'").c_str());
    std::abort();
}

cudaError_t run_grid(const Configuration& configuration, const KernelCall& call,
                     const Order& order) {
    Grid own{configuration, call, order};
    // Another sequence for each launch, the same in each process
    own.random.seed(order.seed * 1000003 + launches++);
    grid = &own;
    gridDim = configuration.grid;
    blockDim = configuration.block;
    const dim3 size = configuration.grid;
    std::vector<size_t> numbers(size_t(size.x) * size.y * size.z);
    for (size_t i = 0; i < numbers.size(); i++) numbers[i] = i;
    arrange(numbers);
    try {
        run_blocks(numbers);
    } catch (cudaError_t error) {  // found by the scheduler itself
        own.error = error;
    }
    give_back_fibers();
    if (!own.blocks.empty()) spare = std::move(own.blocks.front());
    const cudaError_t error = own.error;
    enter_block(nullptr);
    grid = nullptr;
    return error;
}

bool grid_running() { return grid && grid->present; }

bool in_kernel() { return grid_running() || functors > 0; }

void device_code(bool begins) { functors += begins ? 1 : -1; }

std::string present_thread() { return grid_running() ? place(*grid->present) : "a functor"; }

bool stack_overflowed(const void* address) {
    return grid_running() && grid->present->fiber->overflowed(address);
}

Place present_place() {
    const Thread& thread = *grid->present;
    return {thread.block->number, thread.number,        thread.number / 32,
            grid->epoch,          thread.block->epoch, thread.warp_epoch};
}

unsigned long long present_launch() { return launches; }

bool on_own_stack(const void* address) { return grid->present->fiber->holds(address); }

void abandon_grid(cudaError_t error) {
    if (!grid) {
        complain("a fault outside of a kernel");
        std::abort();
    }
    grid->error = error;
    if (grid->present) Fiber::leave();  // for good: its stack is left as it is
    throw error;
}

void sync_block(const char* file, int line) {
    vote_block(false, file, line);
}

Votes vote_block(bool value, const char* file, int line) {
    if (!grid_running()) device_fault(cudaErrorLaunchFailure, "__syncthreads() outside of a kernel");
    Thread& thread = *grid->present;
    thread.barrier = Thread::of_block;
    thread.what = file;
    thread.line = line;
    thread.offered = value;
    wait(thread);
    return thread.votes;
}

void sync_grid(const char* file, int line) {
    if (!grid_running() || !grid->configuration.cooperative)
        device_fault(cudaErrorLaunchFailure, "grid.sync() in a kernel whose launch is not cooperative");
    Thread& thread = *grid->present;
    thread.barrier = Thread::of_grid;
    thread.what = file;
    thread.line = line;
    wait(thread);
}

const Exchange& exchange(uint32_t mask, uint64_t value, const char* operation) {
    if (!grid_running()) device_fault(cudaErrorLaunchFailure, "a warp's operation outside of a kernel");
    Thread& thread = *grid->present;
    if (!(mask >> (thread.number % 32) & 1))
        device_fault(cudaErrorLaunchFailure,
                     (std::string("the mask of ") + operation + " leaves out the thread that calls it")
                         .c_str());
    if (!thread.received) thread.received = std::make_unique<Exchange>();
    thread.barrier = Thread::of_warp;
    thread.what = operation;
    thread.line = 0;
    thread.mask = mask;
    thread.offered = value;
    wait(thread);
    return *thread.received;
}

unsigned int lane() { return grid_running() ? grid->present->number % 32 : 0; }

static void let_others_run() {
    Thread& thread = *grid->present;
    // From now on its fiber is its own
    if (thread.barrier == Thread::none) thread.barrier = Thread::of_warp;
    thread.state = Thread::ready;
    grid->ready.push_back(&thread);
    Fiber::leave();
    grid->present = &thread;
    set_place(thread);
}

void may_spin() {
    if (!grid_running()) return;
    // Most atomics that change nothing are no spinning; the first few cost nothing
    static unsigned spins = 0;
    if (++spins % 256 == 0) let_others_run();
}

}  // namespace cuda_emulator

long long clock64() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

unsigned long long __globaltimer() { return (unsigned long long)clock64(); }

void __nanosleep(unsigned int) {
    if (cuda_emulator::grid_running()) cuda_emulator::let_others_run();
}

void __trap() { cuda_emulator::device_fault(cudaErrorLaunchFailure, "__trap()"); }
