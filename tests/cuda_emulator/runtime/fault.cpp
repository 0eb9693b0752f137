#include "fault.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "cuda_emulator/access.h"
#include "cuda_emulator/report.h"
#include "device.h"
#include "memory.h"
#include "scheduler.h"
#include "shared_memory.h"

namespace cuda_emulator {

namespace {

struct sigaction previous_segv, previous_bus, previous_fpe;

std::string what_is_at(const void* address) {
    const char* name = nullptr;
    if (near_shared_memory(address, &name))
        return std::string("outside of the shared memory '") + name + "'";
    const std::string known = describe_address(address);
    if (!known.empty()) return known;
    if (uintptr_t(address) < 65536) return "a null pointer";
    return "no memory of the device";
}

void hand_on(int number, siginfo_t* info, void* context) {
    const struct sigaction& before = number == SIGSEGV  ? previous_segv
                                     : number == SIGBUS ? previous_bus
                                                        : previous_fpe;
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else {
        // The instruction is tried again, and ends the process
        signal(number, SIG_DFL);
    }
}

void on_fault(int number, siginfo_t* info, void* context) {
    if (number == SIGFPE) {
        if (!grid_running()) return hand_on(number, info, context);
        device_fault(cudaErrorLaunchFailure,
                     "integer division by zero, whose result is undefined on a card");
    }
    const void* const address = info->si_addr;
    if (open_allocation(address)) return;
    if (grid_running()) {
        if (stack_overflowed(address))
            device_fault(cudaErrorIllegalAddress, "the thread's stack is full");
        // Without an address: an instruction for aligned operands had others
        if (info->si_code == SI_KERNEL || number == SIGBUS)
            device_fault(cudaErrorMisalignedAddress,
                         "access to an address that is misaligned, or to none at all");
        char text[300];
        snprintf(text, sizeof text, "illegal access to %p: %s", address,
                 what_is_at(address).c_str());
        device_fault(cudaErrorIllegalAddress, text);
    }
    const std::string known = describe_address(address);
    if (!known.empty()) {
        char text[300];
        snprintf(text, sizeof text, "host code accesses device memory at %p: %s", address,
                 known.c_str());
        complain(text);
    }
    hand_on(number, info, context);
}

}  // namespace

void give_signal_stack() {
    static thread_local bool given = false;
    if (given) return;
    given = true;
    stack_t present;
    if (sigaltstack(nullptr, &present) == 0 && !(present.ss_flags & SS_DISABLE) &&
        present.ss_size >= 65536)
        return;
    const size_t bytes = 128 * 1024;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_t wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.ss_sp = memory;
    wanted.ss_size = bytes;
    sigaltstack(&wanted, nullptr);
}

void watch_faults() {
    give_signal_stack();
    static bool watching = false;
    if (watching) return;
    watching = true;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    // The handler may never return: it goes back to the scheduler on another stack
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &previous_segv);
    sigaction(SIGBUS, &action, &previous_bus);
    sigaction(SIGFPE, &action, &previous_fpe);
}

void complain(const char* text) {
    fflush(stdout);
    fprintf(stderr, "cuda_emulator: %s\n", text);
    fflush(stderr);
}

void device_fault(cudaError_t error, const char* text) {
    complain((std::string(text) + ", in " + present_thread()).c_str());
    abandon_grid(error);
}

void assert_failed(const char* expression, const char* file, int line, const char* function) {
    char text[600];
    if (grid_running()) {
        fflush(stdout);
        fprintf(stderr, "%s:%d: %s: %s: Assertion `%s` failed.\n", file, line, function,
                present_thread().c_str(), expression);
        abandon_grid(cudaErrorAssert);
    }
    snprintf(text, sizeof text, "%s:%d: %s: Assertion `%s' failed.", file, line, function,
             expression);
    fprintf(stderr, "%s\n", text);
    abort();
}

}  // namespace cuda_emulator
