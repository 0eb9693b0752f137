// Switching stacks. By hand for x86-64 and aarch64, because swapcontext() makes two system calls
// each time; with ucontext elsewhere.
#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

namespace cuda_emulator {

namespace {
// Local arrays of kernels live here; CUDA's own default is 1 KiB a thread.
constexpr std::size_t stack_bytes = 256 * 1024;

// Below it: more than a page, because a large frame steps over one.
constexpr std::size_t guard_bytes = 1024 * 1024;
}  // namespace

#if defined(__x86_64__) || defined(__aarch64__)

// Saves what a function has to keep on the present stack, its top in *from, and goes on with `to`.
extern "C" void cuda_emulator_switch(void** from, void* to);

#if defined(__x86_64__)
__asm__(
    ".text\n.p2align 4\n"
    ".globl cuda_emulator_switch\n.hidden cuda_emulator_switch\n"
    ".type cuda_emulator_switch,@function\n"
    "cuda_emulator_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size cuda_emulator_switch,.-cuda_emulator_switch\n");
constexpr std::size_t saved_words = 6;  // below the return address
#else
__asm__(
    ".text\n.p2align 4\n"
    ".globl cuda_emulator_switch\n.hidden cuda_emulator_switch\n"
    ".type cuda_emulator_switch,%function\n"
    "cuda_emulator_switch:\n"
    "  sub sp, sp, #160\n"
    "  stp x19, x20, [sp, #0]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
    "  stp x25, x26, [sp, #48]\n  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
    "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n"
    "  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
    "  mov x9, sp\n  str x9, [x0]\n  mov sp, x1\n"
    "  ldp x19, x20, [sp, #0]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
    "  ldp x25, x26, [sp, #48]\n  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
    "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n"
    "  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
    "  add sp, sp, #160\n  ret\n"
    ".size cuda_emulator_switch,.-cuda_emulator_switch\n");
#endif

struct Fiber::Context {
    void* top = nullptr;  // of the saved stack
    void (*entry)(void*) = nullptr;
    void* argument = nullptr;
};

namespace {
thread_local void* caller = nullptr;
thread_local Fiber::Context* present = nullptr;

extern "C" [[noreturn]] void cuda_emulator_start() {
    present->entry(present->argument);
    std::abort();  // an entry never returns
}
}  // namespace

void Fiber::prepare(void (*entry)(void*), void* argument) {
    context_->entry = entry;
    context_->argument = argument;
    auto* top = reinterpret_cast<std::uint64_t*>(memory_ + guard_bytes + stack_bytes);
#if defined(__x86_64__)
    top -= 1;  // so that the stack is aligned as behind a call
    *--top = reinterpret_cast<std::uint64_t>(&cuda_emulator_start);
    for (std::size_t i = 0; i < saved_words; i++) *--top = 0;
#else
    top -= 20;
    for (int i = 0; i < 20; i++) top[i] = 0;
    top[11] = reinterpret_cast<std::uint64_t>(&cuda_emulator_start);  // x30
#endif
    context_->top = top;
}

void Fiber::enter() {
    Context* const before = present;
    void* const caller_before = caller;
    present = context_;
    cuda_emulator_switch(&caller, context_->top);
    present = before;
    caller = caller_before;
}

void Fiber::leave() {
    Context* const mine = present;
    cuda_emulator_switch(&mine->top, caller);
}

#else

struct Fiber::Context {
    ucontext_t own, caller;
    void (*entry)(void*) = nullptr;
    void* argument = nullptr;
};

namespace {
thread_local Fiber::Context* present = nullptr;

void start() {
    present->entry(present->argument);
    std::abort();
}
}  // namespace

void Fiber::prepare(void (*entry)(void*), void* argument) {
    context_->entry = entry;
    context_->argument = argument;
    getcontext(&context_->own);
    context_->own.uc_stack.ss_sp = memory_ + guard_bytes;
    context_->own.uc_stack.ss_size = stack_bytes;
    context_->own.uc_link = nullptr;
    makecontext(&context_->own, start, 0);
}

void Fiber::enter() {
    Context* const before = present;
    present = context_;
    swapcontext(&context_->caller, &context_->own);
    present = before;
}

void Fiber::leave() {
    Context* const mine = present;
    swapcontext(&mine->own, &mine->caller);
}

#endif

Fiber::Fiber() : context_(new Context) {
    void* memory = mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<char*>(memory);
    mprotect(memory_, guard_bytes, PROT_NONE);
}

Fiber::~Fiber() {
    munmap(memory_, guard_bytes + stack_bytes);
    delete context_;
}

bool Fiber::overflowed(const void* address) const {
    const char* at = static_cast<const char*>(address);
    return at >= memory_ && at < memory_ + guard_bytes;
}

bool Fiber::holds(const void* address) const {
    const char* at = static_cast<const char*>(address);
    return at >= memory_ + guard_bytes && at < memory_ + guard_bytes + stack_bytes;
}

}  // namespace cuda_emulator
