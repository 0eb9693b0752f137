// assert() that knows device code. Like the standard one it may be included again with or
// without NDEBUG, so it has no include guard.
#include "cuda_emulator/report.h"

#undef assert
#ifdef NDEBUG
#define assert(expression) ((void)0)
#else
#define assert(expression) \
    ((expression) ? (void)0 \
                  : ::cuda_emulator::assert_failed(#expression, __FILE__, __LINE__, __func__))
#endif
#ifndef __cplusplus
#define static_assert _Static_assert
#endif
