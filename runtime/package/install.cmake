# What `cmake --install` puts where, in the four components that are the four .debs: libxrun, libxrun-dev, xrun-tools,
# python3-xrun (the last two where they are built).
if(NOT DEFINED CMAKE_INSTALL_LIBDIR AND CMAKE_LIBRARY_ARCHITECTURE AND EXISTS /etc/debian_version)
  set(CMAKE_INSTALL_LIBDIR lib/${CMAKE_LIBRARY_ARCHITECTURE} CACHE PATH "Libraries, below the prefix: Debian's multiarch")
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(XRUN_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/xrun)

install(TARGETS xrun EXPORT xrunTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libxrun NAMELINK_COMPONENT libxrun-dev
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/runtime/include/xrun DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT libxrun-dev FILES_MATCHING PATTERN "*.h")

install(EXPORT xrunTargets NAMESPACE xrun:: DESTINATION ${XRUN_CMAKE_DIR} COMPONENT libxrun-dev)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/xrunConfig.cmake.in ${CMAKE_BINARY_DIR}/package/xrunConfig.cmake
                              INSTALL_DESTINATION ${XRUN_CMAKE_DIR})
# Before 1.0 a minor version may change the C++ API.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/xrunConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/package/xrunConfig.cmake ${CMAKE_BINARY_DIR}/package/xrunConfigVersion.cmake
        DESTINATION ${XRUN_CMAKE_DIR} COMPONENT libxrun-dev)

# Relative to itself: an installed tree may be moved.
file(RELATIVE_PATH XRUN_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" XRUN_PC_PREFIX "${XRUN_PC_PREFIX}")
configure_file(${CMAKE_CURRENT_LIST_DIR}/xrun.pc.in ${CMAKE_BINARY_DIR}/package/xrun.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/package/xrun.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT libxrun-dev)

foreach(tool xquantize xcompile xinfer xeval xobjdump xquery xbench)
  if(TARGET ${tool})
    install(TARGETS ${tool} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT xrun-tools)
  endif()
endforeach()

if(TARGET xrun_python AND NOT XRUN_PYTHON_STATIC)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/runtime/python/xrun DESTINATION lib/python3/dist-packages COMPONENT python3-xrun
          FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi" PATTERN "py.typed" PATTERN "__pycache__" EXCLUDE)
  install(TARGETS _xrun LIBRARY DESTINATION lib/python3/dist-packages/xrun COMPONENT python3-xrun)
endif()

# The .debs: cpack -G DEB in the build folder, after a build of everything.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME xrun)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The xrun developers <xrun@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Runs compiled int8 models on an FPGA overlay or its simulator")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENTS_ALL libxrun libxrun-dev xrun-tools)
if(TARGET xrun_python AND NOT XRUN_PYTHON_STATIC)
  list(APPEND CPACK_COMPONENTS_ALL python3-xrun)
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR}/runtime)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_LIBXRUN_PACKAGE_NAME libxrun)
set(CPACK_DEBIAN_LIBXRUN_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBXRUN_DESCRIPTION "libxrun: runs compiled int8 models. The shared library.")
set(CPACK_DEBIAN_LIBXRUN-DEV_PACKAGE_NAME libxrun-dev)
set(CPACK_DEBIAN_LIBXRUN-DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBXRUN-DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_LIBXRUN-DEV_PACKAGE_DEPENDS "libxrun (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_LIBXRUN-DEV_DESCRIPTION "libxrun: headers for C++ and C, CMake and pkg-config files.")
set(CPACK_DEBIAN_XRUN-TOOLS_PACKAGE_NAME xrun-tools)
set(CPACK_DEBIAN_XRUN-TOOLS_PACKAGE_SECTION science)
set(CPACK_COMPONENT_XRUN-TOOLS_DESCRIPTION "Commands to compile models, run and inspect programs.")
set(CPACK_DEBIAN_PYTHON3-XRUN_PACKAGE_NAME python3-xrun)
set(CPACK_DEBIAN_PYTHON3-XRUN_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON3-XRUN_PACKAGE_DEPENDS "python3 (>= 3.9), python3-numpy, libxrun (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_PYTHON3-XRUN_DESCRIPTION "libxrun for Python 3, with numpy arrays.")
include(CPack)
