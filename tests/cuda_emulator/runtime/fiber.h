// Stacks that can be left and gone back to.
#ifndef CUDA_EMULATOR_FIBER_H
#define CUDA_EMULATOR_FIBER_H

#include <cstddef>

namespace cuda_emulator {

class Fiber {
public:
    Fiber();
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // Makes it begin (again) with `entry(argument)`, which must not return.
    void prepare(void (*entry)(void*), void* argument);

    // From the thread's own stack to this one, until it calls leave().
    void enter();

    // Back to where enter() was called. Nothing is unwound if it is never entered again.
    static void leave();

    // Whether `address` lies in the guard area below this stack.
    bool overflowed(const void* address) const;

    // Whether it lies in this stack.
    bool holds(const void* address) const;

    struct Context;

private:
    char* memory_;
    Context* context_;
};

}  // namespace cuda_emulator

#endif
