#ifndef XRUN_TESTS_FLOAT_GRAPHS_RECIPES_H_
#define XRUN_TESTS_FLOAT_GRAPHS_RECIPES_H_

#include <string>
#include <vector>

#include "model_maker.h"

namespace xrun::float_graphs {

/// One step of a random model: an operator with random attributes, or several that exporters write together.
struct Recipe {
  std::string name;
  int first_opset, last_opset;
  std::function<void(ModelMaker&)> make;
};

// Each file has its own; AllRecipes joins them.
std::vector<Recipe> ElementwiseRecipes();  // functions and arithmetic of float tensors
std::vector<Recipe> WindowRecipes();       // Conv, ConvTranspose, pools, normalization over planes, LRN
std::vector<Recipe> ResizeRecipes();       // Resize, Upsample, DepthToSpace, SpaceToDepth
std::vector<Recipe> MovementRecipes();     // shapes, slices, pads, joins
std::vector<Recipe> ProductRecipes();      // MatMul, Gemm, reductions, Softmax, LayerNormalization
std::vector<Recipe> DiscreteRecipes();     // comparisons, logic, integers, indices
std::vector<Recipe> PatternRecipes();      // functions that exporters spell out
std::vector<Recipe> BlockRecipes();        // the same, larger: normalization, attention
std::vector<Recipe> ShapeRecipes();        // shapes and constants computed in the graph
const std::vector<Recipe>& AllRecipes();

/// A random model: opset, operators, branches, joins, inputs and outputs all from the seed.
ModelMaker MakeModel(uint64_t seed, bool every_tensor_an_output = false);

}  // namespace xrun::float_graphs

#endif  // XRUN_TESTS_FLOAT_GRAPHS_RECIPES_H_
