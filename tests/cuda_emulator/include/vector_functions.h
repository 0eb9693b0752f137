// Under this name for code that asks for it; the functions are with their types.
#include "vector_types.h"
