// The choice of opset and recipes.

#include <algorithm>

#include "recipes.h"

namespace xrun::float_graphs {

const std::vector<Recipe>& AllRecipes() {
  static const std::vector<Recipe> kRecipes = [] {
    std::vector<Recipe> all;
    for (const auto& list : {ElementwiseRecipes(), WindowRecipes(), ResizeRecipes(), MovementRecipes(),
                             ProductRecipes(), DiscreteRecipes(), PatternRecipes(), BlockRecipes(), ShapeRecipes()}) {
      all.insert(all.end(), list.begin(), list.end());
    }
    return all;
  }();
  return kRecipes;
}

ModelMaker MakeModel(uint64_t seed, bool every_tensor_an_output) {
  Random random(seed * 0x2545f4914f6cdd1dU + 1);
  // Mostly what exporters write today; the oldest opset is alone in having the oldest versions of some operators.
  const auto opset = static_cast<int>(random.Chance(55)   ? random.Pick(11, 18)
                                      : random.Chance(20) ? 7
                                                          : random.Pick(8, 21));
  ModelMaker m(random.Next(), opset);
  std::vector<const Recipe*> usable;
  for (const Recipe& recipe : AllRecipes()) {
    if (recipe.first_opset <= opset && opset <= recipe.last_opset) usable.push_back(&recipe);
  }
  const int64_t steps = random.Chance(10) ? random.Pick(15, 40) : random.Pick(3, 14);
  for (int64_t i = 0; i < steps || !m.HasResults(); ++i) random.OneOf(usable)->make(m);
  m.Finish(every_tensor_an_output);
  return m;
}

}  // namespace xrun::float_graphs
