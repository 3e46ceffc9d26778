#ifndef XRUN_TESTS_UNIT_COUNT_ALLOCATIONS_H_
#define XRUN_TESTS_UNIT_COUNT_ALLOCATIONS_H_

#include <cstdint>

namespace xrun::test {

/// Heap allocations of this thread so far. Linking count_allocations.cpp replaces operator new and delete; in a file of
/// its own, or the compiler would inline one half of the pair and complain about the other.
uint64_t Allocations();

}  // namespace xrun::test

#endif  // XRUN_TESTS_UNIT_COUNT_ALLOCATIONS_H_
