#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/// Whether allocations can be counted here: on Linux with glibc, whose allocator can be called by another name.
int allocation_counter_works(void);

/// How many times the calling thread has asked for memory.
uint64_t allocation_count(void);

/// What the calling thread has allocated and not freed, in bytes. May be negative: it may free what another allocated.
int64_t allocated_bytes(void);

#endif
