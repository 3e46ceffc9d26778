#ifndef XRUN_RUNTIME_IO_PREPROCESS_TEXT_H_
#define XRUN_RUNTIME_IO_PREPROCESS_TEXT_H_

#include <string>
#include <string_view>

#include "isa/result.h"
#include "runtime/io/preprocess.h"

namespace xrun::io {

/// The text forms of each part, one grammar for flags and JSON. Each changes only its own fields of `to`; failures
/// quote the text and say what is expected.
Status ParseResize(std::string_view text, Preprocess& to);        ///< WxH[:stretch|shortest|letterbox[=FILL]]
Status ParseResizeFilter(std::string_view text, Preprocess& to);  ///< pil-bilinear | cv-linear
Status ParseCrop(std::string_view text, Preprocess& to);          ///< WxH
Status ParseScale(std::string_view text, Preprocess& to);         ///< 0.0078125 or 1/255
Status ParseMean(std::string_view text, Preprocess& to);          ///< A or A,B,C
Status ParseStd(std::string_view text, Preprocess& to);           ///< likewise, no zero
Status ParseChannelOrder(std::string_view text, Preprocess& to);  ///< rgb | bgr | gray

/// A finite decimal number, the whole of `text`.
Result<double> ParseNumber(std::string_view text);

/// JSON object with the keys resize, resize_filter, crop, scale, mean, std, channel_order, whose values are the flags'
/// texts (numbers and arrays of numbers are taken too for scale, mean, std); absent keys keep their defaults, unknown
/// ones are refused. ToJson writes what FromJson reads back equal. Failures of FromJson do not name a file.
Result<Preprocess> PreprocessFromJson(std::string_view json);
std::string ToJson(const Preprocess& preprocess);
Result<Preprocess> LoadPreprocess(const std::string& path);

/// Checks what a Preprocess from elsewhere (a program file) must satisfy: sides, lists, finite numbers.
Status Validate(const Preprocess& preprocess);

/// One line for people: "resize 256x256 shortest (pil-bilinear), crop 224x224, rgb, (pixel · 1/255 − 0.485,…) /
/// 0.229,…".
std::string Summary(const Preprocess& preprocess);

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_PREPROCESS_TEXT_H_
