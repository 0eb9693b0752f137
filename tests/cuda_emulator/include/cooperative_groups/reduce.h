// With the groups.
#include "cooperative_groups.h"
