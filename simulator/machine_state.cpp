#include "simulator/machine_state.h"

#include <algorithm>

#include "isa/arithmetic.h"

namespace xrun::simulator {
namespace {

constexpr uint32_t kVectorLanes = 8, kWordLanes = 16;

uint32_t RoundUp(uint32_t value, uint32_t unit) { return (value + unit - 1) / unit * unit; }

uint32_t Word32(const uint8_t* b) { return b[0] | uint32_t{b[1]} << 8 | uint32_t{b[2]} << 16 | uint32_t{b[3]} << 24; }

}  // namespace

MachineState::MachineState(const HardwareConfig& c)
    : config(c),
      lanes(RoundUp(c.channels, kWordLanes)),
      pairs((c.channels + 1) / 2),
      out_lanes(RoundUp(c.channels, kVectorLanes)),
      activations((size_t{c.activation_words()} + 1) * lanes),
      ring(size_t{c.weight_rows} * c.weight_row_bytes()),
      expanded(size_t{c.weight_rows} * pairs * out_lanes * 2),
      is_expanded(c.weight_rows),
      partial(size_t{c.partial_entries} * c.pixels * lanes),
      partial_sum(size_t{c.partial_entries} * c.pixels),
      vector(size_t{c.vector_rows} * c.channels),
      vector_partial(size_t{c.vector_partial_entries} * lanes),
      // A Conv's taps fit the ring and a Depthwise's the vector memory, or the instruction would have trapped.
      taps(std::max<size_t>(size_t{c.weight_rows} * kTilePixels, size_t{c.vector_rows} + 1)),
      tap_sums(taps.size()),  // of a 1 x 1 kernel there is one for each
      tap_weights((size_t{c.vector_rows} + 1) * lanes) {}

ChannelRecord ReadRecord(const uint8_t* bytes) {
  ChannelRecord record;
  record.bias = static_cast<int32_t>(Word32(bytes));
  const Multiplier first = UnpackMultiplier(Word32(bytes + 4)), second = UnpackMultiplier(Word32(bytes + 8));
  record.m = first.m;
  record.shift = first.shift;
  record.m2 = second.m;
  record.shift2 = second.shift;
  record.zero = static_cast<int8_t>(bytes[12]);
  return record;
}

}  // namespace xrun::simulator
