# Importer and canonicalization; the only tests that write ONNX models with the protobuf classes.
add_executable(compiler_front_test
  ${CMAKE_CURRENT_LIST_DIR}/compiler_import_cpu_ops_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compiler_import_data_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compiler_import_hostile_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compiler_import_models_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compiler_import_node_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compiler_import_operators_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compiler_import_quantized_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compiler_passes_test.cpp
)
target_link_libraries(compiler_front_test PRIVATE xrun_compiler xrun_onnx_proto xrun_warnings GTest::gtest_main)
gtest_discover_tests(compiler_front_test DISCOVERY_TIMEOUT 60)
