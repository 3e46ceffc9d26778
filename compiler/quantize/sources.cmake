# Included by compiler/CMakeLists.txt.
target_sources(xrun_compiler PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/../float_executor.cpp
  ${CMAKE_CURRENT_LIST_DIR}/absorb_qdq.cpp
  ${CMAKE_CURRENT_LIST_DIR}/activation_stats.cpp
  ${CMAKE_CURRENT_LIST_DIR}/calibrate.cpp
  ${CMAKE_CURRENT_LIST_DIR}/choose_range.cpp
  ${CMAKE_CURRENT_LIST_DIR}/copy_channels.cpp
  ${CMAKE_CURRENT_LIST_DIR}/equalize.cpp
  ${CMAKE_CURRENT_LIST_DIR}/float_constants.cpp
  ${CMAKE_CURRENT_LIST_DIR}/input_moments.cpp
  ${CMAKE_CURRENT_LIST_DIR}/parameters.cpp
  ${CMAKE_CURRENT_LIST_DIR}/qdq_export.cpp
  ${CMAKE_CURRENT_LIST_DIR}/qdq_nodes.cpp
  ${CMAKE_CURRENT_LIST_DIR}/quantize.cpp
  ${CMAKE_CURRENT_LIST_DIR}/quantize_weights.cpp
  ${CMAKE_CURRENT_LIST_DIR}/round_weights.cpp
  ${CMAKE_CURRENT_LIST_DIR}/rounding_trial.cpp
  ${CMAKE_CURRENT_LIST_DIR}/select.cpp
  ${CMAKE_CURRENT_LIST_DIR}/synthetic_inputs.cpp)
find_package(Eigen3 REQUIRED)
target_link_libraries(xrun_compiler PRIVATE Eigen3::Eigen)
