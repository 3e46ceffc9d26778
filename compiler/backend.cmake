# The back half: quantized graph to program.
target_sources(xrun_compiler PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/build_program.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compile.cpp
  ${CMAKE_CURRENT_LIST_DIR}/conv_phases.cpp
  ${CMAKE_CURRENT_LIST_DIR}/emitter.cpp
  ${CMAKE_CURRENT_LIST_DIR}/estimate.cpp
  ${CMAKE_CURRENT_LIST_DIR}/instructions.cpp
  ${CMAKE_CURRENT_LIST_DIR}/make_strips.cpp
  ${CMAKE_CURRENT_LIST_DIR}/plan.cpp
  ${CMAKE_CURRENT_LIST_DIR}/schedule_strips.cpp
  ${CMAKE_CURRENT_LIST_DIR}/strips.cpp
  ${CMAKE_CURRENT_LIST_DIR}/explain.cpp
  ${CMAKE_CURRENT_LIST_DIR}/integer_form.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lower.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lower_layer.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lower_text.cpp
  ${CMAKE_CURRENT_LIST_DIR}/macs.cpp
  ${CMAKE_CURRENT_LIST_DIR}/move_to_cpu.cpp
  ${CMAKE_CURRENT_LIST_DIR}/split_batch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tokens_to_planes.cpp
  ${CMAKE_CURRENT_LIST_DIR}/pack_inputs.cpp
  ${CMAKE_CURRENT_LIST_DIR}/pack_weights.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lower_phases.cpp
  ${CMAKE_CURRENT_LIST_DIR}/place.cpp
  ${CMAKE_CURRENT_LIST_DIR}/placement.cpp
  ${CMAKE_CURRENT_LIST_DIR}/schedule.cpp
  ${CMAKE_CURRENT_LIST_DIR}/schedule_conv.cpp
  ${CMAKE_CURRENT_LIST_DIR}/schedule_elementwise.cpp
  ${CMAKE_CURRENT_LIST_DIR}/schedule_matmul.cpp
  ${CMAKE_CURRENT_LIST_DIR}/schedule_window.cpp
  ${CMAKE_CURRENT_LIST_DIR}/supported_ops.cpp
  ${CMAKE_CURRENT_LIST_DIR}/stagger.cpp
  ${CMAKE_CURRENT_LIST_DIR}/strided_view.cpp
  ${CMAKE_CURRENT_LIST_DIR}/synchronize.cpp
)
target_link_libraries(xrun_compiler PUBLIC xrun_isa)
