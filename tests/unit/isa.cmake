# The instruction set, program files and the verifier (isa/).
add_executable(isa_test
  ${CMAKE_SOURCE_DIR}/tests/unit/isa_assembly_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/isa_check_fields_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/isa_footprint_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/isa_hostile_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/isa_program_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/isa_verify_test.cpp)
target_link_libraries(isa_test PRIVATE xrun_warnings xrun_isa ${XRUN_XXHASH_LIBRARY} GTest::gtest_main)
target_include_directories(isa_test SYSTEM PRIVATE ${XRUN_XXHASH_INCLUDE})
target_compile_definitions(isa_test PRIVATE XRUN_REFERENCE_MD="${CMAKE_SOURCE_DIR}/isa/REFERENCE.md")
gtest_discover_tests(isa_test DISCOVERY_TIMEOUT 60)
