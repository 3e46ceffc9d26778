#ifndef XRUN_COMPILER_CONV_PHASES_H_
#define XRUN_COMPILER_CONV_PHASES_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "compiler/lower.h"

namespace xrun::compiler {

/// A phase of a convolution layer as tiling and packing see it; every Conv layer has at least one. Points into the
/// layer.
struct PhaseView {
  uint32_t y = 0, x = 0, cell_y = 0, cell_x = 0, cell_rows = 0, cell_cols = 0;
  uint32_t kernel_h = 1, kernel_w = 1;
  int32_t pad_top = 0, pad_left = 0;
  const int8_t* weights = nullptr;
  const int32_t* source = nullptr;  ///< null: channels as Layer::groups says
  const ChannelParams* params = nullptr;
};

/// The layer's phases; an ordinary convolution is one, with a cell for each output pixel.
std::vector<PhaseView> PhasesOf(const Layer& layer, const OverlayTensor& out);

/// Whether every pixel of a cell is the input's pixel in that place, unchanged, channel for channel, word for word:
/// what Resize to the nearest by whole factors is where scales stay the same.
bool RepeatsPixels(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out);

/// A range of channel groups; count 0: none.
struct GroupRange {
  uint32_t first = 0, count = 0;
  bool operator==(const GroupRange&) const = default;
};

/// Input channel groups that output group `og` of a phase multiplies with weights of its own.
GroupRange InputGroups(const Layer& layer, const PhaseView& phase, const OverlayTensor& in, const OverlayTensor& out,
                       const std::vector<int32_t>& out_logical, uint32_t og, uint32_t channels_of_group);

/// The smallest range that holds both.
GroupRange Join(const GroupRange& a, const GroupRange& b);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_CONV_PHASES_H_
