// Where the CPU's time loop takes its random numbers from with rng="philox".
#ifndef GPURUN_ELEMENT_STREAM_H
#define GPURUN_ELEMENT_STREAM_H

#include "noise.h"
#include "philox.h"

namespace gpurun {

// The stream of the element that the calling thread is at.
inline Stream& own_stream() {
    static thread_local Stream stream;
    return stream;
}

// Stands before the code of each element (and of what is done once for all of them) where that
// draws random numbers.
inline void begin_element(uint32_t code_object, uint32_t element) {
    own_stream() = Stream(noise().seed, code_object, noise().step, element);
}

}  // namespace gpurun

#endif
