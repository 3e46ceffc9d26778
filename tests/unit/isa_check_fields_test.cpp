#include <gtest/gtest.h>

#include "isa/assembly.h"

namespace xrun {
namespace {

// Legal on B512 (4 pixels, 8 channels, 16384 activation words, 2048 ring rows, 64 partial entries, 4096 vector rows,
// 256 vector partial entries); the bad cases below append a field or change one.
constexpr const char* kWindow =
    " out_w=4 out_h=4 kernel_h=1 kernel_w=1 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 in_w=4 in_h=4"
    " src_row_pitch=4 src_plane_pitch=16 dst=1000 dst_row_pitch=4 dst_plane_pitch=16";
constexpr const char* kConvText = " ic_groups=1 oc_groups=1 dst_step=1";

struct Case {
  const char* text;     ///< fields given here replace the legal ones
  const char* message;  ///< empty: legal
};

/// The mnemonic's legal fields with those of `text` in place of theirs.
std::string Combined(const std::string& text) {
  const std::string mnemonic = text.substr(0, text.find(' '));
  std::string base;
  if (mnemonic == "Conv") base = std::string(kWindow) + kConvText;
  if (mnemonic == "Depthwise") base = std::string(kWindow) + " groups=1";
  if (mnemonic == "Pool") base = std::string(kWindow) + " groups=1";
  if (mnemonic == "Elementwise")
    base = " planes=1 rows=4 cols=4 a_row_pitch=4 b=500 b_row_pitch=4 b_step=1 dst=1000 dst_row_pitch=4";
  if (mnemonic == "Load" || mnemonic == "Save") base = " planes=1 rows=1 cols=1";
  if (mnemonic == "LoadVector") base = " rows=1";
  std::string result = text;
  for (size_t at = 0; (at = base.find(' ', at)) != std::string::npos; ++at) {
    const std::string field = base.substr(at, base.find('=', at) - at + 1);
    if (text.find(field) == std::string::npos) result += base.substr(at, base.find(' ', at + 1) - at);
  }
  return result;
}

Engine StreamOf(const std::string& text) {
  for (uint8_t e = 0; e < kEngines; ++e) {
    if (Assemble(text, static_cast<Engine>(e)).ok()) return static_cast<Engine>(e);
  }
  ADD_FAILURE() << text << ": " << Assemble(text, kConv).failure().message;
  return kLoad;
}

constexpr Case kCases[] = {
    {"Sync", ""},
    {"Sync wait=load", "waits for tokens from its own engine"},  // in the load stream
    {"Sync signal=load", "signals to its own engine"},
    {"Conv wait=load,conv", "waits for tokens from its own engine"},
    {"Save signal=save", "signals to its own engine"},
    // Copies.
    {"Load", ""},
    {"Load planes=0", "planes is 0, must be at least 1"},
    {"Load rows=0", "rows is 0"},
    {"Save cols=0", "cols is 0"},
    {"Load addr=16383", ""},
    {"Load addr=16384", "destination reaches activation word 16384, of 16384"},
    {"Load addr=16383 cols=2", "reaches activation word 16384"},
    {"Load addr=16380 rows=2 row_pitch=4", "reaches activation word 16384"},
    {"Save planes=4095 plane_pitch=262143 rows=262143 row_pitch=262143 cols=262143", "source reaches activation word"},
    {"LoadWeights", ""},
    {"LoadWeights rows=4 acquire=4 row=2047", ""},
    {"LoadWeights rows=4 acquire=3", ""},  // rows that tokens order
    {"LoadWeights acquire=2049", "acquire is 2049, outside 0…2048"},
    {"LoadWeights row=2048", "row reaches weight ring row 2048, of 2048"},
    {"LoadWeights rows=2049 acquire=2049", "rows is 2049"},
    {"LoadMatrix rows=4 acquire=4 words=8 lanes=8", ""},
    {"LoadMatrix acquire=4 words=8 lanes=8", "rows is 0"},
    {"LoadMatrix rows=4 words=8 lanes=8", ""},
    {"LoadMatrix rows=4 acquire=4 lanes=8", "words is 0"},
    {"LoadMatrix rows=4 acquire=4 words=9 lanes=8", "words is 9, outside 1…8"},
    {"LoadMatrix rows=4 acquire=4 words=1 lanes=9", "lanes is 9, outside 1…8"},
    {"LoadMatrix rows=2049 acquire=2049 words=1 lanes=1", "rows is 2049"},
    {"LoadPacked in_cols=9 channels=2 taps=4 stride=2 rows=1 cols=4", ""},
    {"LoadPacked in_cols=9 channels=3 taps=3 stride=2 rows=1 cols=4", "bytes of a word is 9, outside 1…8"},
    {"LoadPacked channels=3 taps=2 stride=2 rows=1 cols=4", "in_cols is 0"},
    {"LoadPacked in_cols=9 channels=3 head=5 tail=3 skip=16 stride=2 rows=1 cols=4 top=-1 in_rows=3 row_step=2", ""},
    {"LoadPacked in_cols=9 channels=3 head=5 tail=4 stride=2 rows=1 cols=4", "bytes of a word is 9, outside 1…8"},
    {"LoadPacked in_cols=9 channels=3 stride=2 rows=1 cols=4 tail=2", "one of taps and head"},
    {"LoadPacked in_cols=9 channels=3 taps=1 head=3 stride=2 rows=1 cols=4", "one of taps and head"},
    {"LoadPacked in_cols=9 channels=3 taps=1 stride=2 rows=1 cols=4 top=1", "top without in_rows"},
    {"LoadPacked in_cols=9 channels=3 taps=2 rows=1 cols=4", "stride is 0"},
    {"LoadPacked in_cols=9 channels=3 taps=2 stride=1 rows=1 cols=4 addr=16382", "destination reaches activation word"},
    {"LoadVector rows=4096", ""},
    {"LoadVector rows=0", "rows is 0"},
    {"LoadVector addr=1 rows=4096", "reaches vector memory row 4096, of 4096"},
    // Conv.
    {"Conv", ""},
    {"Conv out_w=0", "out_w is 0"},
    {"Conv out_h=0", "out_h is 0"},
    {"Conv ic_groups=0", "ic_groups is 0"},
    {"Conv oc_groups=0", "oc_groups is 0"},
    {"Conv kernel_h=0", "kernel_h is 0"},
    {"Conv kernel_w=0", "kernel_w is 0"},
    {"Conv stride_h=0", "stride_h is 0, outside 1…31"},
    {"Conv stride_w=0", "stride_w is 0"},
    {"Conv dilation_h=0", "dilation_h is 0"},
    {"Conv dilation_w=0", "dilation_w is 0"},
    {"Conv dst_step=0", "dst_step is 0, outside 1…15"},
    {"Conv clamp_lo=5 clamp_hi=4", "clamp_lo 5 is above clamp_hi 4"},
    {"Conv keep=1 clamp_lo=5 clamp_hi=4", ""},
    {"Conv residual=1 res=1000 res_row_pitch=4 res_plane_pitch=16", ""},
    {"Conv residual=1 res=1001 res_row_pitch=4 res_plane_pitch=16", "residual and destination overlap"},
    {"Conv residual=1 res=2000 res_row_pitch=4 add_shift=48", "add_shift is 48, outside 0…47"},
    {"Conv add_shift=48", ""},
    {"Conv residual=1 res=2000 m_main=-16777216", "m_main is -16777216"},
    {"Conv residual=1 res=2000 m_res=16777215", ""},
    {"Conv residual=1 res=2000 clamp2_lo=1", "clamp2_lo 1 is above clamp2_hi 0"},
    {"Conv residual=1 res=16380", ""},
    {"Conv residual=1 res=16380 res_row_pitch=1", "residual reaches activation word"},
    {"Conv src=16369", "source reaches activation word 16384"},
    {"Conv src=16368 ", ""},
    {"Conv src=16368 pad_top=1", ""},
    {"Conv src=16383 pad_top=100", ""},  // reads nothing
    {"Conv src=16380 in_h=0", ""},
    {"Conv dst=16369", "destination reaches activation word 16384"},
    {"Conv dst=16369 keep=1", ""},
    {"Conv dst=10", "source and destination overlap"},
    {"Conv src_row_pitch=8 dst=4 dst_row_pitch=8", ""},  // interleaved, word for word apart
    {"Conv src_row_pitch=8 dst=3 dst_row_pitch=8", "source and destination overlap"},
    {"Conv weights=2048", "weights reaches weight ring row 2048"},
    {"Conv weights=2047", ""},
    {"Conv kernel_h=50 kernel_w=50", "segment rows is 2502, outside 0…2048"},
    {"Conv release=2049", "release is 2049"},
    {"Conv keep=1 partial=60", ""},
    {"Conv keep=1 partial=61", "partial reaches partial entry 64, of 64"},
    {"Conv accumulate=1 partial=61", "partial reaches partial entry 64, of 64"},
    {"Conv partial=61", ""},
    // Depthwise.
    {"Depthwise", ""},
    {"Depthwise groups=0", "groups is 0"},
    {"Depthwise params=4080", "params reaches vector memory row 4096"},
    {"Depthwise params=4079", ""},
    {"Depthwise keep=1 partial=240", ""},
    {"Depthwise keep=1 partial=241", "reaches vector partial entry 256"},
    {"Depthwise clamp_lo=1", "clamp_lo 1 is above"},
    {"Depthwise dst=15", "source and destination overlap"},
    {"Depthwise dst=16", ""},
    // Pool.
    {"Pool", ""},
    {"Pool stride_h=16383", ""},
    {"Pool stride_h=0", "stride_h is 0"},
    {"Pool average=1", "shift is 0, outside 16…55"},
    {"Pool average=1 m=8388608 shift=16", ""},
    {"Pool average=1 m=8388607 shift=16", "multiplier is neither 0 nor"},
    {"Pool average=1 m=8388608 shift=56", "shift is 56"},
    {"Pool average=1 keep=1", ""},
    {"Pool requantize=1", "shift is 0"},
    {"Pool average=1 per_count=1", ""},
    {"Pool per_count=1", "per_count belongs to average"},
    {"Pool average=1 per_count=1 accumulate=1", "per_count with accumulate"},
    {"Pool average=1 per_count=1 keep=1", "per_count with keep"},
    {"Pool average=1 per_count=1 kernel_h=16383 kernel_w=16383", "reaches vector memory row"},
    {"Pool table=1 params=4065", "reaches vector memory row 4096"},
    {"Pool table=1 params=4064", ""},
    {"Pool params=65535", ""},  // nothing there is read
    // Elementwise.
    {"Elementwise", ""},
    {"Elementwise planes=0", "planes is 0"},
    {"Elementwise kind=1", "shift is 0"},
    {"Elementwise kind=1 m_a=-8388608 shift=16", "multiplier is neither 0 nor"},
    {"Elementwise kind=2", ""},
    {"Elementwise kind=2 m_a=-16777215", ""},
    {"Elementwise kind=2 m_b=-16777216", "m_b is -16777216"},
    {"Elementwise kind=2 shift=48", "shift is 48, outside 0…47"},
    {"Elementwise kind=3 m_a=8388608 shift=55", ""},
    {"Elementwise kind=2 b=16383 b_row_pitch=0 b_step=0", ""},
    {"Elementwise kind=2 b=16383 b_row_pitch=0", "operand b reaches activation word 16386"},
    {"Elementwise b=16383", ""},  // a copy does not read b
    {"Elementwise a=1000", ""},
    {"Elementwise a=1001", "operand a and destination overlap"},
    {"Elementwise a=1000 a_row_pitch=5", "operand a and destination overlap"},
    {"Elementwise kind=2 b=1000", "operand b and destination overlap"},
    {"Elementwise table=1 params=4064", ""},
    {"Elementwise table=1 params=4065", "params reaches vector memory row 4096"},
    {"Elementwise clamp_lo=1", "clamp_lo 1 is above clamp_hi 0"},
};

TEST(IsaCheckFields, EachRule) {
  const HardwareConfig& config = BuiltInConfigs().front();
  for (const Case& c : kCases) {
    const std::string text = Combined(c.text);
    const Engine engine = StreamOf(text);
    const auto instruction = Decode(*Assemble(text, engine), engine);
    ASSERT_TRUE(instruction.ok()) << text;
    const Status status = CheckFields(*instruction, engine, config);
    const std::string message = status.ok() ? "" : status.failure().message;
    if (*c.message == 0) {
      EXPECT_EQ(message, "") << c.text;
    } else {
      EXPECT_NE(message.find(c.message), std::string::npos) << c.text << "\nsays: " << message;
    }
  }
}

TEST(IsaCheckFields, TellsTheTwoTrapsApart) {
  const HardwareConfig& config = BuiltInConfigs().front();
  Load load;
  load.planes = load.rows = load.cols = 1;
  load.addr = 20000;
  EXPECT_TRUE(CheckRanges(load, kLoad).ok());
  EXPECT_FALSE(CheckOnChip(load, config).ok());
  load.rows = 0;
  EXPECT_FALSE(CheckRanges(load, kLoad).ok());
  EXPECT_FALSE(CheckRanges(std::monostate{}, kLoad).ok());
  EXPECT_FALSE(CheckRanges(Save{}, kLoad).ok());
}

/// Largest field values everywhere must be judged by arithmetic, not by walking the loops.
TEST(IsaCheckFields, ExtremeFieldsAreQuick) {
  const HardwareConfig& config = BuiltInConfigs().front();
  for (const bool zero_pitches : {false, true}) {
    Conv conv;
    VisitFields(conv, [](const char*, auto& field, int bits, bool is_signed, const char*) {
      field = static_cast<std::decay_t<decltype(field)>>(FieldMax(bits, is_signed));
    });
    Pool pool;
    VisitFields(pool, [](const char*, auto& field, int bits, bool is_signed, const char*) {
      field = static_cast<std::decay_t<decltype(field)>>(FieldMax(bits, is_signed));
    });
    pool.per_count = 0;
    pool.pad_top = pool.pad_left = conv.pad_top = conv.pad_left = 0;
    pool.m = 0;
    pool.shift = 16;
    conv.add_shift = 0;
    if (zero_pitches) {
      pool.src_row_pitch = pool.src_plane_pitch = pool.dst_row_pitch = pool.dst_plane_pitch = 0;
      pool.src = pool.dst = 0;
      pool.keep = pool.accumulate = pool.table = 0;
    }
    EXPECT_FALSE(CheckFields(conv, kConv, config).ok());
    EXPECT_FALSE(CheckFields(pool, kVector, config).ok());
  }
}

}  // namespace
}  // namespace xrun
