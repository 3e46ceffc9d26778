# What the compiler says about models: --explain, the table of operators.
add_executable(compiler_explain_test ${CMAKE_CURRENT_LIST_DIR}/compiler_explain_test.cpp)
target_link_libraries(compiler_explain_test PRIVATE xrun_compiler xrun_onnx_proto xrun_warnings GTest::gtest_main)
target_compile_definitions(compiler_explain_test
                           PRIVATE XRUN_TEST_MODELS="${CMAKE_SOURCE_DIR}/tests/models"
                                   XRUN_SUPPORTED_OPS_MD="${CMAKE_SOURCE_DIR}/compiler/SUPPORTED_OPS.md")
gtest_discover_tests(compiler_explain_test)

# Where weights of staggered programs lie.
add_executable(compiler_weight_rows_test ${CMAKE_CURRENT_LIST_DIR}/compiler_weight_rows_test.cpp)
target_link_libraries(compiler_weight_rows_test PRIVATE xrun_compiler xrun_warnings GTest::gtest_main)
gtest_discover_tests(compiler_weight_rows_test)
