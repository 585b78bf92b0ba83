// Stands in for the C library's allocator in the program that it is linked into, counts by thread, and passes on.
#include "AllocationCounter.h"

#if defined(__linux__) && defined(__GLIBC__)

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *pointer);

static __thread uint64_t count;
static __thread int64_t bytes;

static void *counted(void *pointer) {
    count += 1;
    if (pointer) bytes += (int64_t)malloc_usable_size(pointer);
    return pointer;
}

static void discounted(void *pointer) {
    if (pointer) bytes -= (int64_t)malloc_usable_size(pointer);
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }
void *calloc(size_t number, size_t size) { return counted(__libc_calloc(number, size)); }
void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }

int posix_memalign(void **result, size_t alignment, size_t size) {
    *result = counted(__libc_memalign(alignment, size));
    return *result ? 0 : ENOMEM;
}

void *realloc(void *pointer, size_t size) {
    discounted(pointer);
    return counted(__libc_realloc(pointer, size));
}

void free(void *pointer) {
    discounted(pointer);
    __libc_free(pointer);
}

int allocation_counter_works(void) { return 1; }
uint64_t allocation_count(void) { return count; }
int64_t allocated_bytes(void) { return bytes; }

#else

int allocation_counter_works(void) { return 0; }
uint64_t allocation_count(void) { return 0; }
int64_t allocated_bytes(void) { return 0; }

#endif
