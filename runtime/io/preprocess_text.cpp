#include "runtime/io/preprocess_text.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "runtime/io/file.h"
#include "runtime/io/image.h"
#include "runtime/io/suggest.h"

namespace xrun::io {
namespace {

constexpr float kDefaultScale = 1.0F / 255.0F;

std::string Quote(std::string_view text) { return "'" + std::string(text.substr(0, 60)) + "'"; }

std::optional<int> ParseSide(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > kMaxImageSide) {
    return std::nullopt;
  }
  return value;
}

Status ParseSize(std::string_view text, const char* what, int& width, int& height) {
  const size_t x = text.find_first_of("xX");
  const auto w = ParseSide(text.substr(0, x));
  const auto h = x == std::string_view::npos ? std::nullopt : ParseSide(text.substr(x + 1));
  if (!w || !h) {
    return Failure{
        std::string(what) + " " + Quote(text) + " is not WIDTHxHEIGHT, each from 1 to " + std::to_string(kMaxImageSide),
        "for example 224x224"};
  }
  width = *w;
  height = *h;
  return {};
}

Failure BadChoice(const char* what, std::string_view text, const std::vector<std::string>& choices) {
  return {std::string(what) + " " + Quote(text) + " is not one of " + ListNames(choices), DidYouMean(text, choices)};
}

Result<std::vector<float>> ParseList(std::string_view text, const char* what) {
  std::vector<float> values;
  while (true) {
    const size_t comma = text.find(',');
    const auto value = ParseNumber(text.substr(0, comma));
    if (!value.ok())
      return Failure{std::string(what) + ": " + value.failure().message, "one number, or one per channel: A,B,C"};
    values.push_back(static_cast<float>(*value));
    if (comma == std::string_view::npos) return values;
    text.remove_prefix(comma + 1);
  }
}

Status CheckList(const std::vector<float>& values, const char* what, bool zero_allowed) {
  if (values.size() != 1 && values.size() != 3) {
    return Failure{std::string(what) + " has " + std::to_string(values.size()) + " values; 1 or 3 are needed", ""};
  }
  for (const float value : values) {
    if (!std::isfinite(value)) return Failure{std::string(what) + " is not finite", ""};
    // What underflows in float32 divides just as badly as a zero.
    if (!zero_allowed && value == 0.0F) return Failure{std::string(what) + " is 0, and values are divided by it", ""};
  }
  return {};
}

std::string NumberText(float value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  return error == std::errc() ? std::string(text, end) : "?";
}

std::string ScaleText(float scale) { return scale == kDefaultScale ? "1/255" : NumberText(scale); }

std::string ListText(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += (text.empty() ? "" : ",") + NumberText(value);
  return text;
}

const std::vector<std::string> kModes = {"stretch", "shortest", "letterbox"};
const std::vector<std::string> kFilters = {"pil-bilinear", "cv-linear"};
const std::vector<std::string> kOrders = {"rgb", "bgr", "gray"};

template <typename Enum>
bool Choose(std::string_view text, const std::vector<std::string>& choices, Enum& to) {
  for (size_t i = 0; i < choices.size(); ++i) {
    if (text == choices[i]) {
      to = static_cast<Enum>(i);
      return true;
    }
  }
  return false;
}

template <typename Enum>
const std::string& ChoiceText(const std::vector<std::string>& choices, Enum value) {
  return choices[static_cast<size_t>(value)];
}

std::string ResizeText(const Preprocess& p) {
  std::string text =
      std::to_string(p.resize_width) + "x" + std::to_string(p.resize_height) + ":" + ChoiceText(kModes, p.resize_mode);
  if (p.resize_mode == ResizeMode::kLetterbox) text += "=" + std::to_string(p.letterbox_fill);
  return text;
}

}  // namespace

Result<double> ParseNumber(std::string_view text) {
  double value = 0;
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value)) {
    return Failure{Quote(text) + " is not a number", ""};
  }
  return value;
}

Status ParseResize(std::string_view text, Preprocess& to) {
  const size_t colon = text.find(':');
  Preprocess parsed = to;
  XRUN_RETURN_IF_ERROR(ParseSize(text.substr(0, colon), "resize", parsed.resize_width, parsed.resize_height));
  parsed.resize_mode = ResizeMode::kStretch;
  parsed.letterbox_fill = Preprocess{}.letterbox_fill;
  if (colon != std::string_view::npos) {
    const std::string_view mode = text.substr(colon + 1);
    const size_t equals = mode.find('=');
    if (!Choose(mode.substr(0, equals), kModes, parsed.resize_mode)) {
      return BadChoice("resize mode", mode.substr(0, equals), kModes);
    }
    if (equals != std::string_view::npos) {
      const std::string_view fill = mode.substr(equals + 1);
      int value = -1;
      const auto [end, error] = std::from_chars(fill.data(), fill.data() + fill.size(), value);
      const bool number = error == std::errc() && end == fill.data() + fill.size();
      if (parsed.resize_mode != ResizeMode::kLetterbox || !number || value < 0 || value > 255) {
        return Failure{"resize mode " + Quote(mode) + ": only letterbox takes a fill value, from 0 to 255",
                       "for example letterbox=114"};
      }
      parsed.letterbox_fill = static_cast<uint8_t>(value);
    }
  }
  to = parsed;
  return {};
}

Status ParseResizeFilter(std::string_view text, Preprocess& to) {
  if (!Choose(text, kFilters, to.resize_filter)) return BadChoice("resize filter", text, kFilters);
  return {};
}

Status ParseCrop(std::string_view text, Preprocess& to) {
  return ParseSize(text, "crop", to.crop_width, to.crop_height);
}

Status ParseScale(std::string_view text, Preprocess& to) {
  const size_t slash = text.find('/');
  const auto numerator = ParseNumber(text.substr(0, slash));
  const auto denominator = slash == std::string_view::npos ? Result<double>(1.0) : ParseNumber(text.substr(slash + 1));
  if (numerator.ok() && denominator.ok() && *denominator != 0.0) {
    const auto scale = static_cast<float>(*numerator / *denominator);
    if (std::isfinite(scale) && scale != 0.0F) {
      to.scale = scale;
      return {};
    }
  }
  return Failure{"scale " + Quote(text) + " is not a number other than 0, nor a fraction",
                 "for example 1/255 or 0.0078125"};
}

Status ParseMean(std::string_view text, Preprocess& to) {
  XRUN_ASSIGN_OR_RETURN(auto values, ParseList(text, "mean"));
  XRUN_RETURN_IF_ERROR(CheckList(values, "mean", true));
  to.mean = std::move(values);
  return {};
}

Status ParseStd(std::string_view text, Preprocess& to) {
  XRUN_ASSIGN_OR_RETURN(auto values, ParseList(text, "std"));
  XRUN_RETURN_IF_ERROR(CheckList(values, "std", false));
  to.std = std::move(values);
  return {};
}

Status ParseChannelOrder(std::string_view text, Preprocess& to) {
  if (!Choose(text, kOrders, to.channel_order)) return BadChoice("channel order", text, kOrders);
  return {};
}

Result<Preprocess> PreprocessFromJson(std::string_view json) {
  const auto root = nlohmann::json::parse(json, nullptr, false);
  if (root.is_discarded()) return Failure{"is not valid JSON", ""};
  if (!root.is_object()) return Failure{"is not a JSON object of preprocessing settings", ""};
  struct Key {
    std::string name;
    Status (*parse)(std::string_view, Preprocess&);
    bool numeric;
  };
  static const std::vector<Key> kKeys = {{"resize", ParseResize, false},
                                         {"resize_filter", ParseResizeFilter, false},
                                         {"crop", ParseCrop, false},
                                         {"scale", ParseScale, true},
                                         {"mean", ParseMean, true},
                                         {"std", ParseStd, true},
                                         {"channel_order", ParseChannelOrder, false}};
  Preprocess result;
  for (const auto& [name, value] : root.items()) {
    const Key* key = nullptr;
    std::vector<std::string> names;
    for (const Key& k : kKeys) {
      names.push_back(k.name);
      if (k.name == name) key = &k;
    }
    if (key == nullptr) {
      const std::string guess = DidYouMean(name, names);
      return Failure{"unknown key " + Quote(name), guess.empty() ? "known keys: " + ListNames(names) : guess};
    }
    // Numbers go through their shortest text: one grammar, one set of messages.
    std::string text;
    const auto append = [&](const nlohmann::json& item) {
      if (!item.is_number()) return false;
      text += (text.empty() ? "" : ",") + item.dump();
      return true;
    };
    bool good = true;
    if (value.is_string()) {
      text = value.get<std::string>();
    } else if (key->numeric && value.is_array()) {
      for (const auto& item : value) good = good && append(item);
    } else {
      good = key->numeric && append(value);
    }
    if (!good) {
      return Failure{Quote(name) + " must be a string" + (key->numeric ? ", a number or numbers" : ""), ""};
    }
    XRUN_RETURN_IF_ERROR(key->parse(text, result));
  }
  return result;
}

std::string ToJson(const Preprocess& p) {
  nlohmann::ordered_json root;
  if (p.resize_width > 0) {
    root["resize"] = ResizeText(p);
    root["resize_filter"] = ChoiceText(kFilters, p.resize_filter);
  } else if (p.resize_filter != Preprocess{}.resize_filter) {
    root["resize_filter"] = ChoiceText(kFilters, p.resize_filter);
  }
  if (p.crop_width > 0) root["crop"] = std::to_string(p.crop_width) + "x" + std::to_string(p.crop_height);
  root["scale"] = ScaleText(p.scale);
  root["mean"] = ListText(p.mean);
  root["std"] = ListText(p.std);
  root["channel_order"] = ChoiceText(kOrders, p.channel_order);
  return root.dump(2);
}

Result<Preprocess> LoadPreprocess(const std::string& path) {
  XRUN_ASSIGN_OR_RETURN(const auto bytes, ReadFile(path, 1U << 20));
  auto result = PreprocessFromJson(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  if (!result.ok()) return std::move(result).failure().In(path);
  return result;
}

Status Validate(const Preprocess& p) {
  const auto side = [](int a, int b) {
    return (a == 0 && b == 0) || (a >= 1 && a <= kMaxImageSide && b >= 1 && b <= kMaxImageSide);
  };
  if (!side(p.resize_width, p.resize_height)) return Failure{"preprocessing: the resize size is out of range", ""};
  if (!side(p.crop_width, p.crop_height)) return Failure{"preprocessing: the crop size is out of range", ""};
  if (static_cast<size_t>(p.resize_mode) >= kModes.size() || static_cast<size_t>(p.resize_filter) >= kFilters.size() ||
      static_cast<size_t>(p.channel_order) >= kOrders.size()) {
    return Failure{"preprocessing: an unknown resize mode, filter or channel order", ""};
  }
  if (!std::isfinite(p.scale) || p.scale == 0.0F) return Failure{"preprocessing: the scale is 0 or not finite", ""};
  XRUN_RETURN_IF_ERROR(CheckList(p.mean, "preprocessing: mean", true));
  return CheckList(p.std, "preprocessing: std", false);
}

std::string Summary(const Preprocess& p) {
  std::string text;
  if (p.resize_width > 0) text += "resize " + ResizeText(p) + " (" + ChoiceText(kFilters, p.resize_filter) + "), ";
  if (p.crop_width > 0) text += "crop " + std::to_string(p.crop_width) + "x" + std::to_string(p.crop_height) + ", ";
  return text + ChoiceText(kOrders, p.channel_order) + ", x = (pixel · " + ScaleText(p.scale) + " − " +
         ListText(p.mean) + ") / " + ListText(p.std);
}

}  // namespace xrun::io
