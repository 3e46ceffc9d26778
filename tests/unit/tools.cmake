# The tools: what they share (unit tests) and what they print (golden tests).
if(TARGET xrun_tools_driver)
  add_executable(tools_test
    ${CMAKE_SOURCE_DIR}/tests/unit/tools_copies_test.cpp
    ${CMAKE_SOURCE_DIR}/tests/unit/tools_doctor_test.cpp
    ${CMAKE_SOURCE_DIR}/tests/unit/tools_driver_test.cpp
    ${CMAKE_SOURCE_DIR}/tests/unit/tools_infer_test.cpp
    ${CMAKE_SOURCE_DIR}/tests/unit/tools_tensors_test.cpp)
  target_link_libraries(tools_test PRIVATE xrun_warnings xrun_tools_driver xrun_onnx_proto GTest::gtest_main)
  target_compile_definitions(tools_test PRIVATE XRUN_TEST_MODELS="${CMAKE_SOURCE_DIR}/tests/models")
  gtest_discover_tests(tools_test)

  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_test(NAME golden
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/golden/run.py --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  # Looks at the page in headless Chromium where that is installed, and says so where it is not.
  add_test(NAME report
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/report/report_test.py --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  add_test(NAME interrupt
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/interrupt_test.py --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  add_test(NAME readme
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/readme_test.py --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  add_test(NAME accuracy
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/accuracy/real_models.py --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  add_test(NAME shared_models
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/accuracy/shared_models.py --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(accuracy shared_models PROPERTIES SKIP_RETURN_CODE 77)
endif()
