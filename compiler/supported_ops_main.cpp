// Prints compiler/SUPPORTED_OPS.md, or with a path writes it there.

#include <cstdio>
#include <string>

#include "compiler/supported_ops.h"

int main(int argc, char** argv) {
  const std::string text = xrun::compiler::SupportedOpsMarkdown();
  std::FILE* file = argc > 1 ? std::fopen(argv[1], "wb") : stdout;
  if (file == nullptr) {
    std::perror(argv[1]);
    return 1;
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written ? 0 : 1;
}
