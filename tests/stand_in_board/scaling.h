#ifndef XRUN_TESTS_STAND_IN_BOARD_SCALING_H_
#define XRUN_TESTS_STAND_IN_BOARD_SCALING_H_

#include <cstdint>

#include "tests/stand_in_board/board.h"

namespace xrun::test {

/// Requests a second that `units` units of the stand-in board do, with 4 requests in flight for each.
double Throughput(uint32_t units, const stand_in::BoardOptions& board, unsigned requests);

}  // namespace xrun::test

#endif  // XRUN_TESTS_STAND_IN_BOARD_SCALING_H_
