#include "CKernels.h"

#ifdef __linux__
#include <malloc.h>
#endif

void graft_release_freed_memory(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
